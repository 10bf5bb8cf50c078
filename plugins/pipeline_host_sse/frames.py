"""The events of a stream as bytes: pure functions.

Framing follows the HTML standard's section on Server-Sent Events, with line feeds alone. No value
can start a line of its own: ``data`` is JSON, in which line ends are escaped, and an ``id`` holds
only letters, digits and dots.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pipeline_host.cursors import Cursor, Kind
from pipeline_host.emitter import Completion
from pipeline_host.models import Chunk, Model, Process, Status
from pipeline_host.output import MAX_PIECE, split

HEARTBEAT: Final = b"event: heartbeat\ndata: {}\n\n"
OPENING: Final = b": stream\n\n"
"""A comment, so that whatever lies between lets the head of the response through."""

_encode: Final = msgspec.json.Encoder().encode


class ChunkData(Model, frozen=True):
    """A piece of output; ``time``, in milliseconds since 1970, only where it was asked for."""

    content: str
    stream: str | None = None
    time: int | None = None


class StatusData(Model, frozen=True):
    """How a process ended; ``removed`` where it was deleted, then perhaps before it ended."""

    status: Status
    duration: str | None = None
    result: str | None = None
    error: str | None = None
    exit_code: int | None = None
    removed: bool = False

    @classmethod
    def of(cls, process: Process) -> StatusData:
        return cls(
            status=process.status,
            duration=Completion.of(process).duration,
            result=process.result,
            error=process.error,
            exit_code=process.exit_code,
        )


class DoneData(Model, frozen=True):
    process_id: str


class GapData(Model, frozen=True, omit_defaults=False):
    missing_bytes: int


class Frames:
    """The events of one process's stream.

    Args:
        epoch: see :attr:`pipeline_host.store.ProcessStore.epoch`.
        incarnation: see :attr:`pipeline_host.models.OutputBatch.incarnation`.
        times: whether each piece tells when it was written, where the store knows it.
    """

    def __init__(self, epoch: str, incarnation: int, *, times: bool = False) -> None:
        self._epoch = epoch
        self._incarnation = incarnation
        self._times = times
        self._chunk_id = str(Cursor(epoch, incarnation, 0)).removesuffix("0").encode("ascii")

    def chunk(self, chunk: Chunk) -> bytes:
        """One event, or several where the chunk holds more than :data:`MAX_PIECE` bytes."""
        if chunk.length <= MAX_PIECE:
            return self._piece(chunk, chunk.content, chunk.end)
        frames = []
        offset = chunk.offset
        for content in split(chunk.content):
            offset += len(content.encode())
            frames.append(self._piece(chunk, content, offset))
        return b"".join(frames)

    def gap(self, missing: int, offset: int) -> bytes:
        """Says that ``missing`` bytes are gone for good, and that what follows is at ``offset``."""
        return self._event(b"gap", Kind.CHUNK, offset, GapData(missing_bytes=missing))

    def status(self, data: StatusData, offset: int) -> bytes:
        return self._event(b"status", Kind.STATUS, offset, data)

    def done(self, process_id: str, offset: int) -> bytes:
        return self._event(b"done", Kind.END, offset, DoneData(process_id=process_id))

    def _piece(self, chunk: Chunk, content: str, end: int) -> bytes:
        time = (chunk.time or None) if self._times else None
        data = _encode(ChunkData(content=content, stream=chunk.stream, time=time))
        return b"id: %b%d\nevent: chunk\ndata: %b\n\n" % (self._chunk_id, end, data)

    def _event(self, name: bytes, kind: Kind, offset: int, data: Model) -> bytes:
        cursor = str(Cursor(self._epoch, self._incarnation, offset, kind)).encode("ascii")
        return b"id: %b\nevent: %b\ndata: %b\n\n" % (cursor, name, _encode(data))
