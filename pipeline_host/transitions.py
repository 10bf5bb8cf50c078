"""What may become of a process: the rules of its life, as pure functions.

A store calls these where its lock is (see :meth:`pipeline_host.store.ProcessStore.update`), so
that every store has the same rules and none has to write them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from pipeline_host import leases
from pipeline_host.errors import Conflict, InvalidInput, TerminalState
from pipeline_host.models import (
    TERMINAL,
    Cancellation,
    CancellationPatch,
    Process,
    ProcessPatch,
    Status,
    Timestamp,
)
from pipeline_host.times import now, now_ms, parse_duration, timestamp, to_ms

Mutation: TypeAlias = Callable[[Process], Process]
"""What :meth:`ProcessStore.update` applies; it may raise to refuse, and may be called again."""

_RANK: Final[dict[Status, int]] = {
    "queued": 0,
    "running": 1,
    "completed": 2,
    "failed": 2,
    "cancelled": 2,
}
_WORKSPACE_ID: Final = "workspaceId"
_WORKSPACE_NAME: Final = "workspaceName"
_encoder: Final = msgspec.json.Encoder(order="deterministic")


def same(old: object, new: object) -> bool:
    """Whether two values are the same on the wire; to Python ``1``, ``1.0`` and ``True`` are."""
    return old == new and _encoder.encode(old) == _encoder.encode(new)


def fingerprint(process: Process) -> str:
    """Tells whether two creates are the same; computed before the server fills anything in."""
    return hashlib.blake2b(_encoder.encode(process), digest_size=16).hexdigest()


def created(process: Process) -> Process:
    """The process as it is stored when it is new.

    One that already ended gets an end time, and a lease that was asked for begins.
    """
    process = leases.granted(process, now_ms())
    if process.terminal and process.end_time is None:
        return replace(process, end_time=now())
    return process


def check_move(old: Status, new: Status) -> None:
    """Refuse a status that would go back, or change after the end.

    Raises:
        TerminalState: the process has ended with another status.
        Conflict: a running process can't be queued again.
    """
    if old == new:
        return
    if old in TERMINAL:
        raise TerminalState(old)
    if _RANK[new] < _RANK[old]:
        raise Conflict(f"status: expected a status after {old}, but got {new}")


def patch(changes: ProcessPatch) -> Mutation:
    """The mutation that a PATCH asks for: see :func:`patched`."""
    return lambda process: patched(process, changes)


def patched(process: Process, changes: ProcessPatch) -> Process:
    """``process`` with ``changes``; the same object where nothing changes.

    Raises:
        Conflict: the status can't move there.
        InvalidInput: a cancellation's outcome is told, but the process was never cancelled.
    """
    fields: dict[str, Any] = {
        name: value
        for name in ("result", "error", "end_time", "structured_result", "exit_code")
        if (value := getattr(changes, name)) is not UNSET
    }
    if changes.status is not UNSET:
        check_move(process.status, changes.status)
        fields["status"] = changes.status
    ended = fields.get("status", process.status) in TERMINAL
    if ended and fields.get("end_time", process.end_time) is None:
        fields["end_time"] = process.end_time or now()
    if changes.metadata is not UNSET:
        fields["metadata"] = _merged_metadata(process.metadata, changes.metadata)
    if changes.cancellation is not UNSET:
        fields["cancellation"] = _merged_cancellation(process.cancellation, changes.cancellation)
    after = replace(process, **fields)
    return process if same(process, after) else after


def cancelled(process: Process) -> Process:
    """The mutation of a cancel.

    Raises:
        TerminalState: the process has ended, by a cancel too: exactly one cancel succeeds.
    """
    if process.terminal:
        raise TerminalState(process.status)
    moment = now()
    return replace(
        process,
        status="cancelled",
        end_time=process.end_time or moment,
        cancellation=Cancellation(requested_time=moment),
    )


def completed(status: Status, duration: str | None = None) -> Mutation:
    """The mutation that ends a process with ``status``, after ``duration`` where that is told.

    Raises:
        ValueError: ``status`` is not terminal, or ``duration`` is not a text like ``2m 34s``.
    """
    if status not in TERMINAL:
        raise ValueError(f"status: expected one of {', '.join(sorted(TERMINAL))}, got {status!r}")
    length = None if duration is None else parse_duration(duration)

    def complete(process: Process) -> Process:
        end = None if length is None else timestamp(to_ms(process.start_time) + length)
        return patched(process, ProcessPatch(status=status, end_time=UNSET if end is None else end))

    return complete


def reported(mutate: Mutation) -> Mutation:
    """The same mutation, made by the process's reporter: that it is heard from renews its lease."""
    return lambda process: leases.renewed(mutate(process), now_ms())


def heartbeat(process: Process) -> Process:
    """The mutation of a reporter that only says that it is still there.

    Raises:
        TerminalState: the process has ended.
    """
    if process.terminal:
        raise TerminalState(process.status)
    return leases.renewed(process, now_ms())


def expired(process: Process) -> Process:
    """The mutation that fails a process whose lease has ended; else it is left as it is."""
    return leases.failed(process, now_ms())


def _merged_metadata(
    old: dict[str, Any] | None, new: dict[str, Any] | None
) -> dict[str, Any] | None:
    """Merge key by key; ``null`` clears a key, and all of them, but never the workspace."""
    old = old or {}
    kept = _kept_of_workspace(old, new or {})
    if new is None:
        return kept or None
    given = {key: value for key, value in new.items() if value is not None} | kept
    cleared = new.keys() - given.keys()
    return {key: value for key, value in (old | given).items() if key not in cleared}


def _kept_of_workspace(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """A process stays in its workspace: who follows the one would never be told that it has left
    for another. One that is in none may get another name, with its first workspace or before.
    """
    keys = [_WORKSPACE_ID, _WORKSPACE_NAME]
    if old.get(_WORKSPACE_ID) is None and new.get(_WORKSPACE_NAME) is not None:
        return {}
    return {key: old[key] for key in keys if old.get(key) is not None}


def _merged_cancellation(
    old: Cancellation | None, new: CancellationPatch | None
) -> Cancellation | None:
    if new is None:
        return None
    requested = new.requested_time or (old.requested_time if old else None)
    if requested is None:
        raise InvalidInput.field("cancellation.requestedTime", "a time")
    outcome = new.outcome or (old.outcome if old else None)
    told: Timestamp | None = new.outcome_time or (old.outcome_time if old else None)
    if outcome and told is None:
        told = now()
    return Cancellation(requested_time=requested, outcome=outcome, outcome_time=told)
