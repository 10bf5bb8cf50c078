"""Which processes a clear or a prune takes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from pipeline_host.models import TERMINAL, Status, Timestamp
from pipeline_host_filestore.index import ALL, Entry, Index, of_status, of_workspace_status


def to_clear(index: Index, statuses: Sequence[Status], workspace: str | None) -> Sequence[str]:
    """The ids of all processes of these statuses (and workspace)."""
    facets = [
        of_status(status) if workspace is None else of_workspace_status(workspace, status)
        for status in dict.fromkeys(statuses)
    ]
    return [key.id for facet in facets for key in index.facet(facet)]


def to_prune(index: Index, ended_before: Timestamp | None, max_count: int | None) -> Sequence[str]:
    """The ids of ended processes that ended too early, or are too old to be among the newest."""
    aged = (
        key.id
        for status in TERMINAL
        for key in index.facet(of_status(status))
        if ended_before is not None and _end(index[key.id]) < ended_before
    )
    surplus = 0 if max_count is None else max(0, len(index) - max_count)
    oldest = (
        key.id for key in index.facet(ALL).islice(0, surplus) if index[key.id].process.terminal
    )
    return list(dict.fromkeys(chain(aged, oldest)))


def _end(entry: Entry) -> Timestamp:
    return entry.process.end_time or entry.process.start_time
