"""The things pipeline_host stores and tells of, as immutable, typed values.

Attribute names are Python's; on the wire (and in a store's files) the same names are camelCase.
An optional field that has no value is ``None`` here and is left out there.
These types are trusted once built: whatever comes from outside goes through
:mod:`pipeline_host.wire` first.
"""

from __future__ import annotations

from typing import Any, Final, Literal, NewType, TypeAlias

import msgspec

Timestamp = NewType("Timestamp", str)
"""A moment in UTC with milliseconds, ``2026-11-22T07:00:00.000Z``; sorts as text in time order."""

Status: TypeAlias = Literal["queued", "running", "completed", "failed", "cancelled"]
STATUSES: Final[tuple[Status, ...]] = ("queued", "running", "completed", "failed", "cancelled")
TERMINAL: Final[frozenset[Status]] = frozenset({"completed", "failed", "cancelled"})

Outcome: TypeAlias = Literal["terminated", "killed", "ignored"]
ChangeKind: TypeAlias = Literal[
    "process-added",
    "process-updated",
    "process-removed",
    "processes-cleared",
    "workspace-registered",
]
Order: TypeAlias = Literal["asc", "desc"]

DEFAULT_TYPE: Final = "clarification"
MAX_ID_LENGTH: Final = 200
MAX_LIMIT: Final = 1000
DEFAULT_LIMIT: Final = 50


