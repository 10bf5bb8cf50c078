"""Counts of all processes, which are kept, not counted. Pure."""

from __future__ import annotations

from pipeline_host.models import STATUSES, Stats, WorkspaceCount
from pipeline_host_filestore.index import of_status
from pipeline_host_filestore.state import State


def stats_of(state: State) -> Stats:
    """The counts, in a time that depends on the number of workspaces alone."""
    index = state.index
    return Stats(
        total_processes=len(index),
        by_status={status: len(index.facet(of_status(status))) for status in STATUSES},
        by_workspace=tuple(
            WorkspaceCount(
                workspace_id=workspace, name=_name(state, workspace, keys[-1].id), count=len(keys)
            )
            for workspace, keys in sorted(index.workspaces(), key=lambda found: found[0])
        ),
    )


def _name(state: State, workspace: str, newest: str) -> str:
    """As it was registered, or as its newest process says, or its id."""
    known = state.workspaces.get(workspace)
    if known is not None:
        return known.name
    return state.index[newest].process.workspace_name or workspace
