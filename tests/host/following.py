"""What the tests of the live side share: a store to spy on, and what to wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline_host.emitter import Completion, OutputEvent
from pipeline_host.errors import StoreUnavailable
from pipeline_host.hookspecs import StoreContext
from pipeline_host.live import LiveStore
from pipeline_host.models import ChangeBatch, OutputBatch, Process
from pipeline_host.store import CHANGE_LIMIT, READ_LIMIT, ProcessStore, Unsubscribe
from pipeline_host.testing.waiting import wait_until
from pipeline_host_filestore import plugin

NEVER = 3600.0


def open_store(folder: Path) -> ProcessStore:
    (spec,) = plugin.pipeline_host_process_stores()
    return spec.factory(StoreContext(folder, spec.options()))


class Spy(LiveStore):
    """The store below, without its doorbell, with what a test wants to see or to break."""

    unavailable = False
    unreadable = False
    kept = CHANGE_LIMIT
    batch = CHANGE_LIMIT

    def __init__(self, inner: ProcessStore) -> None:
        super().__init__(inner)
        self.listening: list[str | None] = []
        self.looked: list[int] = []
        self.glances = 0
        self.before_get: Callable[[], object] = lambda: None

    def get(self, process_id: str) -> Process:
        self.before_get()
        return self.inner.get(process_id)

    def changes(self, after: int, limit: int = CHANGE_LIMIT) -> ChangeBatch:
        if self.unavailable:
            raise StoreUnavailable("not now")
        self.looked.append(after)
        last = self.inner.changes(2**63 - 1, 1).last
        if after < last - self.kept:
            return ChangeBatch(changes=(), last=last, resync=True)
        return self.inner.changes(after, min(limit, self.batch))

    def read_output(self, process_id: str, after: int = 0, limit: int = READ_LIMIT) -> OutputBatch:
        if self.unavailable or (self.unreadable and limit == READ_LIMIT):
            raise StoreUnavailable("not now")
        self.glances += limit == 1
        return self.inner.read_output(process_id, after, limit)


class SharedSpy(Spy):
    """The same with a doorbell, which rings when the test says so."""

    def __init__(self, inner: ProcessStore) -> None:
        super().__init__(inner)
        self.rings: dict[str | None, Callable[[], None]] = {}

    def listen(self, process_id: str | None, ring: Callable[[], None]) -> Unsubscribe:
        self.listening.append(process_id)
        self.rings[process_id] = ring
        return lambda: self.listening.remove(process_id)


def waiting(event: threading.Event) -> Callable[[object], None]:
    """A callback that keeps the feed busy until the event is set."""

    def wait(_: object) -> None:
        event.wait(10)

    return wait


def told(seen: Sequence[object], count: int) -> None:
    wait_until(lambda: len(seen) >= count, message=lambda: f"{count} events, got {seen}")
    assert len(seen) == count


def ended(seen: list[OutputEvent]) -> None:
    wait_until(lambda: seen and isinstance(seen[-1], Completion))
