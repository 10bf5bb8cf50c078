"""What clients say and are told, as JSON: pure functions.

What tells of changes is the same in every protocol, see :mod:`pipeline_host.messages`.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from pipeline_host.cursors import Cursor, Kind
from pipeline_host.emitter import Completion
from pipeline_host.models import Chunk, Model, Process, Status
from pipeline_host.output import MAX_PIECE, split
from pipeline_host_websocket.frames import text_frame

_encode: Final = msgspec.json.Encoder().encode


class Command(
    msgspec.Struct, frozen=True, tag=lambda name: name.lower(), tag_field="type", rename="camel"
):
    """The base of what a client may say."""


class Ping(Command, frozen=True):
    """Asks for a ``pong``."""


class Subscribe(Command, frozen=True):
    """Asks for the changes of one workspace, or of all; after ``since``, or from now on."""

    workspace_id: str | None = None
    since: Annotated[int, msgspec.Meta(ge=0)] | None = None


class Follow(Command, frozen=True):
    """Asks for a process's output, after the cursor ``after`` or from its start.

    With ``times``, each piece tells when it was written.
    """

    process_id: str
    after: str | None = None
    times: bool = False


class Unfollow(Command, frozen=True):
    """Asks for no more of a process's output."""

    process_id: str


AnyCommand: TypeAlias = Ping | Subscribe | Follow | Unfollow
_commands: Final[msgspec.json.Decoder[AnyCommand]] = msgspec.json.Decoder(AnyCommand)


def parse(text: bytes) -> AnyCommand | None:
    """What a client said; ``None`` for anything that isn't known, which is to be ignored."""
    try:
        return _commands.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return None


class Welcome(Model, frozen=True, tag="welcome", tag_field="type"):
    client_id: str
    timestamp: int


class Pong(Model, frozen=True, tag="pong", tag_field="type"):
    pass


class Resync(Model, frozen=True, tag="resync", tag_field="type"):
    """Some changes are no longer known: what follows is live, the rest has to be read anew."""


class ChunkMessage(Model, frozen=True, tag="chunk", tag_field="type"):
    """A piece of output; ``time``, in milliseconds since 1970, only where it was asked for."""

    process_id: str
    content: str
    cursor: str
    stream: str | None = None
    time: int | None = None


class GapMessage(Model, frozen=True, tag="gap", tag_field="type"):
    process_id: str
    missing_bytes: int
    cursor: str


class Done(Model, frozen=True, tag="done", tag_field="type"):
    """The end of a process that was followed; ``removed`` where it was deleted.

    One that there isn't has an ``error`` alone.
    """

    process_id: str
    status: Status | None = None
    duration: str | None = None
    result: str | None = None
    error: str | None = None
    exit_code: int | None = None
    removed: bool = False
    cursor: str | None = None

    @classmethod
    def of(cls, process: Process) -> Done:
        """How a process stands."""
        return cls(
            process_id=process.id,
            status=process.status,
            duration=Completion.of(process).duration,
            result=process.result,
            error=process.error,
            exit_code=process.exit_code,
        )


def frame(message: Model) -> bytes:
    """A message as the frame that tells it."""
    return text_frame(_encode(message))


PONG_FRAME: Final = frame(Pong())
RESYNC_FRAME: Final = frame(Resync())


class OutputFrames:
    """One process's output, as frames.

    Args:
        epoch: see :attr:`pipeline_host.store.ProcessStore.epoch`.
        incarnation: see :attr:`pipeline_host.models.OutputBatch.incarnation`.
        times: whether each piece tells when it was written, where the store knows it.
    """

    def __init__(
        self, process_id: str, epoch: str, incarnation: int, *, times: bool = False
    ) -> None:
        self._process_id = process_id
        self._times = times
        self._epoch = epoch
        self._incarnation = incarnation

    def chunk(self, chunk: Chunk) -> bytes:
        """One frame, or several where the chunk holds more than :data:`MAX_PIECE` bytes."""
        frames = []
        offset = chunk.offset
        time = (chunk.time or None) if self._times else None
        for content in (chunk.content,) if chunk.length <= MAX_PIECE else split(chunk.content):
            offset += len(content.encode())
            piece = ChunkMessage(
                process_id=self._process_id,
                content=content,
                stream=chunk.stream,
                cursor=self.cursor(offset),
                time=time,
            )
            frames.append(frame(piece))
        return b"".join(frames)

    def gap(self, missing: int, offset: int) -> bytes:
        """Says that ``missing`` bytes are gone for good, and that what follows is at ``offset``."""
        return frame(
            GapMessage(
                process_id=self._process_id, missing_bytes=missing, cursor=self.cursor(offset)
            )
        )

    def cursor(self, offset: int, kind: Literal[Kind.CHUNK, Kind.END] = Kind.CHUNK) -> str:
        return str(Cursor(self._epoch, self._incarnation, offset, kind))
