"""One client's stream by itself, under a server that keeps its sockets."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline_host.change_source import ChangeLog
from pipeline_host.config import Settings
from pipeline_host.errors import StoreUnavailable
from pipeline_host.hookspecs import StoreContext
from pipeline_host.host import Host
from pipeline_host.live import LiveStore
from pipeline_host.models import ChangeBatch
from pipeline_host.store import CHANGE_LIMIT
from pipeline_host.testing.store_base import new_process
from pipeline_host.testing.waiting import wait_until
from pipeline_host_events.frames import HEARTBEAT, Frames
from pipeline_host_events.stream import EventStream
from pipeline_host_filestore import plugin

OPENING = b": hello\n\n"
OpenStream = Callable[[], EventStream]


class BreakableStore(LiveStore):
    unavailable = False

    def changes(self, after: int, limit: int = CHANGE_LIMIT) -> ChangeBatch:
        if self.unavailable:
            raise StoreUnavailable("not now")
        return self.inner.changes(after, limit)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[BreakableStore]:
    (spec,) = plugin.pipeline_host_process_stores()
    store = BreakableStore(spec.factory(StoreContext(tmp_path, spec.options())))
    yield store
    store.close()


@pytest.fixture
def host(store: BreakableStore) -> Host:
    return Host(settings=Settings(heartbeat=0.3), store=store, plugins=())


@pytest.fixture
def open_stream(host: Host) -> Iterator[OpenStream]:
    frames = Frames(host.store.epoch)
    log = ChangeLog(host.store, "events", frames.change, frames.resync)
    streams: list[EventStream] = []

    def open_stream() -> EventStream:
        streams.append(EventStream(host, {}, OPENING, log.source(), log.newest()))
        return streams[-1]

    yield open_stream
    for stream in streams:
        stream.close()


def held(host: Host) -> tuple[int, int]:
    return len(host.store.feed._change_watches), len(host.draining._callbacks)


def test_one_that_is_never_begun_holds_nothing(host: Host, open_stream: OpenStream) -> None:
    open_stream().close()
    assert held(host) == (0, 0)


def test_closing_it_in_the_middle_gives_all_back(host: Host, open_stream: OpenStream) -> None:
    stream = open_stream()
    host.store.add(new_process("a"))
    assert next(stream) == OPENING
    assert next(stream).count(b"event: process-added") == 1
    assert held(host) == (1, 1)
    stream.close()
    stream.close()
    assert held(host) == (0, 0)
    assert list(stream) == []


def test_changes_that_are_ready_go_out_together(host: Host, open_stream: OpenStream) -> None:
    stream = open_stream()
    for number in range(50):
        host.store.add(new_process(f"p{number}"))
    assert next(stream) == OPENING
    assert next(stream).count(b"event: process-added") == 50


def test_rings_without_changes_do_not_put_off_the_heartbeat(
    host: Host, open_stream: OpenStream
) -> None:
    stream = open_stream()
    assert next(stream) == OPENING
    stop = threading.Event()

    def ring() -> None:
        while not stop.wait(0.01):
            host.store.feed.ring(None)

    ringing = threading.Thread(target=ring)
    ringing.start()
    told: list[bytes] = []
    reading = threading.Thread(target=lambda: told.append(next(stream)), daemon=True)
    reading.start()
    try:
        wait_until(lambda: told)
    finally:
        stop.set()
        ringing.join()
        reading.join()
    assert told == [HEARTBEAT]


def test_draining_ends_it_where_it_is(host: Host, open_stream: OpenStream) -> None:
    waiting, late = open_stream(), open_stream()
    assert next(waiting) == OPENING
    rest: list[bytes] = []
    reading = threading.Thread(target=lambda: rest.extend(waiting))
    reading.start()
    wait_until(lambda: held(host) == (1, 1))
    host.draining.begin()
    reading.join(20)
    assert set(rest) <= {HEARTBEAT}
    assert list(late) == [OPENING]
    assert held(host) == (0, 0)


def test_a_store_that_fails_cuts_it_off_and_it_can_be_taken_up_again(
    host: Host, open_stream: OpenStream, store: BreakableStore, caplog: pytest.LogCaptureFixture
) -> None:
    stream, again = open_stream(), open_stream()
    assert next(stream) == OPENING
    store.add(new_process("one"))
    assert b'"id":"one"' in next(stream)
    store.unavailable = True
    assert list(stream) == []
    assert "not now" in caplog.text
    assert held(host) == (0, 0)
    store.unavailable = False
    assert next(again) == OPENING
    assert b'"id":"one"' in next(again)
