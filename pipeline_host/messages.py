"""Changes as the messages that clients are told: pure functions.

Every protocol of live events sends the same JSON objects, so that a client may change the one for
the other: ``type``, what it is about, ``timestamp`` in milliseconds since 1970, and ``seq``.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec.structs import replace

from pipeline_host.models import Change, ChangeKind, Model, ProcessSummary, Workspace

_encode: Final = msgspec.json.Encoder().encode


class ProcessMessage(Model, frozen=True, kw_only=True):
    """A process was added or updated; ``process`` is as it was then."""

    type: ChangeKind
    process: ProcessSummary
    timestamp: int
    seq: int


class RemovedMessage(Model, frozen=True, kw_only=True):
    """One process was removed."""

    type: ChangeKind
    process_id: str
    workspace_id: str | None = None
    timestamp: int
    seq: int


class ClearedMessage(Model, frozen=True, kw_only=True):
    """Several processes were removed at once."""

    type: ChangeKind
    count: int
    process_ids: tuple[str, ...]
    timestamp: int
    seq: int


class WorkspaceMessage(Model, frozen=True, kw_only=True):
    """A workspace was registered, for the first time or again."""

    type: ChangeKind
    workspace: Workspace
    timestamp: int
    seq: int


def matches(change: Change, workspace: str | None) -> Change | None:
    """What of a change concerns a workspace; ``None`` where nothing does.

    All of it concerns whoever asks for no workspace (``None``). Of several processes that were
    removed at once, those of the workspace are left.
    """
    if workspace is None:
        return change
    if change.process is not None:
        return change if change.process.workspace_id == workspace else None
    if change.workspace is not None:
        return change if change.workspace.id == workspace else None
    removed = tuple(one for one in change.removed if one.workspace_id == workspace)
    if len(removed) == len(change.removed):
        return change
    return replace(change, removed=removed) if removed else None


def encode(change: Change) -> bytes:
    """The message that tells a change, as JSON in UTF-8 on one line."""
    return _encode(_message(change))


def _message(change: Change) -> Model:
    kind, timestamp, seq = change.kind, change.timestamp, change.seq
    if change.process is not None:
        return ProcessMessage(type=kind, process=change.process, timestamp=timestamp, seq=seq)
    if change.workspace is not None:
        return WorkspaceMessage(type=kind, workspace=change.workspace, timestamp=timestamp, seq=seq)
    ids = tuple(removed.id for removed in change.removed)
    if kind == "process-removed":
        workspace = change.removed[0].workspace_id
        return RemovedMessage(
            type=kind, process_id=ids[0], workspace_id=workspace, timestamp=timestamp, seq=seq
        )
    return ClearedMessage(type=kind, count=len(ids), process_ids=ids, timestamp=timestamp, seq=seq)
