"""Reading a ``Range`` header for one range of bytes (RFC 9110, sections 14.1.2 and 14.2). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar, Final

from pipeline_host.errors import PipelineHostError

_ONE_RANGE: Final = re.compile(
    r"bytes=[ \t]*(?P<first>\d{0,100})-(?P<last>\d{0,100})[ \t]*", re.ASCII | re.IGNORECASE
)


class RangeNotSatisfiable(PipelineHostError):
    """No byte of the range that was asked for is there."""

    status: ClassVar[HTTPStatus] = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE


@dataclass(frozen=True)
class Span:
    """The bytes from ``first`` up to, not including, ``end``."""

    first: int
    end: int


def requested_span(header: str | None, start: int, end: int) -> Span | None:
    """What to send of something that has the bytes from ``start`` up to ``end``.

    ``start`` is above 0 where the head is gone; what a range asks for before it is left out, which
    RFC 9110 allows (section 15.3.7), since the answer says what it holds.

    Args:
        header: the value of ``Range``, if there is one.
        start: the offset of the first byte that is still there.
        end: the length of the whole, the lost head included.

    Returns:
        The span, or ``None`` for all of it: where there is no ``Range``, or one that a server
        ignores (malformed, of another unit, of several ranges).

    Raises:
        RangeNotSatisfiable: none of the bytes that were asked for is there.
    """
    found = _ONE_RANGE.fullmatch(header) if header else None
    if found is None:
        return None
    first, last = found["first"], found["last"]
    if not first:
        return _suffix(last, start, end)
    if last and int(last) < int(first):
        return None
    wanted_end = min(int(last) + 1, end) if last else end
    return _span(max(int(first), start), wanted_end, end)


def _suffix(length: str, start: int, end: int) -> Span | None:
    if not length or (start == end and int(length)):
        # "bytes=-" is malformed. The last bytes of nothing are nothing, and that is all of it.
        return None
    return _span(max(end - int(length), start), end, end)


def _span(first: int, end: int, length: int) -> Span:
    if first >= end:
        raise RangeNotSatisfiable(f"Range: expected bytes that are there, of {length}")
    return Span(first, end)
