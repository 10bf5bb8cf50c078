"""The rows of the list: processes in short, those that belong to another one under that one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from pipeline_host.errors import NotFound
from pipeline_host.models import (
    STATUSES,
    Model,
    Process,
    ProcessFilter,
    ProcessSummary,
    Timestamp,
)
from pipeline_host.store import ProcessStore

SHOWN: Final = 300
"""How many characters of a text a row has."""
_PAGES: Final = 10
_GENERATIONS: Final = 32


class Row(ProcessSummary, frozen=True):
    """A process in the list; ``children`` counts them by status, if there are any."""

    workspace_name: str | None = None
    exit_code: int | None = None
    children: Mapping[str, int] | None = None


class Rows(Model, frozen=True):
    """Some rows.

    Attributes:
        processes: the rows.
        total: how many processes match in all, those under others too.
        reached: the start of the last process that was looked at for this page.
        next_cursor: where the next page begins, if there is one.
    """

    processes: Sequence[Row]
    total: int | None = None
    reached: Timestamp | None = None
    next_cursor: str | None = None


def page(store: ProcessStore, query: ProcessFilter) -> Rows:
    """One page of all that match."""
    found = store.list(query)
    return Rows(
        processes=[row(store, process) for process in found.processes],
        total=found.total,
        reached=_last_start(found.processes),
        next_cursor=found.next_cursor,
    )


def top_page(store: ProcessStore, query: ProcessFilter) -> Rows:
    """One page of those that match and don't belong to another process there is.

    It may have fewer rows than were asked for, even none, while more follow: a page shall not take
    long where thousands belong to one.
    """
    ancestry = Ancestry(store, query.workspace)
    rows: list[Row] = []
    total: int | None = None
    reached: Timestamp | None = None
    for _ in range(_PAGES):
        found = store.list(query)
        total = found.total if total is None else total
        reached = _last_start(found.processes) or reached
        rows += [row(store, p) for p in found.processes if not ancestry.is_below(p)]
        query = replace(query, cursor=found.next_cursor)
        if found.next_cursor is None or len(rows) >= query.limit // 2:
            break
    return Rows(processes=rows, total=total, reached=reached, next_cursor=query.cursor)


def named(store: ProcessStore, ids: Iterable[str], q: str | None = None) -> Rows:
    """The processes with these ids, as far as there are such, and the text ``q`` is in them."""
    rows = []
    for process_id in ids:
        try:
            process = store.get(process_id)
        except NotFound:
            continue
        if not q or _mentions(process, q.casefold()):
            rows.append(row(store, process))
    return Rows(processes=rows)


def _mentions(process: Process, text: str) -> bool:
    texts = (process.id, process.prompt_preview, process.full_prompt)
    return any(text in candidate.casefold() for candidate in texts)


def counts(store: ProcessStore, query: ProcessFilter) -> Mapping[str, int]:
    """How many match, by status; the query's own statuses don't count."""
    queries = (replace(query, statuses=(status,), limit=0) for status in STATUSES)
    return {status: store.list(one).total for status, one in zip(STATUSES, queries, strict=True)}


class Ancestry:
    """Whether processes belong to others: asked for once for each parent.

    Args:
        workspace: a parent that is of another one doesn't count, as it isn't listed.
    """

    def __init__(self, store: ProcessStore, workspace: str | None) -> None:
        self._store = store
        self._workspace = workspace
        self._parents: dict[str, Process | None] = {}

    def is_below(self, process: Process) -> bool:
        """Whether the process has a parent in the list, and isn't its own ancestor."""
        seen = {process.id}
        parent = self._parent(process)
        is_below = parent is not None
        for _ in range(_GENERATIONS):
            if parent is None:
                return is_below
            if parent.id in seen:
                return False
            seen.add(parent.id)
            parent = self._parent(parent)
        return is_below

    def _parent(self, process: Process) -> Process | None:
        parent_id = process.parent_process_id
        if parent_id is None:
            return None
        if parent_id not in self._parents:
            self._parents[parent_id] = self._find(parent_id)
        return self._parents[parent_id]

    def _find(self, process_id: str) -> Process | None:
        try:
            found = self._store.get(process_id)
        except NotFound:
            return None
        return found if self._workspace in (None, found.workspace_id) else None


def row(store: ProcessStore, process: Process) -> Row:
    """A process as a row."""
    name = process.workspace_name
    return Row(
        id=process.id,
        prompt_preview=process.prompt_preview[:SHOWN],
        status=process.status,
        type=process.type,
        start_time=process.start_time,
        end_time=process.end_time,
        error=None if process.error is None else process.error[:SHOWN],
        workspace_id=process.workspace_id,
        workspace_name=None if name is None else name[:SHOWN],
        parent_process_id=process.parent_process_id,
        exit_code=process.exit_code,
        children=children(store, process.id),
    )


def children(store: ProcessStore, process_id: str) -> Mapping[str, int] | None:
    """How many processes belong to one, by status; ``None`` where none does."""
    query = ProcessFilter(parent=process_id, limit=0)
    return counts(store, query) if store.list(query).total else None


def _last_start(processes: Sequence[Process]) -> Timestamp | None:
    return processes[-1].start_time if processes else None
