"""Reading the body of a request, within its limits."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, Protocol

import falcon

from pipeline_host.errors import BodyTimeout, BodyTooLarge, InvalidInput, UnsupportedContent
from pipeline_host.wire import decode_object

if TYPE_CHECKING:
    from pipeline_host.config import Settings

HOST_KEY: Final = "pipeline_host.host"
"""Where the WSGI environment has the :class:`~pipeline_host.host.Host` that serves it."""
INPUT_KEY: Final = "pipeline_host.input"
"""Where our own worker puts a :class:`BodyInput`."""
PIECE: Final = 64 * 1024

_JSON: Final = re.compile(r"application/(?:[\w!#$&^.+-]+\+)?json\s*(?:;.*)?", re.IGNORECASE)


class BodyInput(Protocol):
    """A request's body as our own worker offers it."""

    def read1(self, size: int, /) -> bytes:
        """What has arrived, at most ``size`` bytes, waiting for some; ``b""`` at the end.

        Raises:
            TimeoutError: the deadline is over.
        """

    def deadline(self, seconds: float | None, /) -> None:
        """Let the reads that follow wait for so long in all; ``None`` for ever."""


def read_json(req: falcon.Request) -> dict[str, Any]:
    """The JSON object in the body of a request.

    Raises:
        UnsupportedContent: it isn't declared as JSON, or is compressed.
        BodyTooLarge: it is larger than the setting ``max_body``.
        BodyTimeout: it stopped arriving.
        InvalidInput: it isn't a JSON object, or ended early.
    """
    if not _JSON.fullmatch(req.env.get("CONTENT_TYPE", "")):
        raise UnsupportedContent("Content-Type: expected application/json")
    check_encoding(req)
    return decode_object(_read_all(req, req.env[HOST_KEY].settings))


def iter_body(req: falcon.Request) -> Iterator[bytes]:
    """The body of a request as it arrives, in pieces of at most 64 KiB, however long that takes.

    One of declared length has to go on arriving, within the setting ``body_timeout``; one that is
    sent in chunks is made as it is sent, and may be silent for hours.

    Raises:
        UnsupportedContent: it is compressed.
        BodyTimeout: it stopped arriving.
        InvalidInput: it ended early.
    """
    check_encoding(req)
    read, deadline = _reader(req, PIECE)
    if _content_length(req) is None:
        deadline(None)
    while piece := _read(read, PIECE):
        yield piece


def check_encoding(req: falcon.Request) -> None:
    """Refuse a compressed body: none is needed here, and a small one can become a huge one.

    Raises:
        UnsupportedContent: it has a content coding other than ``identity``.
    """
    coding = req.env.get("HTTP_CONTENT_ENCODING", "identity")
    if coding.strip().lower() != "identity":
        raise UnsupportedContent(f"Content-Encoding: expected none, got {coding}")


def _read_all(req: falcon.Request, settings: Settings) -> bytes:
    limit = settings.max_body
    declared = _content_length(req)
    if declared is not None and declared > limit:
        raise _too_large(limit)
    read, deadline = _reader(req, limit + 1)
    body = bytearray()
    allowed = 0
    while len(body) <= limit:
        if len(body) >= allowed:
            # A slow sender gets more time by the piece, not by the byte.
            allowed = len(body) + PIECE
            deadline(settings.body_timeout)
        piece = _read(read, min(PIECE, limit + 1 - len(body)))
        if not piece:
            deadline(None)
            return bytes(body)
        body += piece
    raise _too_large(limit)


def _read(read: Callable[[int], bytes], size: int) -> bytes:
    try:
        return read(size)
    except TimeoutError:
        raise BodyTimeout("The request's body stopped arriving") from None
    except (OSError, EOFError) as error:
        raise InvalidInput("The request's body ended before it was complete") from error


def _reader(
    req: falcon.Request, limit: int
) -> tuple[Callable[[int], bytes], Callable[[float | None], None]]:
    """How to read the body, and how to set a deadline for it."""
    offered: BodyInput | None = req.env.get(INPUT_KEY)
    if offered is not None:
        return offered.read1, offered.deadline
    declared = _content_length(req)
    if declared is None and not req.env.get("wsgi.input_terminated"):
        declared = 0
    stream = req.env["wsgi.input"]
    # ``read`` would wait for all of it; a line is the least that every WSGI server can give.
    read1 = getattr(stream, "read1", None) or stream.readline
    return _Bounded(read1, declared).read, lambda seconds: None


class _Bounded:
    """Reads a body of known length, and nothing that follows it on the connection."""

    def __init__(self, read1: Callable[[int], bytes], length: int | None) -> None:
        self._read1 = read1
        self._left = length

    def read(self, size: int) -> bytes:
        if self._left is None:
            return self._read1(size)
        if not self._left:
            return b""
        piece = self._read1(min(size, self._left))
        if not piece:
            raise EOFError
        self._left -= len(piece)
        return piece


def _content_length(req: falcon.Request) -> int | None:
    text = req.env.get("CONTENT_LENGTH") or ""
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise InvalidInput.field("Content-Length", "a number of bytes")
    return int(text)


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"The request's body is too large: expected at most {limit} bytes")
