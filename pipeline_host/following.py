"""Following a process's output: where it begins, and how it goes on from one read to the next.

Pure functions, for whatever protocol encodes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pipeline_host.cursors import Cursor, Kind, parse
from pipeline_host.errors import InvalidInput
from pipeline_host.models import Chunk, OutputBatch
from pipeline_host.output import rest_of


class Frames(Protocol):
    """One process's output, as one protocol encodes it."""

    def chunk(self, chunk: Chunk) -> bytes:
        """A piece of output."""

    def gap(self, missing: int, offset: int) -> bytes:
        """Says that ``missing`` bytes are gone for good, and that what follows is at ``offset``."""


@dataclass(frozen=True)
class Start:
    """Where a stream begins.

    Attributes:
        offset: the byte of the output that comes first.
        missing: how many bytes to tell as gone for good before that; ``None`` to tell nothing.
        after: what the client has seen already: ``STATUS`` leaves only ``done`` to tell, ``END``
            nothing at all.
    """

    offset: int
    missing: int | None = None
    after: Kind = Kind.CHUNK


def read_from(given: str) -> int:
    """From where to read the output to know whether the cursor ``given`` is good."""
    cursor = parse(given)
    return 0 if cursor is None else cursor.offset


def is_end(given: str, epoch: str) -> bool:
    """Whether ``given`` is the end of a stream of these data, whatever became of its process."""
    cursor = parse(given)
    return cursor is not None and cursor.kind is Kind.END and cursor.epoch == epoch


def begin(given: str, epoch: str, batch: OutputBatch, *, replay: bool = True) -> Start:
    """Where the stream begins for a client that has seen ``given``.

    Args:
        given: the id of the last event that the client has seen; empty if none.
        epoch: of the store.
        batch: the output, read from :func:`read_from`; one chunk of it is enough.
        replay: whether to tell what is there already; a cursor counts for more.
    """
    if not given:
        offset = batch.start if replay else batch.end
        return Start(offset, missing=batch.start or None if replay else None)
    cursor = parse(given)
    if cursor is None or not _is_known(cursor, epoch, batch):
        return Start(batch.start, missing=batch.start)
    return Start(cursor.offset, after=cursor.kind)


def begin_at(offset: int, batch: OutputBatch) -> Start:
    """Where the stream begins for a client that has the output up to a byte.

    Args:
        offset: that byte's place in the output.
        batch: the output, read from there; one chunk of it is enough.

    Raises:
        InvalidInput: there is no such place.
    """
    if offset > batch.end:
        raise InvalidInput.field("from", f"at most {batch.end}, the length of the output")
    if _splits_character(offset, batch):
        raise InvalidInput.field("from", "the place of a character's first byte")
    if offset < batch.start:
        return Start(batch.start, missing=batch.start - offset)
    return Start(offset)


def _is_known(cursor: Cursor, epoch: str, batch: OutputBatch) -> bool:
    """Whether a cursor was given out for this process, as far as can be told."""
    if cursor.epoch != epoch:
        return False
    if cursor.incarnation != batch.incarnation:
        return cursor.kind is Kind.END
    if cursor.kind is not Kind.CHUNK:
        return batch.sealed and cursor.offset == batch.end
    return cursor.offset <= batch.end and not _splits_character(cursor.offset, batch)


def _splits_character(offset: int, batch: OutputBatch) -> bool:
    for chunk in batch.chunks[:1]:
        if chunk.offset < offset < chunk.end:
            return chunk.content.encode()[offset - chunk.offset] & 0xC0 == 0x80
    return False


def advance(frames: Frames, offset: int, batch: OutputBatch) -> tuple[bytes, int]:
    """The events of the output in ``batch`` from ``offset`` on, and the offset after them.

    What is missing between the two, dropped by retention or lost to damage, is told as a gap.
    """
    events = []
    for chunk in batch.chunks:
        if chunk.offset > offset:
            events.append(frames.gap(chunk.offset - offset, chunk.offset))
        fresh = rest_of(chunk, offset)
        if fresh.length:
            events.append(frames.chunk(fresh))
        offset = chunk.end
    if not batch.chunks and offset < batch.end:
        events.append(frames.gap(batch.end - offset, batch.end))
        offset = batch.end
    return b"".join(events), offset
