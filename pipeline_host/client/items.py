"""What waits to be sent: one record for each kind of request, and how two become one. Pure.

An item is never changed once it is made; whatever a caller gives is copied into it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, TypeAlias

from pipeline_host.client.batch import MAX_BATCH, Chunk, joined, size

Json = Mapping[str, Any]

ENDS: Final = ("completed", "failed", "cancelled")
_RANKS: Final = {"queued": 0, "running": 1} | dict.fromkeys(ENDS, 2)
_MERGED: Final = ("metadata", "cancellation")
"""The fields that the server merges key by key."""

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "status": (str,),
    "result": (str, type(None)),
    "error": (str, type(None)),
    "endTime": (str, type(None)),
    "structuredResult": (str, type(None)),
    "metadata": (Mapping, type(None)),
    "exitCode": (int, type(None)),
    "cancellation": (Mapping, type(None)),
}
CHANGEABLE: Final = frozenset(_TYPES)
"""The fields of a process that can be changed after it was created."""


@dataclass(frozen=True, slots=True)
class Register:
    """Make a workspace known: ``{id, name, rootPath, color?}``."""

    kind: ClassVar[str] = "register"
    workspace: Json

    @property
    def process_id(self) -> None:
        """A workspace is no process."""
        return


@dataclass(frozen=True, slots=True)
class Create:
    """Make a process known.

    Attributes:
        process_id: its id, which is in ``process`` too.
        process: the whole process, the same for every repeat.
        fresh: the id was made here, so no server can know it before this was sent.
        exclusive: where the server knows another process by this id, that one is to be left alone.
    """

    kind: ClassVar[str] = "create"
    process_id: str
    process: Json
    fresh: bool = False
    exclusive: bool = False


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
    """Something that was told to the client and isn't sent.

    Where more is dropped than can be told at once, one stands for several.

    Attributes:
        item: what it was; None where the caller gave nothing that could be sent, or where this
            stands for all kinds. It is without content where it stands for several of its kind.
        process_id: the process that it was about; None for a workspace, and for several.
        reason: a sentence that says why.
        error: the server's refusal, or what was wrong with what the caller gave.
        count: for how many this stands.
        output_bytes: how much output they had, in UTF-8 bytes.
    """

    item: Item | None
    process_id: str | None
    reason: str
    error: Exception | None = None
    count: int = 1
    output_bytes: int = 0


def lane(item: Item) -> str:
    """What has to be sent in order with it: all that is of one process, or of one workspace."""
    if isinstance(item, Register):
        return f"workspace {item.workspace.get('id')}"
    return f"process {item.process_id}"


def weight(item: Item) -> int:
    """How many bytes it takes, about."""
    match item:
        case Output(_, chunks):
            return sum(map(size, chunks))
        case Register(value) | Create(_, value) | Update(_, value):
            return _weight(value)
    return 0


def merged(first: Item, second: Item) -> Item | None:
    """One item that does what both do, one after the other; None where there is none.

    Of two changes of a field the later one counts, ``metadata`` is merged key by key. What the
    server would refuse is left by itself, so that it takes nothing else with it.
    """
    match first, second:
        case Update(name, before), Update(_, after):
            changes = _merged_changes(before, after)
            return None if changes is None else Update(name, changes)
        case Output(name, before), Output(_, after):
            chunks = (*before, *after)
            fits = sum(map(size, chunks)) <= MAX_BATCH
            return Output(name, tuple(joined(chunks))) if fits else None
        case Register(), Register():
            return second
        case Cancel(), Cancel():
            return first
    return None


def overtakes(item: Item, other: Item) -> bool:
    """Whether ``item`` may be sent before ``other``, which was put before it.

    Output and what is told beside it have no order on the server, as long as nothing of it is
    about the process's status or end: no output is taken after that.
    """
    match item, other:
        case (Update(_, changes), Output()) | (Output(), Update(_, changes)):
            return changes.keys().isdisjoint(("status", "endTime"))
    return False


def is_end(item: Item) -> bool:
    """Whether it ends its process."""
    if not isinstance(item, Update):
        return False
    return item.changes.get("status") in ENDS or item.changes.get("endTime") is not None


def to_json(item: Item) -> dict[str, Any]:
    """An item as it is kept on disk."""
    match item:
        case Register(workspace):
            fields: dict[str, Any] = {"workspace": workspace}
        case Create(name, process, fresh, exclusive):
            fields = {"id": name, "process": process, "fresh": fresh, "exclusive": exclusive}
        case Update(name, changes):
            fields = {"id": name, "changes": changes}
        case Output(name, chunks):
            fields = {"id": name, "chunks": chunks}
        case Remove(name) | Cancel(name):
            fields = {"id": name}
    return {"kind": item.kind, **fields}


def from_json(value: Json) -> Item:
    """The item that :func:`to_json` made this of.

    Raises:
        ValueError: it made this of none.
    """
    try:
        match value["kind"]:
            case "register":
                return Register(value["workspace"])
            case "create":
                # Older spools don't say: all were, then.
                exclusive = value.get("exclusive", True)
                return Create(value["id"], value["process"], value["fresh"], exclusive)
            case "update":
                return Update(value["id"], value["changes"])
            case "output":
                return Output(value["id"], tuple(value["chunks"]))
            case "remove":
                return Remove(value["id"])
            case "cancel":
                return Cancel(value["id"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"no item: {value!r}") from error
    raise ValueError(f"no item: {value!r}")


def _merged_changes(before: Json, after: Json) -> Json | None:
    if not (_sound(before) and _sound(after) and _moves(before.get("status"), after.get("status"))):
        return None
    changes = {**before, **after}
    for name in _MERGED:
        if name in before and after.get(name) is not None:
            if before[name] is None:
                return None  # to clear it and then to set some keys takes two requests
            changes[name] = {**before[name], **after[name]}
    return changes


def _sound(changes: Json) -> bool:
    return all(
        isinstance(value, _TYPES[name]) and not isinstance(value, bool)
        for name, value in changes.items()
        if name in CHANGEABLE
    )


def _moves(before: str | None, after: str | None) -> bool:
    """Whether the server would take both statuses in turn."""
    if not {before, after} <= {None, *_RANKS}:
        return False
    if before is None or after is None or before == after:
        return True
    return _RANKS[before] < _RANKS[after]


def _weight(value: object) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(len(key) + _weight(each) for key, each in value.items()) + 2
    if isinstance(value, list | tuple):
        return sum(map(_weight, value)) + 2
    return 8
