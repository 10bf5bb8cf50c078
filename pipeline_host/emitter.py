"""One process's output, told to callbacks: each chunk in order, then its end, exactly once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeAlias

from pipeline_host.errors import NotFound, PipelineHostError
from pipeline_host.models import Chunk, Model, OutputBatch, Process, Status
from pipeline_host.output import rest_of
from pipeline_host.store import ProcessStore, Unsubscribe
from pipeline_host.times import format_duration, to_ms
from pipeline_host.watching import OutputWatch

_END: Final = 2**63 - 1
"""A place after all output: reading from there tells where the end is, and nothing else."""
log: Final = logging.getLogger(__name__)


class Completion(Model, frozen=True):
    """The end of a process, for whoever follows its output.

    Attributes:
        status: its last status; terminal, but where the process was ``removed`` before it ended.
        duration: how long it took, as :func:`times.format_duration` has it; ``None`` if unknown.
        removed: the process was deleted, by hand or by retention.
    """

    status: Status
    duration: str | None = None
    removed: bool = False

    @classmethod
    def of(cls, process: Process) -> Completion:
        """What there is to tell of the end of ``process``."""
        if process.end_time is None:
            return cls(status=process.status)
        length = to_ms(process.end_time) - to_ms(process.start_time)
        return cls(status=process.status, duration=format_duration(length))


OutputEvent: TypeAlias = Chunk | Completion
OutputCallback: TypeAlias = Callable[[OutputEvent], None]


class Guarded:
    """A callback of somebody else's: what it raises is logged the first time, and counted."""

    def __init__(self, callback: Callable[..., object], failed: Callable[[], None]) -> None:
        self._callback = callback
        self._failed = failed
        self._told = False

    def __call__(self, *args: Any) -> None:
        try:
            self._callback(*args)
        except Exception:
            self._failed()
            if not self._told:
                self._told = True
                log.exception("%r failed; more failures of it are only counted", self._callback)


class _Subscriber:
    def __init__(self, callback: Guarded, offset: int) -> None:
        self.callback = callback
        self.offset = offset


class Emitter:
    """Reads the output of one process, on one reader's thread, for any number of callbacks.

    It lives while it has subscribers, and a subscriber's time ends with the process's.

    Args:
        incarnation: which of the processes that had this id one after the other.
        seen: the status that the process had when it was last seen.
    """

    def __init__(
        self, store: ProcessStore, process_id: str, incarnation: int, seen: Status
    ) -> None:
        self._store = store
        self._process_id = process_id
        self._incarnation = incarnation
        self._seen = seen
        self._watch: OutputWatch | None = None
        self.subscribers: dict[object, _Subscriber] = {}
        self.rung = True
        """There may be something to tell: :meth:`look` is to be called."""

    def begin(self, watch: OutputWatch) -> None:
        """Take over the watch of the process's output."""
        self._watch = watch

    def end(self) -> None:
        """Forget everybody, and end the watch."""
        self.subscribers.clear()
        if self._watch is not None:
            self._watch()

    def look(self) -> None:
        """Tell each subscriber the next batch, or the end where it has come."""
        self.rung = False
        batches: dict[int, OutputBatch | None] = {}
        for key, subscriber in list(self.subscribers.items()):
            offset = subscriber.offset
            if offset not in batches:
                batches[offset] = self._read(offset)
            batch = batches[offset]
            if batch is not None and batch.chunks:
                self._tell(key, subscriber, batch.chunks)
                self.rung = True
            elif batch is None or batch.sealed:
                completion = self._completion(offset)
                if self.subscribers.pop(key, None):
                    subscriber.callback(completion)

    def _read(self, offset: int) -> OutputBatch | None:
        """The next output, or ``None`` where the process is gone."""
        try:
            batch = self._store.read_output(self._process_id, offset)
        except NotFound:
            return None
        return batch if batch.incarnation == self._incarnation else None

    def _tell(self, key: object, subscriber: _Subscriber, chunks: Sequence[Chunk]) -> None:
        for chunk in chunks:
            if key not in self.subscribers:
                return
            fresh = rest_of(chunk, subscriber.offset)
            subscriber.offset = chunk.end
            if fresh.content:
                subscriber.callback(fresh)

    def _completion(self, offset: int) -> Completion:
        try:
            process = self._store.get(self._process_id)
        except NotFound:
            return self._removed()
        if self._read(offset) is None:
            return self._removed()
        return Completion.of(process)

    def _removed(self) -> Completion:
        status = self._watch.last_status(self._seen) if self._watch else self._seen
        return Completion(status=status, removed=True)


class Emitters:
    """The emitters of one worker: made with the first subscriber of a process, gone with the last.

    Args:
        watch: subscribes to the doorbell of a process's output.
        rouse: makes the reader's thread call :meth:`look` soon.
        failed: counts a callback that raised.
    """

    def __init__(
        self,
        store: ProcessStore,
        watch: Callable[[str, Callable[[], None]], OutputWatch],
        rouse: Callable[[], None],
        failed: Callable[[], None],
    ) -> None:
        self._store = store
        self._watch = watch
        self._rouse = rouse
        self._failed = failed
        self._lock = threading.Lock()
        self._emitters: dict[tuple[str, int], Emitter] = {}

    def __len__(self) -> int:
        return len(self._emitters)

    def add(self, process_id: str, callback: OutputCallback, offset: int | None) -> Unsubscribe:
        """See :meth:`pipeline_host.feed.Feed.on_process_output`."""
        seen = self._store.get(process_id).status
        batch = self._store.read_output(process_id, _END)
        name = (process_id, batch.incarnation)
        start = batch.end if offset is None else offset
        key = object()
        with self._lock:
            emitter = self._emitters.get(name)
            if emitter is None:
                emitter = self._emitters[name] = self._new(process_id, batch.incarnation, seen)
            emitter.subscribers[key] = _Subscriber(Guarded(callback, self._failed), start)
        emitter.rung = True
        self._rouse()
        return partial(self._leave, name, key)

    def look(self) -> None:
        """Let each emitter that was rung tell what is new.

        Raises:
            PipelineHostError: the store couldn't be read for some; they will be tried again.
        """
        failure: PipelineHostError | None = None
        for name, emitter in self._emitters.copy().items():
            if not emitter.rung:
                continue
            try:
                emitter.look()
            except PipelineHostError as error:
                emitter.rung, failure = True, error
                continue
            self._end_if_empty(name)
            if emitter.rung:
                self._rouse()
        if failure is not None:
            raise failure

    def clear(self) -> None:
        with self._lock:
            ended, self._emitters = self._emitters, {}
        for emitter in ended.values():
            emitter.end()

    def _new(self, process_id: str, incarnation: int, seen: Status) -> Emitter:
        emitter = Emitter(self._store, process_id, incarnation, seen)

        def wake() -> None:
            emitter.rung = True
            self._rouse()

        emitter.begin(self._watch(process_id, wake))
        return emitter

    def _leave(self, name: tuple[str, int], key: object) -> None:
        emitter = self._emitters.get(name)
        if emitter is not None and key in emitter.subscribers:
            emitter.subscribers.pop(key, None)
            self._end_if_empty(name)

    def _end_if_empty(self, name: tuple[str, int]) -> None:
        with self._lock:
            emitter = self._emitters.get(name)
            if emitter is None or emitter.subscribers:
                return
            del self._emitters[name]
        emitter.end()
