"""One worker's reader of the store's logs: it tells listeners of changes, and watchers to look.

The store is the only truth. A doorbell (the store's, or :meth:`Feed.ring`) only says "look": the
feed then reads on from where it was. It also looks unasked once in a while, so that a doorbell
that was lost costs time and nothing else.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias

from pipeline_host.emitter import Emitters, Guarded, OutputCallback
from pipeline_host.errors import StoreUnavailable
from pipeline_host.models import Change, ChangeBatch
from pipeline_host.store import DoorbellStore, ProcessStore, Unsubscribe
from pipeline_host.watching import OutputWatch, WatchBook

ChangeCallback: TypeAlias = Callable[[Change], None]
ResyncCallback: TypeAlias = Callable[[int], None]

_NEWEST: Final = 2**63 - 1
"""A change number above all: reading from there tells the newest, and nothing else."""
_JOIN: Final = 2.0
log: Final = logging.getLogger(__name__)


class _Listener:
    def __init__(self, since: int, change: Guarded, resync: Guarded | None) -> None:
        self.since = since
        self.change = change
        self.resync = resync


class Feed:
    """Follows a store's logs for everybody in one worker who wants to know.

    Its one thread (a greenlet, where gevent patched threading) starts with the first subscription
    and ends with :meth:`close`. Callbacks run on it, so they must be quick; whoever has more to do
    hands it on. What a callback raises is logged once and counted, and harms nobody else.

    Args:
        poll: how long a lost doorbell can go unnoticed, in seconds.
    """

    def __init__(self, store: ProcessStore, poll: float = 1.0) -> None:
        self._store = store
        self._poll = poll
        self._lock = threading.Lock()
        self._bell = threading.Event()
        self._listeners: dict[object, _Listener] = {}
        self._change_watches: dict[object, Callable[[], None]] = {}
        self._watches = WatchBook(self._listen)
        self._emitters = Emitters(store, self.watch_output, self._bell.set, self._count)
        self._seq = 0
        self._told = 0
        self._thread: threading.Thread | None = None
        self._unlisten: Unsubscribe = _nothing
        self._closed = False
        self._failing: set[str] = set()
        self.failures = 0
        """How many times a callback has raised."""

    @property
    def watching(self) -> int:
        """How many watches of output there are now."""
        return len(self._watches)

    def on_process_change(
        self, callback: ChangeCallback, on_resync: ResyncCallback | None = None
    ) -> Unsubscribe:
        """Tell ``callback`` of every change from now on, in order.

        ``on_resync`` is called with a change number where changes up to it are no longer known:
        the next that ``callback`` gets comes after it.

        Raises:
            StoreUnavailable: the change log can't be read now.
        """
        key = object()
        resync = None if on_resync is None else Guarded(on_resync, self._count)
        with self._lock:
            since = self._join()
            self._listeners[key] = _Listener(since, Guarded(callback, self._count), resync)
        return partial(self._forget, key)

    def watch_changes(self, wake: Callable[[], None]) -> Unsubscribe:
        """Call ``wake`` whenever there may be changes: a doorbell.

        ``wake`` is called on any thread, returns at once and raises nothing; now and then without
        a reason. Subscribe first, then read: so nothing that comes between is missed.

        Raises:
            StoreUnavailable: the change log can't be read now.
        """
        key = object()
        with self._lock:
            self._join()
            self._change_watches[key] = wake
        return lambda: self._change_watches.pop(key, None) and None

    def watch_output(self, process_id: str, wake: Callable[[], None]) -> OutputWatch:
        """Call ``wake`` whenever the process's output may have grown or ended: a doorbell.

        ``wake`` is called on any thread, returns at once and raises nothing. Subscribe first, then
        read: so nothing that comes between is missed.

        Raises:
            StoreUnavailable: the change log can't be read now.
        """
        with self._lock:
            watch = OutputWatch(
                process_id, wake, self._join(), self._watches.remove, self._catch_up
            )
            self._watches.add(watch)
        return watch

    def on_process_output(
        self, process_id: str, callback: OutputCallback, after: int | None = None
    ) -> Unsubscribe:
        """Tell ``callback`` of each chunk, then, exactly once, of the process's end.

        Args:
            after: the byte to begin from, 0 for all there is; ``None`` for what is written from
                now on.

        Raises:
            NotFound: there is no such process.
            StoreUnavailable: the store can't be read now.
        """
        return self._emitters.add(process_id, callback, after)

    def ring(self, process_id: str | None) -> None:
        """Say that there may be changes (``None``), or more output of one process.

        From any thread; it neither waits nor raises.
        """
        if process_id is not None:
            self._watches.ring(process_id)
            return
        self._wake_change_watches()
        if self._listeners or self._watches:
            self._bell.set()

    def close(self) -> None:
        """End all subscriptions, and the thread."""
        with self._lock:
            self._closed = True
            thread, self._thread = self._thread, None
            unlisten, self._unlisten = self._unlisten, _nothing
            self._listeners.clear()
            self._change_watches.clear()
        unlisten()
        self._emitters.clear()
        self._watches.clear()
        self._bell.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(_JOIN)

    def _join(self) -> int:
        """Start the thread where it doesn't run; returns the newest change number.

        Under the lock, so that the feed can't read on between this and the subscription.
        """
        if self._closed:
            raise StoreUnavailable("The server is stopping")
        newest = self._store.changes(_NEWEST, 1).last
        if not self._listeners and not self._watches:
            self._seq = self._told = newest
        if self._thread is None:
            self._unlisten = self._listen(None)
            self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
            self._thread.start()
        self._bell.set()
        return newest

    def _forget(self, key: object) -> None:
        self._listeners.pop(key, None)

    def _wake_change_watches(self) -> None:
        for wake in tuple(self._change_watches.values()):
            wake()

    def _listen(self, process_id: str | None) -> Unsubscribe:
        if isinstance(self._store, DoorbellStore):
            return self._store.listen(process_id, partial(self.ring, process_id))
        return _nothing

    def _count(self) -> None:
        self.failures += 1

    def _run(self) -> None:
        due = time.monotonic() + self._poll
        while self._wait(due):
            self._attempt("reading changes", self._read_changes)
            self._attempt("reading output", self._emitters.look)
            if time.monotonic() >= due:
                self._wake_change_watches()
                self._attempt("looking for output", partial(self._watches.look, self._store))
                due = time.monotonic() + self._poll

    def _wait(self, due: float) -> bool:
        """Until the bell rings, or something is due and somebody wants it; false at the end."""
        wanted = self._listeners or self._watches or self._change_watches
        self._bell.wait(max(due - time.monotonic(), 0) if wanted else None)
        self._bell.clear()
        return not self._closed

    def _attempt(self, what: str, work: Callable[[], None]) -> None:
        """Do a part of the round; what fails is logged until it works again, and tried again."""
        try:
            work()
        except Exception:
            if what not in self._failing and not self._closed:
                self._failing.add(what)
                log.exception("%s failed; trying again every %g s", what, self._poll)
        else:
            self._failing.discard(what)

    def _read_changes(self) -> None:
        more = True
        while more and not self._closed:
            before = self._seq
            batch = self._store.changes(before)
            with self._lock:
                if self._seq != before:
                    continue  # a first subscriber moved it
                if batch.resync:
                    self._seq = batch.last
                elif batch.changes:
                    self._seq = batch.changes[-1].seq
                listeners = list(self._listeners.items())
            self._dispatch(batch, listeners)
            more = bool(batch.changes) and self._seq < batch.last

    def _dispatch(self, batch: ChangeBatch, listeners: list[tuple[object, _Listener]]) -> None:
        if batch.resync:
            for _, listener in listeners:
                if listener.resync is not None and listener.since < batch.last:
                    listener.resync(batch.last)
            self._watches.ring_all()
        for change in batch.changes:
            for key, listener in listeners:
                if change.seq > listener.since and key in self._listeners:
                    listener.change(change)
            self._watches.note(change)
        self._told = batch.changes[-1].seq if batch.changes else batch.last

    def _catch_up(self, watch: OutputWatch) -> None:
        """Let a watch learn what the change log holds beyond what the feed has told."""
        seq = self._told
        while not watch.removed:
            batch = self._store.changes(seq)
            for change in batch.changes:
                watch.note(change)
            if not batch.changes or batch.changes[-1].seq >= batch.last:
                return
            seq = batch.changes[-1].seq


def _nothing() -> None:
    """The end of a subscription that nothing has to be done for."""