class Model(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The base of all values on the wire: immutable, camelCase outside, nothing where unset."""


class Cancellation(Model, frozen=True):
    """What became of a request to stop a process; ``outcome`` is added by its reporter."""

    requested_time: Timestamp
    outcome: Outcome | None = None
    outcome_time: Timestamp | None = None


class Lease(Model, frozen=True):
    """A reporter's promise to be heard from again within ``seconds``, next by ``expires``.

    The store sets ``expires`` when it keeps a new process. See :mod:`pipeline_host.leases`.
    """

    seconds: float
    expires: Timestamp | None = None


class ProcessSummary(Model, frozen=True):
    """The part of a process that lists and live events tell: no prompt, no result."""

    id: str
    prompt_preview: str
    status: Status
    type: str
    start_time: Timestamp
    end_time: Timestamp | None = None
    error: str | None = None
    workspace_id: str | None = None
    parent_process_id: str | None = None


class Process(Model, frozen=True):
    """One run of an agent, a review, a pipeline or a command, as its reporter tells it.

    ``metadata["workspaceId"]`` is where a process's workspace is kept (see :attr:`workspace_id`).
    The ``…_metadata`` fields and unknown keys inside them are kept as they were sent.
    """

    id: str
    type: str
    prompt_preview: str
    full_prompt: str
    status: Status
    start_time: Timestamp
    end_time: Timestamp | None = None
    error: str | None = None
    result: str | None = None
    structured_result: str | None = None
    result_file_path: str | None = None
    raw_stdout_file_path: str | None = None
    parent_process_id: str | None = None
    sdk_session_id: str | None = None
    backend: str | None = None
    working_directory: str | None = None
    metadata: dict[str, Any] | None = None
    group_metadata: dict[str, Any] | None = None
    code_review_metadata: dict[str, Any] | None = None
    discovery_metadata: dict[str, Any] | None = None
    code_review_group_metadata: dict[str, Any] | None = None
    exit_code: int | None = None
    cancellation: Cancellation | None = None
    lease: Lease | None = None

    @property
    def terminal(self) -> bool:
        """Whether the process has ended; its status never changes again."""
        return self.status in TERMINAL

    @property
    def workspace_id(self) -> str | None:
        return None if self.metadata is None else self.metadata.get("workspaceId")

    @property
    def workspace_name(self) -> str | None:
        name = None if self.metadata is None else self.metadata.get("workspaceName")
        return name if isinstance(name, str) else None

    def summary(self) -> ProcessSummary:
        return ProcessSummary(
            id=self.id,
            prompt_preview=self.prompt_preview,
            status=self.status,
            type=self.type,
            start_time=self.start_time,
            end_time=self.end_time,
            error=self.error,
            workspace_id=self.workspace_id,
            parent_process_id=self.parent_process_id,
        )


class ProcessPatch(Model, frozen=True):
    """The fields a PATCH may change; unset ones stay, ``None`` clears an optional one.

    ``metadata`` and ``cancellation`` are merged key by key. See :func:`transitions.patched`.
    """

    status: Status | msgspec.UnsetType = msgspec.UNSET
    result: str | msgspec.UnsetType | None = msgspec.UNSET
    error: str | msgspec.UnsetType | None = msgspec.UNSET
    end_time: Timestamp | msgspec.UnsetType | None = msgspec.UNSET
    structured_result: str | msgspec.UnsetType | None = msgspec.UNSET
    metadata: dict[str, Any] | msgspec.UnsetType | None = msgspec.UNSET
    exit_code: int | msgspec.UnsetType | None = msgspec.UNSET
    cancellation: CancellationPatch | msgspec.UnsetType | None = msgspec.UNSET


class CancellationPatch(Model, frozen=True):
    """What a reporter adds to a cancellation."""

    requested_time: Timestamp | None = None
    outcome: Outcome | None = None
    outcome_time: Timestamp | None = None


class Workspace(Model, frozen=True):
    """A folder that processes belong to, registered by the editor that has it open."""

    id: str
    name: str
    root_path: str
    color: str | None = None


class Chunk(Model, frozen=True):
    """A piece of output, written at once.

    Attributes:
        content: the text, never empty in a store.
        stream: where it came from, ``stdout`` or ``stderr`` by custom; ``None`` where not told.
        offset: where it begins in the process's output, in UTF-8 bytes; set by the store.
        length: its size in UTF-8 bytes; set by the store.
        time: when the store took it, milliseconds since 1970; set by the store.
    """

    content: str
    stream: str | None = None
    offset: int = 0
    length: int = 0
    time: int = 0

    @property
    def end(self) -> int:
        return self.offset + self.length


class OutputBatch(Model, frozen=True):
    """Part of a process's output, from :meth:`ProcessStore.read_output`.

    Attributes:
        chunks: in order, without gaps except where bytes were lost to damage. The first may begin
            before the offset that was asked for, when that lies within it.
        start: the offset of the first byte still kept; above 0 where retention dropped the head.
        end: the length of the whole output when this was read, in UTF-8 bytes.
        sealed: the process had ended before this was read, so ``end`` is final.
        incarnation: tells apart processes that had the same id one after the other.
    """

    chunks: tuple[Chunk, ...]
    start: int
    end: int
    sealed: bool
    incarnation: int


class ProcessFilter(Model, frozen=True):
    """Which processes, in which order, which page of them; every condition given must hold.

    ``since`` is inclusive and compares start times, ``q`` is found (case ignored) in id, preview
    or prompt. Order is by start time, then by creation. ``cursor`` is a page's ``next_cursor``.
    """

    workspace: str | None = None
    statuses: tuple[Status, ...] | None = None
    type: str | None = None
    since: Timestamp | None = None
    parent: str | None = None
    q: str | None = None
    order: Order = "asc"
    limit: int = DEFAULT_LIMIT
    offset: int = 0
    cursor: str | None = None


class Page(Model, frozen=True):
    """One page of a list; ``total`` counts all that match, ``next_cursor`` is there if more do."""

    processes: tuple[Process, ...]
    total: int
    limit: int
    offset: int
    next_cursor: str | None = None


class WorkspaceCount(Model, frozen=True):
    workspace_id: str
    name: str
    count: int


class Stats(Model, frozen=True):
    """Counts of all processes; ``by_status`` always has all five."""

    total_processes: int
    by_status: dict[str, int]
    by_workspace: tuple[WorkspaceCount, ...]


class Removed(Model, frozen=True):
    """What is still known of a removed process: enough to tell its followers."""

    id: str
    status: Status
    workspace_id: str | None = None


class Change(Model, frozen=True):
    """One numbered change to processes or workspaces.

    ``seq`` strictly rises and is the same for every reader; ``timestamp`` is milliseconds since
    1970. ``process`` is set for added and updated, ``removed`` for removed (one) and cleared,
    ``workspace`` for registered.
    """

    seq: int
    kind: ChangeKind
    timestamp: int
    process: ProcessSummary | None = None
    removed: tuple[Removed, ...] = ()
    workspace: Workspace | None = None


class ChangeBatch(Model, frozen=True):
    """Changes after a number; ``resync`` says that some before the first are no longer known.

    ``last`` is the newest change number of all, whether it is in this batch or not.
    """

    changes: tuple[Change, ...]
    last: int
    resync: bool = False


class Added(Model, frozen=True):
    """What :meth:`ProcessStore.add` did: ``created`` is false for a repeat of the same create."""

    process: Process
    created: bool
