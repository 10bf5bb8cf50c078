"""The body of a request, as the application reads it: ``wsgi.input`` with deadlines."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from pipeline_host.serving.connection import READ_SIZE, ClientGone, Connection
from pipeline_host.serving.framing import Chunked, InvalidBody, Sized, StalledBody

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_SKIP: Final = 64 * 1024


class Body:
    """A request's body; ``environ["pipeline_host.input"]`` and ``wsgi.input``.

    Nothing is read before the application asks for it, and only then a client that expects
    ``100 Continue`` is told to send. All reading raises
    :class:`~pipeline_host.serving.framing.StalledBody` (a ``TimeoutError``) where the body doesn't
    arrive in time, and :class:`~pipeline_host.serving.framing.InvalidBody` (an ``OSError``) where
    it ends early or is malformed.

    Args:
        connection: where the body arrives.
        framing: finds its end; ``None`` where there is no body.
        stall: how long a read may wait until something arrives, in seconds.
        expects_continue: the client waits for ``100 Continue``.
    """

    __slots__ = ("_broken", "_connection", "_end", "_expects_continue", "_framing", "_stall")

    def __init__(
        self,
        connection: Connection,
        framing: Sized | Chunked | None,
        stall: float,
        *,
        expects_continue: bool = False,
    ) -> None:
        self._connection = connection
        self._framing = framing
        self._stall: float | None = stall
        self._end: float | None = None
        self._expects_continue = expects_continue
        self._broken = False

    @property
    def finished(self) -> bool:
        """Whether it was read to its end, or there is none."""
        return self._framing is None or self._framing.done

    def deadline(self, seconds: float | None) -> None:
        """Set by when the reads that follow must have got what they wait for.

        Args:
            seconds: from now, for all of them together, besides the limit on each wait; ``None``
                takes both limits away, for a body that arrives as it is made.
        """
        if seconds is None:
            self._stall = self._end = None
        else:
            self._end = time.monotonic() + seconds

    def read1(self, size: int = READ_SIZE) -> bytes:
        """What has arrived, at most ``size`` bytes, waiting for some; ``b""`` at the end."""
        framing = self._framing
        if framing is None or framing.done or size == 0:
            return b""
        if self._broken:
            raise InvalidBody("body: it ended early")
        size = READ_SIZE if size < 0 else size
        buffer = self._connection.buffer
        try:
            while not (data := framing.take(buffer, size)) and not framing.done:
                self._receive()
        except OSError:
            self._broken = True
            raise
        return data

    def read(self, size: int | None = -1) -> bytes:
        """``size`` bytes, or less at the end; all of it for a negative size or ``None``."""
        if size is None or size < 0:
            return b"".join(iter(self.read1, b""))
        parts = []
        while size > 0 and (part := self.read1(size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def readline(self, size: int | None = -1) -> bytes:
        """A line with its end, or at most ``size`` bytes of it."""
        limit = READ_SIZE * 1024 if size is None or size < 0 else size
        line = bytearray()
        while len(line) < limit and not line.endswith(b"\n") and (byte := self.read1(1)):
            line += byte
        return bytes(line)

    def readlines(self, hint: int | None = None) -> list[bytes]:
        """All lines that are left; ``hint`` is taken and not followed, as PEP 3333 allows."""
        return list(self)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def has_arrived(self) -> bool:
        """Whether what is left of it needs no more waiting, so that the next request can be read.

        Nothing is taken, so that the application may still read it.
        """
        if self.finished:
            return True
        if self._broken or self._expects_continue or not isinstance(self._framing, Sized):
            return False
        buffer, size = self._connection.buffer, self._framing.left
        try:
            while len(buffer) < size <= _SKIP:
                if not self._connection.receive(0.0):
                    return False
        except OSError:
            return False
        return size <= _SKIP

    def drop(self) -> bool:
        """Drop what is left if it :meth:`has_arrived`; whether the next request can be read."""
        if not self.has_arrived():
            return False
        if isinstance(self._framing, Sized):
            self._framing.take(self._connection.buffer, self._framing.left)
        return True

    def _receive(self) -> None:
        timeout = self._stall
        if self._end is not None:
            left = max(0.0, self._end - time.monotonic())
            timeout = left if timeout is None else min(left, timeout)
        try:
            if self._expects_continue:
                self._expects_continue = False
                self._connection.send(_CONTINUE)
            more = self._connection.receive(timeout)
        except TimeoutError:
            raise StalledBody("body: it didn't arrive in time") from None
        except ClientGone as error:
            raise InvalidBody("body: the connection broke") from error
        if not more:
            raise InvalidBody("body: it ended early")
