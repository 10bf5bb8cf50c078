"""One client's stream by itself: what it holds, and what ends it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline_host.config import Settings
from pipeline_host.errors import StoreUnavailable
from pipeline_host.following import Start
from pipeline_host.hookspecs import StoreContext
from pipeline_host.host import Host
from pipeline_host.live import LiveStore
from pipeline_host.models import OutputBatch, Process, Timestamp
from pipeline_host.store import READ_LIMIT
from pipeline_host.testing.waiting import wait_until
from pipeline_host_filestore import plugin
from pipeline_host_sse.channels import Channels
from pipeline_host_sse.frames import HEARTBEAT, OPENING, StatusData
from pipeline_host_sse.stream import EventStream


class BreakableStore(LiveStore):
    unavailable = False

    def read_output(self, process_id: str, after: int = 0, limit: int = READ_LIMIT) -> OutputBatch:
        if self.unavailable:
            raise StoreUnavailable("not now")
        return self.inner.read_output(process_id, after, limit)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[BreakableStore]:
    (spec,) = plugin.pipeline_host_process_stores()
    store = BreakableStore(spec.factory(StoreContext(tmp_path, spec.options())))
    store.add(
        Process(
            id="p",
            type="clarification",
            prompt_preview="",
            full_prompt="",
            status="running",
            start_time=Timestamp("2026-11-22T07:00:00.000Z"),
        )
    )
    yield store
    store.close()


@pytest.fixture
def host(store: BreakableStore) -> Host:
    return Host(settings=Settings(heartbeat=0.3), store=store, plugins=())


@pytest.fixture
def channels(store: BreakableStore) -> Channels:
    return Channels(store)


@pytest.fixture
def open_stream(
    host: Host, store: BreakableStore, channels: Channels
) -> Iterator[Callable[[], EventStream]]:
    streams: list[EventStream] = []

    def open_stream() -> EventStream:
        number = store.read_output("p").incarnation
        seen = StatusData(status="running")
        streams.append(EventStream(host, channels, {}, "p", number, Start(0), seen))
        return streams[-1]

    yield open_stream
    for stream in streams:
        stream.close()


OpenStream = Callable[[], EventStream]


def held(host: Host, channels: Channels) -> tuple[int, int, int]:
    return len(channels), host.store.feed.watching, len(host.draining._callbacks)


def test_one_that_is_never_begun_holds_nothing(
    host: Host, channels: Channels, open_stream: OpenStream
) -> None:
    open_stream()
    assert held(host, channels) == (0, 0, 0)
    open_stream().close()


def test_closing_it_in_the_middle_gives_all_back(
    host: Host, channels: Channels, open_stream: OpenStream, store: BreakableStore
) -> None:
    stream = open_stream()
    store.emit_process_output("p", "x")
    assert next(stream) == OPENING
    assert b'{"content":"x"}' in next(stream)
    assert held(host, channels) == (1, 1, 1)
    stream.close()
    stream.close()
    assert held(host, channels) == (0, 0, 0)
    assert list(stream) == []


def test_chunks_that_are_ready_go_out_together(
    open_stream: OpenStream, store: BreakableStore
) -> None:
    stream = open_stream()
    for number in range(100):
        store.emit_process_output("p", f"{number}")
    assert next(stream) == OPENING
    assert next(stream).count(b"event: chunk") == 100


def test_rings_without_output_do_not_put_off_the_heartbeat(
    open_stream: OpenStream, store: BreakableStore
) -> None:
    stream = open_stream()
    assert next(stream) == OPENING
    stop = threading.Event()

    def ring() -> None:
        while not stop.wait(0.01):
            store.feed.ring("p")

    ringing = threading.Thread(target=ring)
    ringing.start()
    told: list[bytes] = []
    reading = threading.Thread(target=lambda: told.append(next(stream)), daemon=True)
    reading.start()
    try:
        wait_until(lambda: told, timeout=5)
    finally:
        stop.set()
        ringing.join()
        reading.join()
    assert told == [HEARTBEAT]


def test_draining_ends_it_where_it_is(
    host: Host, channels: Channels, open_stream: OpenStream
) -> None:
    waiting, late = open_stream(), open_stream()
    assert next(waiting) == OPENING
    rest: list[bytes] = []
    reading = threading.Thread(target=lambda: rest.extend(waiting))
    reading.start()
    wait_until(lambda: held(host, channels) == (1, 1, 1))
    host.draining.begin()
    reading.join(5)
    assert set(rest) <= {HEARTBEAT}
    assert list(late) == [OPENING]
    assert held(host, channels) == (0, 0, 0)


def test_a_store_that_fails_cuts_it_off_and_it_can_be_taken_up_again(
    host: Host,
    channels: Channels,
    open_stream: OpenStream,
    store: BreakableStore,
    caplog: pytest.LogCaptureFixture,
) -> None:
    stream = open_stream()
    store.emit_process_output("p", "one")
    assert next(stream) == OPENING
    assert b"one" in next(stream)
    store.unavailable = True
    store.emit_process_output("p", "two")
    assert list(stream) == []
    assert "not now" in caplog.text
    assert held(host, channels) == (0, 0, 0)
    store.unavailable = False
    again = open_stream()
    assert next(again) == OPENING
    assert next(again).count(b"event: chunk") == 2


def test_when_the_end_cannot_be_read_no_end_is_told(
    open_stream: OpenStream, store: BreakableStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(process_id: str) -> Process:
        raise StoreUnavailable("not now")

    stream = open_stream()
    assert next(stream) == OPENING
    store.emit_process_complete("p", "completed")
    monkeypatch.setattr(store, "get", fail)
    assert list(stream) == []
