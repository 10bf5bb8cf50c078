"""A process's output as a source of frames, read and encoded once for all who follow it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from weakref import WeakValueDictionary

from msgspec.structs import replace

from pipeline_host.cursors import Kind
from pipeline_host.delivery import Reading
from pipeline_host.errors import NotFound
from pipeline_host.following import advance
from pipeline_host.live import LiveStore
from pipeline_host.store import Unsubscribe
from pipeline_host.watching import OutputWatch
from pipeline_host_websocket.messages import Done, OutputFrames, frame


class OutputSource:
    """A :class:`~pipeline_host.delivery.Source` of one process's output.

    Its cursor is a byte offset. It ends with the process, or with its removal. With ``times`` it
    is another source than without.
    """

    def __init__(
        self, store: LiveStore, process_id: str, incarnation: int, *, times: bool = False
    ) -> None:
        self._store = store
        self._process_id = process_id
        self._incarnation = incarnation
        self._times = times
        self._watch: OutputWatch | None = None
        self._end = 0
        self.frames = OutputFrames(process_id, store.epoch, incarnation, times=times)

    @property
    def key(self) -> Hashable:
        return ("output", "websocket", self._process_id, self._incarnation, self._times)

    def read(self, cursor: int) -> Reading:
        """The frames of the output from the byte ``cursor`` on, about 256 KiB at most.

        Raises:
            PipelineHostError: the output can't be read now.
        """
        try:
            batch = self._store.read_output(self._process_id, cursor)
        except NotFound:
            return Reading(b"", cursor, ended=True)
        if batch.incarnation != self._incarnation:
            return Reading(b"", cursor, ended=True)
        self._end = batch.end
        data, end = advance(self.frames, cursor, batch)
        return Reading(data, end, ended=batch.sealed and end >= batch.end)

    def watch(self, wake: Callable[[], None]) -> Unsubscribe:
        """See :meth:`pipeline_host.feed.Feed.watch_output`."""
        self._watch = self._store.watch_output(self._process_id, wake)
        return self._watch

    def ending(self, seen: Done) -> bytes:
        """The frame that tells how the process ended; ``seen`` is how it was found earlier.

        Raises:
            PipelineHostError: the store can't be read now.
        """
        done = self._ending(seen)
        return frame(replace(done, cursor=self.frames.cursor(self._end, Kind.END)))

    def _ending(self, seen: Done) -> Done:
        try:
            process = self._store.get(self._process_id)
            batch = self._store.read_output(self._process_id, 0, 1)
        except NotFound:
            return self._removed(seen)
        if batch.incarnation != self._incarnation:
            return self._removed(seen)
        self._end = batch.end
        return Done.of(process)

    def _removed(self, seen: Done) -> Done:
        status = seen.status
        if self._watch is not None and status is not None:
            status = self._watch.last_status(status)
        last = seen if seen.status == status else Done(process_id=self._process_id, status=status)
        return replace(last, removed=True)


class OutputSources:
    """The sources of one worker: whoever follows the same process gets the same one."""

    def __init__(self, store: LiveStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._sources: WeakValueDictionary[tuple[str, int, bool], OutputSource] = (
            WeakValueDictionary()
        )

    def get(self, process_id: str, incarnation: int, *, times: bool = False) -> OutputSource:
        key = (process_id, incarnation, times)
        with self._lock:
            source = self._sources.get(key)
            if source is None:
                source = OutputSource(self._store, process_id, incarnation, times=times)
                self._sources[key] = source
            return source
