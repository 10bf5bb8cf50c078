"""The feed: everybody in one worker hears of every change, wherever it was made."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline_host.emitter import Completion, OutputEvent
from pipeline_host.errors import StoreUnavailable
from pipeline_host.feed import Feed
from pipeline_host.models import Change, Workspace
from pipeline_host.store import DoorbellStore, ProcessStore
from pipeline_host.testing.store_base import chunks, new_process
from pipeline_host.testing.waiting import wait_until
from pipeline_host.transitions import completed

from .following import NEVER, SharedSpy, Spy, open_store, told, waiting


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ProcessStore]:
    store = open_store(tmp_path)
    yield store
    store.close()


@pytest.fixture
def feed(store: ProcessStore) -> Iterator[Feed]:
    """A feed that looks by itself often, for what nobody rings it for."""
    feed = Feed(store, poll=0.02)
    yield feed
    feed.close()


@pytest.fixture
def other(store: ProcessStore, tmp_path: Path) -> Iterator[ProcessStore]:
    """Another worker's opening of the same data."""
    other = open_store(tmp_path)
    yield other
    other.close()


def feed_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "feed"]


class TestChanges:
    def test_every_change_from_the_subscription_on_is_told_in_order(
        self, store: ProcessStore, feed: Feed
    ) -> None:
        store.add(new_process("before"))
        seen: list[Change] = []
        feed.on_process_change(seen.append)
        store.add(new_process("a"))
        store.update("a", completed("completed"))
        store.remove("a")
        told(seen, 3)
        assert [change.kind for change in seen] == [
            "process-added",
            "process-updated",
            "process-removed",
        ]
        assert [change.seq for change in seen] == sorted(change.seq for change in seen)

    def test_a_later_listener_is_not_told_what_came_before_it(self, store: ProcessStore) -> None:
        spy = Spy(store)
        feed = Feed(spy, poll=NEVER)
        first: list[Change] = []
        second: list[Change] = []
        feed.on_process_change(first.append)
        wait_until(lambda: len(spy.looked) == 2)
        store.add(new_process("a"))
        feed.on_process_change(second.append)
        store.add(new_process("b"))
        feed.ring(None)
        told(first, 2)
        told(second, 1)
        feed.close()

    def test_for_the_first_listener_nothing_old_is_read(self, store: ProcessStore) -> None:
        store.add(new_process("old"))
        spy = Spy(store)
        feed = Feed(spy, poll=NEVER)
        seen: list[Change] = []
        feed.on_process_change(seen.append)
        wait_until(lambda: len(spy.looked) == 2)
        assert min(spy.looked) == store.changes(0, 1).last
        feed.close()

    def test_what_happened_while_nobody_listened_is_not_told(
        self, store: ProcessStore, feed: Feed
    ) -> None:
        seen: list[Change] = []
        feed.on_process_change(seen.append)()
        store.add(new_process("a"))
        feed.on_process_change(seen.append)
        store.add(new_process("b"))
        told(seen, 1)
        assert seen[0].process is not None
        assert seen[0].process.id == "b"

    def test_more_changes_than_one_read_are_all_told_after_one_ring(
        self, store: ProcessStore
    ) -> None:
        spy = Spy(store)
        spy.batch = 3
        feed = Feed(spy, poll=NEVER)
        seen: list[Change] = []
        feed.on_process_change(seen.append)
        wait_until(lambda: not feed._bell.is_set())
        for number in range(10):
            store.register_workspace(Workspace(id=f"{number}", name="w", root_path="/"))
        feed.ring(None)
        told(seen, 10)
        assert [change.seq for change in seen] == sorted({change.seq for change in seen})
        feed.close()

    def test_after_unsubscribing_nothing_more_is_told(
        self, store: ProcessStore, feed: Feed
    ) -> None:
        gone: list[Change] = []
        seen: list[Change] = []
        unsubscribe = feed.on_process_change(gone.append)
        feed.on_process_change(seen.append)
        unsubscribe()
        unsubscribe()
        store.add(new_process("a"))
        told(seen, 1)
        assert gone == []

    def test_a_listener_may_unsubscribe_and_write_while_it_is_told(
        self, store: ProcessStore, feed: Feed
    ) -> None:
        seen: list[Change] = []
        once: list[Change] = []

        def first(change: Change) -> None:
            unsubscribe()
            once.append(change)
            store.add(new_process("from the callback"))

        unsubscribe = feed.on_process_change(first)
        feed.on_process_change(seen.append)
        store.add(new_process("a"))
        told(seen, 2)
        assert len(once) == 1

    def test_one_that_raises_is_logged_once_and_counted_and_harms_nobody(
        self, store: ProcessStore, feed: Feed, caplog: pytest.LogCaptureFixture
    ) -> None:
        def broken(change: Change) -> None:
            raise ValueError(f"no {change.kind}")

        seen: list[Change] = []
        feed.on_process_change(broken)
        feed.on_process_change(seen.append)
        for name in "abc":
            store.add(new_process(name))
        told(seen, 3)
        assert feed.failures == 3
        errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
        assert len(errors) == 1
        assert errors[0].exc_info is not None
        assert "broken" in errors[0].getMessage()

    def test_a_listener_learns_that_changes_were_forgotten(self, store: ProcessStore) -> None:
        spy = Spy(store)
        feed = Feed(spy, poll=0.02)
        seen: list[Change] = []
        resyncs: list[int] = []
        busy = threading.Event()
        feed.on_process_change(waiting(busy))
        feed.on_process_change(seen.append, on_resync=resyncs.append)
        store.add(new_process("a"))
        wait_until(lambda: feed._seq > 0)
        spy.kept = 2
        for name in "bcdef":
            store.add(new_process(name))
        busy.set()
        wait_until(lambda: resyncs)
        store.add(new_process("after"))
        wait_until(lambda: seen and seen[-1].process and seen[-1].process.id == "after")
        feed.close()
        assert resyncs == [store.changes(2**63 - 1, 1).last - 1]

    def test_a_store_that_fails_for_a_while_is_logged_once_and_nothing_is_missed(
        self, store: ProcessStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        spy = Spy(store)
        feed = Feed(spy, poll=0.01)
        seen: list[Change] = []
        feed.on_process_change(seen.append)
        for round_ in range(2):
            caplog.clear()
            spy.unavailable = True
            store.add(new_process(f"{round_}"))
            wait_until(lambda: caplog.records)
            feed.ring(None)
            spy.unavailable = False
            told(seen, round_ + 1)
            assert len([record for record in caplog.records if record.exc_info]) == 1
        feed.close()


class TestThread:
    def test_it_starts_with_the_first_subscription_and_ends_with_the_feed(
        self, store: ProcessStore
    ) -> None:
        feed = Feed(store)
        assert feed_threads() == []
        feed.on_process_change(lambda _: None)
        feed.on_process_change(lambda _: None)
        assert len(feed_threads()) == 1
        feed.close()
        assert feed_threads() == []

    def test_a_feed_that_was_never_used_can_be_closed(self, store: ProcessStore) -> None:
        feed = Feed(store)
        feed.ring(None)
        feed.ring("p")
        feed.close()
        feed.close()

    def test_a_callback_may_close_the_feed(self, store: ProcessStore) -> None:
        feed = Feed(store, poll=0.02)
        feed.on_process_change(lambda _: feed.close())
        store.add(new_process("a"))
        wait_until(lambda: feed_threads() == [])

    def test_a_closed_feed_takes_no_more_subscriptions(self, store: ProcessStore) -> None:
        store.add(new_process("p"))
        feed = Feed(store)
        feed.close()
        with pytest.raises(StoreUnavailable):
            feed.on_process_change(lambda _: None)
        with pytest.raises(StoreUnavailable):
            feed.watch_output("p", lambda: None)
        with pytest.raises(StoreUnavailable):
            feed.on_process_output("p", lambda _: None)
        assert feed_threads() == []


class TestDoorbell:
    def test_a_store_is_listened_to_once_a_process_and_once_for_changes(
        self, store: ProcessStore
    ) -> None:
        store.add(new_process("p"))
        spy = SharedSpy(store)
        assert isinstance(spy, DoorbellStore)
        feed = Feed(spy, poll=NEVER)
        ends = [feed.watch_output("p", lambda: None) for _ in range(3)]
        ends.append(feed.watch_output("q", lambda: None))
        feed.on_process_output("p", lambda _: None)
        feed.on_process_change(lambda _: None)
        assert sorted(str(name) for name in spy.listening) == ["None", "p", "q"]
        for end in ends:
            end()
        assert sorted(str(name) for name in spy.listening) == ["None", "p"]
        feed.close()
        assert spy.listening == []

    def test_the_stores_doorbell_is_enough_to_hear(self, store: ProcessStore) -> None:
        store.add(new_process("p"))
        spy = SharedSpy(store)
        feed = Feed(spy, poll=NEVER)
        seen: list[Change] = []
        woken = threading.Event()
        feed.on_process_change(seen.append)
        feed.watch_output("p", woken.set)
        store.add(new_process("q"))
        spy.rings[None]()
        told(seen, 1)
        woken.clear()
        spy.rings["p"]()
        assert woken.is_set()
        feed.close()

    def test_another_workers_changes_and_output_are_heard(
        self, store: ProcessStore, other: ProcessStore
    ) -> None:
        feed = Feed(store, poll=NEVER)
        seen: list[Change] = []
        output: list[OutputEvent] = []
        feed.on_process_change(seen.append)
        other.add(new_process("p"))
        told(seen, 1)
        feed.on_process_output("p", output.append)
        other.append_output("p", chunks("from there"))
        told(output, 1)
        other.update("p", completed("failed"))
        told(seen, 2)
        told(output, 2)
        assert isinstance(output[1], Completion)
        feed.close()


def test_where_gevent_patched_everything_rings_come_from_greenlets_and_threads(
    tmp_path: Path,
) -> None:
    program = Path(__file__).with_name("gevent_feed.py")
    run = subprocess.run(
        [sys.executable, "-m", "gevent.monkey", str(program), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (run.stdout, run.returncode) == ("greenlet,thread,end\n", 0), run.stderr
