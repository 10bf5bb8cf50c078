"""What waits to be sent: one record for each kind of request. Pure, and never changed once made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from pipeline_host.client.batch import Chunk

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Register:
    """Make a workspace known: ``{id, name, rootPath, color?}``."""

    kind: ClassVar[str] = "register"
    workspace: Json

    @property
    def process_id(self) -> str | None:
        return None


@dataclass(frozen=True, slots=True)
class Create:
    """Make a process known.

    Attributes:
        process_id: its id, which is in ``process`` too.
        process: the whole process; the same for every repeat.
        fresh: the id was made here, so that no server can know it before this was sent.
    """

    kind: ClassVar[str] = "create"
    process_id: str
    process: Json
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Update:
    """Change some fields of a process."""

    kind: ClassVar[str] = "update"
    process_id: str
    changes: Json


@dataclass(frozen=True, slots=True)
class Output:
    """Add chunks to a process's output."""

    kind: ClassVar[str] = "output"
    process_id: str
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True, slots=True)
class Remove:
    """Forget a process."""

    kind: ClassVar[str] = "remove"
    process_id: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """Ask for a process to be stopped."""

    kind: ClassVar[str] = "cancel"
    process_id: str


Item: TypeAlias = Register | Create | Update | Output | Remove | Cancel


@dataclass(frozen=True, slots=True)
class Drop:
    """Something that was told to the client and won't be sent.

    Attributes:
        item: what it was; None where what the caller gave is nothing that can be sent.
        process_id: the process that it was about; None for a workspace.
        reason: a sentence that says why.
        error: the server's refusal, where that is why.
    """

    item: Item | None
    process_id: str | None
    reason: str
    error: Exception | None = None
