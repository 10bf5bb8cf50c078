"""One client's connection: what has arrived and isn't read yet, and sending."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import Final

import gevent
import gevent.socket

from pipeline_host.vanishing import notice_vanishing, wait_for_reader

READ_SIZE: Final = 64 * 1024
_TURN: Final = 1024 * 1024
_LINGER_SIZE: Final = 16 * 1024 * 1024
_LINGER_IDLE: Final = 1.0


class ClientGone(ConnectionError):
    """The client isn't there any more (or its connection broke): nobody to tell, nothing to log."""


class Connection:
    """A client's socket with the bytes that were received from it and not yet taken.

    Attributes:
        buffer: those bytes; a reader takes them off its front.
        socket: the socket; whoever reads from it directly misses what is in the buffer.
    """

    __slots__ = ("_busy", "buffer", "socket")

    def __init__(self, sock: gevent.socket.socket) -> None:
        self.socket = sock
        self.buffer = bytearray()
        self._busy = 0
        with contextlib.suppress(OSError):  # it may be gone already, which reading tells
            notice_vanishing(sock)

    def receive(self, timeout: float | None) -> bool:
        """Wait until something arrived and add it to the buffer; false at the end.

        Args:
            timeout: how long to wait, in seconds; 0 takes only what is there.

        Raises:
            TimeoutError: nothing arrived in time.
            ClientGone: the connection broke.
        """
        self.socket.settimeout(timeout)
        try:
            data = self.socket.recv(READ_SIZE)
        except (TimeoutError, BlockingIOError):
            raise TimeoutError from None
        except OSError as error:
            raise ClientGone from error
        finally:
            self.socket.settimeout(None)
        self.buffer += data
        self._took_a_turn(len(data))
        return bool(data)

    def send(self, data: bytes) -> None:
        """Send all of ``data``, in one piece where the kernel takes it.

        Raises:
            ClientGone: the connection broke.
        """
        try:
            sent = self._send_now(data)
            if sent < len(data):
                wait_for_reader(self.socket, True)
                self.socket.sendall(memoryview(data)[sent:])
                wait_for_reader(self.socket, False)
        except OSError as error:
            raise ClientGone from error
        self._took_a_turn(len(data))

    def _send_now(self, data: bytes) -> int:
        """Send what the kernel takes without waiting; of a connection with TLS, nothing."""
        if type(self.socket) is not gevent.socket.socket:
            return 0
        try:
            return int(self.socket._sock.send(data))  # type: ignore[attr-defined]
        except BlockingIOError:
            return 0

    def linger(self, seconds: float) -> None:
        """Let the client read the last answer before the connection is closed.

        Closing a socket with unread bytes resets the connection, and the client may then lose the
        answer; so what it still sends is read and dropped, for a bounded time and amount.
        """
        end = time.monotonic() + seconds
        size = len(self.buffer)
        self.buffer.clear()
        try:
            self.socket.shutdown(socket.SHUT_WR)
            while size < _LINGER_SIZE and (left := end - time.monotonic()) > 0:
                if not self.receive(min(left, _LINGER_IDLE)):
                    break
                size += len(self.buffer)
                self.buffer.clear()
        except OSError:
            return

    def end_reading(self) -> None:
        """Let nothing more arrive; what has arrived can still be read, and answers be sent.

        Unlike the same method of gevent's socket, this wakes a reader with what has arrived.
        """
        with contextlib.suppress(OSError):
            self.socket._sock.shutdown(socket.SHUT_RD)  # type: ignore[attr-defined]

    def _took_a_turn(self, size: int) -> None:
        """Let other connections have a turn: one that never waits would have them all wait."""
        self._busy += size
        if self._busy > _TURN:
            self._busy = 0
            gevent.sleep(0)
