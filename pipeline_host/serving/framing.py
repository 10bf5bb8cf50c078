"""Where a request's body ends (RFC 9112, 6): pure, on what has arrived."""

from __future__ import annotations

import re
from typing import Final

from pipeline_host.errors import BodyTimeout, InvalidInput
from pipeline_host.http import BARE_LF

MAX_CHUNK_LINE: Final = 4 * 1024
_CHUNK_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[\t -~\x80-\xff]*)?")


class InvalidBody(InvalidInput, OSError):
    """A request's body ended early, or isn't framed as its head says; as ``OSError`` too, since
    that is what readers of ``wsgi.input`` expect."""


class StalledBody(BodyTimeout, TimeoutError):
    """A request's body didn't arrive in time."""


class Sized:
    """A body of a length that is known: takes it off a buffer as it arrives."""

    __slots__ = ("left",)

    def __init__(self, length: int) -> None:
        self.left = length

    @property
    def done(self) -> bool:
        return self.left == 0

    def take(self, buffer: bytearray, limit: int) -> bytes:
        """At most ``limit`` bytes of the body off the front of ``buffer``; none if it is empty."""
        size = min(self.left, limit, len(buffer))
        data = bytes(buffer[:size])
        del buffer[:size]
        self.left -= size
        return data


class Chunked:
    """A body in chunks (RFC 9112, 7.1): takes its content off a buffer as it arrives.

    Chunk extensions and trailers are checked and dropped.
    """

    __slots__ = ("_left", "_trailer", "done")

    def __init__(self) -> None:
        self.done = False
        self._left = -1  # of the chunk; 0: its CRLF comes next, below 0: the next chunk's size
        self._trailer = -1  # bytes of trailers so far, or below 0 before the last chunk

    def take(self, buffer: bytearray, limit: int) -> bytes:
        """At most ``limit`` bytes of the body off the front of ``buffer``; none if more of it has
        to arrive first.

        Raises:
            InvalidBody: it isn't framed as chunks.
        """
        parts: list[bytes] = []
        while limit > 0 and not self.done:
            if self._left > 0:
                size = min(self._left, limit, len(buffer))
                if not size:
                    break
                parts.append(bytes(buffer[:size]))
                del buffer[:size]
                self._left -= size
                limit -= size
            elif not self._take_line(buffer):
                break
        return b"".join(parts)

    def _take_line(self, buffer: bytearray) -> bool:
        """Read one line of the framing; whether it was there."""
        end = buffer.find(b"\r\n", 0, MAX_CHUNK_LINE + 2)
        if self._left == 0 and bytes(buffer[:2]) not in (b"\r\n", b"\r", b""):
            raise InvalidBody("body: expected a line end after each chunk")
        if end < 0:
            if len(buffer) > MAX_CHUNK_LINE or BARE_LF.search(buffer):
                raise InvalidBody("body: expected a chunk's size in a line of its own")
            return False
        line = bytes(buffer[:end])
        del buffer[: end + 2]
        if self._trailer >= 0:
            self._take_trailer(line)
        elif self._left == 0:
            self._left = -1
        else:
            self._take_size(line)
        return True

    def _take_size(self, line: bytes) -> None:
        found = _CHUNK_LINE.fullmatch(line)
        if found is None:
            raise InvalidBody("body: expected a chunk's size in hexadecimal digits")
        size = int(found[1], 16)
        if size:
            self._left = size
        else:
            self._trailer = 0

    def _take_trailer(self, line: bytes) -> None:
        self._trailer += len(line)
        if not line:
            self.done = True
        elif self._trailer > MAX_CHUNK_LINE or b":" not in line:
            raise InvalidBody("body: expected short trailers of a name, a colon and a value")
