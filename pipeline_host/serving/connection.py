"""One client's connection: what has arrived and isn't read yet, and sending."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from typing import Final

import gevent
import gevent.socket

from pipeline_host.vanishing import LOOK, Doubt, look_after, silence, unacknowledged

READ_SIZE: Final = 64 * 1024
_TURN: Final = 1024 * 1024
_LINGER_SIZE: Final = 16 * 1024 * 1024
_LINGER_IDLE: Final = 1.0
_FIRST_LOOK: Final = 0.05


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
            look_after(sock)

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
            if self._is_plain():
                self._send_plainly(data)
            else:
                self.socket.sendall(data)
        except OSError as error:
            raise ClientGone from error
        self._took_a_turn(len(data))

    def _is_plain(self) -> bool:
        return type(self.socket) is gevent.socket.socket

    def _send_plainly(self, data: bytes) -> None:
        sent = self._send_now(data)
        if sent == len(data):
            return
        rest = memoryview(data)
        while sent < len(data):
            self._wait_for_reader()
            sent += self._send_now(rest[sent:])

    def _send_now(self, data: bytes | memoryview) -> int:
        """Send what the kernel takes without waiting."""
        try:
            return int(self.socket._sock.send(data))  # type: ignore[attr-defined]
        except BlockingIOError:
            return 0

    def _wait_for_reader(self) -> None:
        """Wait until the client takes more, as long as it is there.

        Raises:
            ClientGone: it has vanished.
        """
        doubt = Doubt()
        while not doubt.look(silence(self.socket)):
            with contextlib.suppress(TimeoutError):
                gevent.socket.wait_write(self.socket.fileno(), LOOK, TimeoutError())
                return
        raise ClientGone("the client has vanished")

    def settle(self, is_wanted: Callable[[], bool]) -> None:
        """Wait until the client's kernel has all that was sent, as long as the client is there.

        What it hasn't taken the system would give up minutes after the connection is closed, which
        is too soon for a reader that pauses.

        Args:
            is_wanted: whether to go on waiting.
        """
        doubt, pause = Doubt(), _FIRST_LOOK
        try:
            if not self._is_plain() or not unacknowledged(self.socket):
                return
            self.socket.shutdown(socket.SHUT_WR)
            while is_wanted() and unacknowledged(self.socket):
                with contextlib.suppress(TimeoutError):
                    if not self.receive(pause):
                        return
                self.buffer.clear()
                if doubt.look(silence(self.socket)):
                    return
                pause = min(pause * 2, LOOK)
        except OSError:
            return

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
