"""The change log as a protocol's frames: read in pieces, for all who follow it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline_host.change_source import ChangeLog, ChangeSource
from pipeline_host.delivery import Reading
from pipeline_host.errors import StoreUnavailable
from pipeline_host.feed import Feed
from pipeline_host.live import LiveStore
from pipeline_host.models import Change
from pipeline_host.store import READ_LIMIT, ProcessStore
from pipeline_host.testing.store_base import new_process
from pipeline_host.testing.waiting import wait_until
from pipeline_host.transitions import completed

from .following import NEVER, SharedSpy, Spy, open_store


def frame(change: Change) -> bytes:
    subject = change.process.id if change.process else ",".join(one.id for one in change.removed)
    return f"{change.kind} {subject}\n".encode()


def resync(seq: int) -> bytes:
    return f"resync {seq}\n".encode()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LiveStore]:
    store = LiveStore(open_store(tmp_path), poll=NEVER)
    yield store
    store.close()


@pytest.fixture
def other(store: LiveStore, tmp_path: Path) -> Iterator[ProcessStore]:
    """Another worker's opening of the same data."""
    other = open_store(tmp_path)
    yield other
    other.close()


@pytest.fixture
def log(store: LiveStore) -> ChangeLog:
    return ChangeLog(store, "test", frame, resync)


def everything(source: ChangeSource, cursor: int) -> tuple[list[bytes], int]:
    """All readings from a place on, and the place behind them."""
    readings = []
    while (reading := source.read(cursor)).data:
        readings.append(reading.data)
        cursor = reading.cursor
    return readings, reading.cursor


