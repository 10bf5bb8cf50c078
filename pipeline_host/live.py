"""A store and its live side in one: what the host and its plugins work with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from pipeline_host import transitions
from pipeline_host.emitter import OutputCallback
from pipeline_host.feed import ChangeCallback, Feed, ResyncCallback
from pipeline_host.models import (
    Added,
    ChangeBatch,
    Chunk,
    Lease,
    OutputBatch,
    Page,
    Process,
    ProcessFilter,
    Stats,
    Status,
    Workspace,
)
from pipeline_host.renewal import Renewal
from pipeline_host.store import CHANGE_LIMIT, READ_LIMIT, ProcessStore, Unsubscribe
from pipeline_host.transitions import Mutation
from pipeline_host.watching import OutputWatch


class LiveStore(ProcessStore):
    """Any store, with everything live that a store need not know of.

    Reading goes straight through. After a change made here the feed is rung, so that followers in
    this worker hear of it at once, whether the store has a doorbell or not.

    Args:
        inner: the store; closed with this one.
        poll: how long a change made elsewhere can go unnoticed where the store's doorbell was
            lost, in seconds.
    """

    def __init__(self, inner: ProcessStore, poll: float = 1.0) -> None:
        self.inner = inner
        self.feed = Feed(inner, poll)
        self._renewal = Renewal(self)

    @property
    def epoch(self) -> str:
        return self.inner.epoch

    def get(self, process_id: str) -> Process:
        return self.inner.get(process_id)

    def list(self, query: ProcessFilter) -> Page:
        return self.inner.list(query)

    def stats(self) -> Stats:
        return self.inner.stats()

    def workspaces(self) -> Sequence[Workspace]:
        return self.inner.workspaces()

    def changes(self, after: int, limit: int = CHANGE_LIMIT) -> ChangeBatch:
        return self.inner.changes(after, limit)

    def read_output(self, process_id: str, after: int = 0, limit: int = READ_LIMIT) -> OutputBatch:
        return self.inner.read_output(process_id, after, limit)

    def leases(self) -> Mapping[str, Lease]:
        return self.inner.leases()

    def add(self, process: Process) -> Added:
        added = self.inner.add(process)
        if added.created:
            self.feed.ring(None)
        return added

    def update(self, process_id: str, mutate: Mutation) -> Process:
        process = self.inner.update(process_id, mutate)
        self.feed.ring(None)
        if process.terminal:
            self.feed.ring(process_id)
        return process

    def remove(self, process_id: str) -> Process:
        process = self.inner.remove(process_id)
        self._ring_removed((process_id,))
        return process

    def clear(self, statuses: Sequence[Status], workspace: str | None = None) -> Sequence[str]:
        return self._ring_removed(self.inner.clear(statuses, workspace))

    def prune(
        self, *, max_age: timedelta | None = None, max_count: int | None = None
    ) -> Sequence[str]:
        return self._ring_removed(self.inner.prune(max_age=max_age, max_count=max_count))

    def register_workspace(self, workspace: Workspace) -> Workspace:
        registered = self.inner.register_workspace(workspace)
        self.feed.ring(None)
        return registered

    def append_output(
        self, process_id: str, chunks: Sequence[Chunk], offset: int | None = None
    ) -> int:
        length = self.inner.append_output(process_id, chunks, offset)
        self.feed.ring(process_id)
        self._renewal.heard_from(process_id)
        return length

    def close(self) -> None:
        """End the live side, then the store."""
        self.feed.close()
        self.inner.close()

    def emit_process_output(self, process_id: str, content: str) -> int:
        """Add text to a process's output; returns the output's length after, in UTF-8 bytes.

        Raises:
            NotFound: there is no such process.
            TerminalState: it has ended.
        """
        return self.append_output(process_id, (Chunk(content=content),))

    def emit_process_complete(
        self, process_id: str, status: Status, duration: str | None = None
    ) -> Process:
        """End a process; the status that it has already is fine.

        Args:
            duration: how long it took, such as ``2m 34s``; sets the end time by the start time.

        Raises:
            NotFound: there is no such process.
            TerminalState: it has ended with another status.
            ValueError: ``status`` is not terminal, or ``duration`` is none.
        """
        return self.update(process_id, transitions.completed(status, duration))

    def on_process_change(
        self, callback: ChangeCallback, on_resync: ResyncCallback | None = None
    ) -> Unsubscribe:
        """See :meth:`Feed.on_process_change`."""
        return self.feed.on_process_change(callback, on_resync)

    def watch_changes(self, wake: Callable[[], None]) -> Unsubscribe:
        """See :meth:`Feed.watch_changes`."""
        return self.feed.watch_changes(wake)

    def on_process_output(
        self, process_id: str, callback: OutputCallback, after: int | None = None
    ) -> Unsubscribe:
        """See :meth:`Feed.on_process_output`."""
        return self.feed.on_process_output(process_id, callback, after)

    def watch_output(self, process_id: str, wake: Callable[[], None]) -> OutputWatch:
        """See :meth:`Feed.watch_output`."""
        return self.feed.watch_output(process_id, wake)

    def _ring_removed(self, ids: Sequence[str]) -> Sequence[str]:
        if ids:
            self.feed.ring(None)
        for process_id in ids:
            self.feed.ring(process_id)
        return ids
