"""Who wants to be woken for which process's output."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from pipeline_host.errors import NotFound, PipelineHostError
from pipeline_host.models import TERMINAL, Change, Status
from pipeline_host.store import ProcessStore, Unsubscribe

_YIELD_EVERY: Final = 100


class OutputWatch:
    """A standing wish to be woken when one process's output grew or ended; calling it ends it."""

    def __init__(
        self,
        process_id: str,
        wake: Callable[[], None],
        since: int,
        end: Callable[[OutputWatch], None],
        catch_up: Callable[[OutputWatch], None],
    ) -> None:
        self.process_id = process_id
        self.wake = wake
        self.since = since
        self._end = end
        self._catch_up = catch_up
        self._status: Status | None = None
        self._removed = False
        self._noting = threading.Lock()

    def __call__(self) -> None:
        self._end(self)

    @property
    def removed(self) -> bool:
        """Whether the change log is known to tell of the process's removal."""
        return self._removed

    def note(self, change: Change) -> None:
        """Learn from a change, up to the one that removes the process."""
        with self._noting:
            if change.seq <= self.since or self._removed:
                return
            self.since = change.seq
            for removed in change.removed:
                if removed.id == self.process_id:
                    self._status, self._removed = removed.status, True
            if change.process is not None and change.process.id == self.process_id:
                self._status = change.process.status

    def last_status(self, seen: Status) -> Status:
        """The newest status that the change log tells of the process since the watch began.

        Once the process is removed it is the one that it had last, whatever came after it under
        the same id. ``seen`` is the answer where the log tells nothing, or no longer.

        Raises:
            StoreUnavailable: the change log can't be read now.
        """
        if not self._removed:
            self._catch_up(self)
        return self._status or seen


class Watched:
    """All watches of one process, and the state of its output when it was last looked at."""

    def __init__(self, unlisten: Unsubscribe) -> None:
        self.unlisten = unlisten
        self.watches: set[OutputWatch] = set()
        self._end = 0
        self._seen: tuple[int, int, bool] | None = None

    def wake(self) -> None:
        for watch in self.watches.copy():
            watch.wake()

    def moved(self, store: ProcessStore, process_id: str) -> bool:
        """Whether the output is another than at the last call; the first time it always is."""
        try:
            batch = store.read_output(process_id, self._end, 1)
        except NotFound:
            state = None
        else:
            state = (batch.incarnation, batch.end, batch.sealed)
            self._end = batch.end
        moved = state is None or state != self._seen
        self._seen = state
        return moved


class WatchBook:
    """Every watch in a worker, by process; a store's doorbell is listened to once a process."""

    def __init__(self, listen: Callable[[str], Unsubscribe]) -> None:
        self._listen = listen
        self._lock = threading.Lock()
        self._watched: dict[str, Watched] = {}

    def __bool__(self) -> bool:
        return bool(self._watched)

    def __len__(self) -> int:
        return sum(len(watched.watches) for watched in self._watched.copy().values())

    def add(self, watch: OutputWatch) -> None:
        with self._lock:
            watched = self._watched.get(watch.process_id)
            if watched is None:
                watched = Watched(self._listen(watch.process_id))
                self._watched[watch.process_id] = watched
            watched.watches.add(watch)

    def remove(self, watch: OutputWatch) -> None:
        """End a watch; a second time nothing happens."""
        with self._lock:
            watched = self._watched.get(watch.process_id)
            if watched is None:
                return
            watched.watches.discard(watch)
            if watched.watches:
                return
            del self._watched[watch.process_id]
        watched.unlisten()

    def clear(self) -> None:
        with self._lock:
            ended, self._watched = self._watched, {}
        for watched in ended.values():
            watched.unlisten()

    def ring(self, process_id: str) -> None:
        """Wake those who watch a process; takes no lock, so that a doorbell never waits."""
        if watched := self._watched.get(process_id):
            watched.wake()

    def ring_all(self) -> None:
        for watched in self._watched.copy().values():
            watched.wake()

    def note(self, change: Change) -> None:
        """Let all concerned learn from a change, and wake them where a process ended or is gone."""
        ids = {removed.id for removed in change.removed}
        if change.process is not None and change.process.id in self._watched:
            self._tell(change.process.id, change)
            if change.process.status in TERMINAL:
                self.ring(change.process.id)
        for process_id in ids & self._watched.keys():
            self._tell(process_id, change)
            self.ring(process_id)

    def _tell(self, process_id: str, change: Change) -> None:
        if watched := self._watched.get(process_id):
            for watch in watched.watches.copy():
                watch.note(change)

    def look(self, store: ProcessStore) -> None:
        """Wake those whose process's output moved without a doorbell.

        Raises:
            PipelineHostError: the store couldn't be read for some.
        """
        failure: PipelineHostError | None = None
        for count, (process_id, watched) in enumerate(self._watched.copy().items(), 1):
            try:
                if watched.moved(store, process_id):
                    watched.wake()
            except PipelineHostError as error:
                failure = error
            if count % _YIELD_EVERY == 0:
                time.sleep(0)  # lets other greenlets run
        if failure is not None:
            raise failure