class TestReading:
    def test_it_goes_on_behind_each_reading(self, store: LiveStore, log: ChangeLog) -> None:
        source, start = log.source(), log.newest()
        store.add(new_process("a"))
        store.add(new_process("b"))
        first = source.read(start)
        assert first == Reading(b"process-added a\nprocess-added b\n", log.newest(), ended=False)
        store.update("a", completed("completed"))
        assert source.read(first.cursor) == (b"process-updated a\n", log.newest(), False)
        assert source.read(log.newest()) == (b"", log.newest(), False)

    def test_whoever_comes_to_a_known_place_later_is_told_all_there_is_now(
        self, store: LiveStore, log: ChangeLog
    ) -> None:
        start = log.newest()
        store.add(new_process("a"))
        assert log.source().read(start).data == b"process-added a\n"
        store.add(new_process("b"))
        assert log.source().read(start + 1).data == b"process-added b\n"
        assert log.source().read(start).data == b"process-added a\nprocess-added b\n"

    def test_all_who_stand_at_one_place_share_one_reading(
        self, store: LiveStore, log: ChangeLog
    ) -> None:
        start = log.newest()
        store.add(new_process("a", workspace="w"))
        assert log.source().read(start) is log.source().read(start)
        assert log.source("w").read(start) is log.source("w").read(start)

    def test_what_is_kept_for_others_is_limited(self, store: LiveStore, log: ChangeLog) -> None:
        start = log.newest()
        long = ChangeLog(store, "long", lambda _: b"x" * 100_000, resync)
        for number in range(40):
            store.add(new_process(f"p{number}"))
        readings, end = everything(long.source(), start)
        assert sum(map(len, readings)) == 40 * 100_000
        assert end == long.newest()
        assert max(map(len, readings)) <= READ_LIMIT + 100_000
        assert long._memo._used <= 1024 * 1024

    def test_a_long_log_comes_in_pieces(self, store: LiveStore, log: ChangeLog) -> None:
        start = log.newest()
        for number in range(1100):
            store.add(new_process(f"p{number}"))
        readings, end = everything(log.source(), start)
        lines = b"".join(readings).splitlines()
        assert lines == [f"process-added p{number}".encode() for number in range(1100)]
        assert len(readings) > 1
        assert end == log.newest()

    def test_a_store_that_cannot_be_read_now_says_so(
        self, log: ChangeLog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(after: int, limit: int = 0) -> object:
            raise StoreUnavailable("not now")

        monkeypatch.setattr(log.store, "changes", fail)
        with pytest.raises(StoreUnavailable, match="not now"):
            log.source().read(0)


class TestWorkspaces:
    def test_what_concerns_others_is_passed_over(self, store: LiveStore, log: ChangeLog) -> None:
        start = log.newest()
        for number in range(700):
            store.add(new_process(f"p{number}", workspace="other"))
        store.add(new_process("ours", workspace="w"))
        assert log.source("w").read(start) == (b"process-added ours\n", log.newest(), False)
        assert log.source("nobody's").read(start) == (b"", log.newest(), False)

    def test_of_a_clearing_its_own_is_told(self, store: LiveStore, log: ChangeLog) -> None:
        store.add(new_process("a", workspace="w", status="failed"))
        store.add(new_process("b", workspace="other", status="failed"))
        start = log.newest()
        store.clear(["failed"])
        assert log.source("w").read(start).data == b"processes-cleared a\n"
        assert log.source().read(start).data.startswith(b"processes-cleared ")

    def test_sources_are_the_same_where_protocol_and_workspace_are(
        self, store: LiveStore, log: ChangeLog
    ) -> None:
        assert log.source("w").key == log.source("w").key
        keys = {log.source().key, log.source("w").key, log.source("v").key}
        keys.add(ChangeLog(store, "another", frame, resync).source().key)
        assert len(keys) == 4


class TestWhatIsNoLongerKnown:
    @pytest.mark.parametrize("distance", [1, 2**62, 2**64])
    def test_after_a_number_of_the_future_it_goes_on_from_now(
        self, store: LiveStore, log: ChangeLog, distance: int
    ) -> None:
        store.add(new_process("a"))
        now = log.newest()
        reading = log.source("w").read(now + distance)
        assert reading == Reading(resync(now), now, ended=False)
        store.add(new_process("b", workspace="w"))
        assert log.source("w").read(reading.cursor).data == b"process-added b\n"

    def test_a_number_of_the_future_is_good_once_it_is_given_out(
        self, store: LiveStore, log: ChangeLog
    ) -> None:
        future = log.newest() + 1
        assert log.source().read(future).data.startswith(b"resync")
        store.add(new_process("a"))
        assert log.newest() == future
        assert log.source().read(future) == Reading(b"", future, ended=False)

    def test_after_a_number_that_the_store_forgot_too(
        self, store: LiveStore, log: ChangeLog
    ) -> None:
        start = log.newest()
        for number in range(20):
            store.add(new_process(f"p{number}", prompt_preview="x" * 1_000_000))
        now = log.newest()
        assert log.source().read(start) == (resync(now), now, False)


class TestWatching:
    def test_a_change_made_here_wakes_before_it_returns(self, tmp_path: Path) -> None:
        store = LiveStore(Spy(open_store(tmp_path)), poll=NEVER)  # nobody else rings
        log = ChangeLog(store, "test", frame, resync)
        woken: list[int] = []
        unwatch = log.source().watch(lambda: woken.append(log.newest()))
        before = len(woken)
        store.add(new_process("a"))
        assert log.newest() in woken[before:]
        unwatch()
        unwatch()
        before = len(woken)
        store.add(new_process("b"))
        assert len(woken) == before
        store.close()

    def test_a_change_made_by_another_worker_wakes(
        self, log: ChangeLog, other: ProcessStore
    ) -> None:
        woken: list[int] = []
        unwatch = log.source().watch(lambda: woken.append(log.newest()))
        other.add(new_process("a"))
        seq = other.changes(0).last
        wait_until(lambda: seq in woken, timeout=5)
        unwatch()

    def test_without_any_doorbell_it_looks_by_itself(self, tmp_path: Path) -> None:
        with_none = Spy(open_store(tmp_path))
        feed = Feed(with_none, poll=0.02)
        woken: list[int] = []
        unwatch = feed.watch_changes(lambda: woken.append(with_none.changes(0).last))
        with_none.add(new_process("a"))
        seq = with_none.changes(0).last
        wait_until(lambda: seq in woken, timeout=5)
        unwatch()
        feed.close()
        with_none.close()

    def test_a_lost_doorbell_costs_time_alone(self, tmp_path: Path) -> None:
        shared = SharedSpy(open_store(tmp_path))
        feed = Feed(shared, poll=0.02)
        woken: list[int] = []
        feed.watch_changes(lambda: woken.append(0))
        before = len(woken)
        wait_until(lambda: len(woken) > before + 2, timeout=5)
        feed.close()
        shared.close()

    def test_a_feed_that_is_closed_cannot_be_watched(
        self, store: LiveStore, log: ChangeLog
    ) -> None:
        store.feed.close()
        with pytest.raises(StoreUnavailable):
            log.source().watch(lambda: None)
