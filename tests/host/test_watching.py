"""Watching output: woken for one's own process, and told how it was when it went."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline_host.feed import Feed
from pipeline_host.models import Change
from pipeline_host.store import ProcessStore
from pipeline_host.testing.store_base import chunks, new_process, set_fields
from pipeline_host.testing.waiting import wait_until
from pipeline_host.transitions import completed

from .following import NEVER, Spy, open_store


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
def process(store: ProcessStore) -> str:
    store.add(new_process("p"))
    return "p"


def test_it_is_rung_for_its_own_process_only(store: ProcessStore, process: str) -> None:
    feed = Feed(Spy(store), poll=NEVER)
    rung: list[str] = []
    feed.watch_output(process, lambda: rung.append("p"))
    feed.watch_output("q", lambda: rung.append("q"))
    wait_until(lambda: not feed._bell.is_set())
    rung.clear()
    feed.ring(process)
    assert rung == ["p"]
    feed.close()


def test_output_that_nobody_rang_for_is_noticed(store: ProcessStore, process: str) -> None:
    feed = Feed(Spy(store), poll=0.02)
    woken = threading.Event()
    feed.watch_output(process, woken.set)
    assert woken.wait(10)
    woken.clear()
    store.append_output(process, chunks("x"))
    assert woken.wait(10)
    feed.close()


@pytest.mark.parametrize("end", ["completed", "removed", "cleared"])
def test_an_end_that_the_change_log_tells_wakes(
    store: ProcessStore, process: str, end: str
) -> None:
    spy = Spy(store)
    feed = Feed(spy, poll=NEVER)
    woken = threading.Event()
    feed.watch_output(process, woken.set)
    wait_until(lambda: not feed._bell.is_set())
    store.update(process, set_fields(result="not the end"))
    feed.ring(None)
    wait_until(lambda: feed._seq == store.changes(2**63 - 1, 1).last)
    assert not woken.is_set()
    if end == "completed":
        store.update(process, completed("completed"))
    elif end == "removed":
        store.remove(process)
    else:
        store.clear(["running"])
    feed.ring(None)
    assert woken.wait(10)
    feed.close()


def test_where_changes_were_forgotten_everybody_looks(store: ProcessStore, process: str) -> None:
    spy = Spy(store)
    feed = Feed(spy, poll=NEVER)
    woken = threading.Event()
    feed.watch_output(process, woken.set)
    wait_until(lambda: not feed._bell.is_set())
    store.update(process, completed("completed"))
    store.add(new_process("q"))
    spy.kept = 1
    feed.ring(None)
    assert woken.wait(10)
    feed.close()


def test_ended_twice_it_ends_once(feed: Feed, process: str) -> None:
    first = feed.watch_output(process, lambda: None)
    second = feed.watch_output(process, lambda: None)
    assert feed.watching == 2
    first()
    first()
    assert feed.watching == 1
    second()
    assert feed.watching == 0


def test_the_last_status_of_a_removed_process_is_known_at_once(
    store: ProcessStore, process: str
) -> None:
    feed = Feed(Spy(store), poll=NEVER)
    watch = feed.watch_output(process, lambda: None)
    wait_until(lambda: not feed._bell.is_set())
    assert watch.last_status("running") == "running"
    store.update(process, completed("cancelled"))
    store.remove(process)
    assert watch.last_status("running") == "cancelled"
    feed.close()


def test_it_is_the_last_one_also_while_earlier_changes_are_being_told(
    store: ProcessStore, process: str
) -> None:
    feed = Feed(Spy(store), poll=NEVER)
    watch = feed.watch_output(process, lambda: None)
    written = threading.Event()
    answers: list[str] = []

    def ask(change: Change) -> None:
        assert written.wait(10)
        answers.append(watch.last_status("running"))

    feed.on_process_change(ask)
    wait_until(lambda: not feed._bell.is_set())
    store.update(process, set_fields(result="x"))
    store.update(process, completed("cancelled"))
    store.remove(process)
    written.set()
    feed.ring(None)
    wait_until(lambda: len(answers) == 3)
    assert answers == ["cancelled"] * 3
    feed.close()


def test_it_is_not_that_of_another_process_of_the_same_id(
    store: ProcessStore, feed: Feed, process: str
) -> None:
    store.update(process, completed("failed"))
    store.remove(process)
    store.add(new_process(process))
    watch = feed.watch_output(process, lambda: None)
    assert watch.last_status("queued") == "queued"
    store.remove(process)
    store.add(new_process(process))
    store.update(process, completed("failed"))
    store.remove(process)
    assert watch.last_status("queued") == "running"
