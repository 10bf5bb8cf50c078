"""From the chunks of an output to the bytes of a download. No I/O of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from pipeline_host.errors import NotFound
from pipeline_host.models import Chunk, OutputBatch
from pipeline_host_rest.ranges import Span

_REPLACEMENT: Final = "\ufffd".encode()
_MAX_FILL: Final = 64 * 1024


def pieces(read: Callable[[int], OutputBatch], batch: OutputBatch, span: Span) -> Iterator[bytes]:
    """Exactly the bytes of ``span``, batch by batch, so that memory stays flat.

    Bytes that the store lost to damage, or dropped meanwhile, are sent as U+FFFD (and ``?`` for the
    rest): all that follows stays in its place, and as many bytes are sent as were promised.

    Args:
        read: gives the output from an offset on.
        batch: what ``read`` gave for the span's beginning.
        span: which bytes.

    Raises:
        NotFound: the process is gone, or another has its id now.
    """
    position = span.first
    while position < span.end:
        rest = Span(position, span.end)
        piece = _stored(batch, rest) or _lost(batch, rest)
        yield piece
        position += len(piece)
        if position < span.end:
            batch = same_process(batch, read(position))


def same_process(before: OutputBatch, after: OutputBatch) -> OutputBatch:
    """``after``, if it is of the same process.

    Raises:
        NotFound: that process is gone, and another has its id.
    """
    if after.incarnation != before.incarnation:
        raise NotFound
    return after


def _stored(batch: OutputBatch, span: Span) -> bytes:
    """What a batch holds of a span from its beginning on, up to the first gap."""
    position = span.first
    found = []
    for chunk in batch.chunks:
        if chunk.offset <= position < min(chunk.end, span.end):
            found.append(_cut(chunk, position, span.end))
            position += len(found[-1])
    return b"".join(found)


def _cut(chunk: Chunk, first: int, end: int) -> bytes:
    data = chunk.content.encode()
    if chunk.offset < first or chunk.end > end:
        return data[first - chunk.offset : end - chunk.offset]
    return data


def _lost(batch: OutputBatch, span: Span) -> bytes:
    """Something for the gap at a span's beginning: up to the next chunk, or all of the span."""
    following = (chunk.offset for chunk in batch.chunks if chunk.offset > span.first)
    size = min(next(following, span.end), span.end, span.first + _MAX_FILL) - span.first
    return _REPLACEMENT * (size // len(_REPLACEMENT)) + b"?" * (size % len(_REPLACEMENT))
