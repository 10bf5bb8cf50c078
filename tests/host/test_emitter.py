"""A process's output told to callbacks: each chunk in order, then its end, exactly once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline_host.emitter import Completion, OutputEvent
from pipeline_host.errors import NotFound
from pipeline_host.feed import Feed
from pipeline_host.models import Chunk
from pipeline_host.store import READ_LIMIT, ProcessStore
from pipeline_host.testing.store_base import chunks, new_process
from pipeline_host.testing.waiting import wait_until
from pipeline_host.transitions import completed

from .following import NEVER, Spy, ended, open_store, told, waiting


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


def test_what_is_written_from_now_on_is_told_and_then_the_end(
    store: ProcessStore, feed: Feed, process: str
) -> None:
    store.append_output(process, chunks("before"))
    seen: list[OutputEvent] = []
    feed.on_process_output(process, seen.append)
    store.append_output(process, chunks("one", "zwölf"))
    store.append_output(process, chunks("three", stream="stderr"))
    store.update(process, completed("completed", "2m 34s"))
    told(seen, 4)
    assert [(e.content, e.stream, e.offset) for e in seen if isinstance(e, Chunk)] == [
        ("one", None, 6),
        ("zwölf", None, 9),
        ("three", "stderr", 15),
    ]
    assert seen[3] == Completion(status="completed", duration="2m 34s")


def test_with_a_place_all_output_from_there_comes_first(
    store: ProcessStore, feed: Feed, process: str
) -> None:
    store.append_output(process, chunks("before", "日本"))
    texts: dict[int, list[OutputEvent]] = {0: [], 3: [], 6: [], 7: [], 9: []}
    for after, seen in texts.items():
        feed.on_process_output(process, seen.append, after=after)
    store.append_output(process, chunks("now"))
    store.update(process, completed("completed"))
    for seen in texts.values():
        ended(seen)
    assert {
        after: "".join(event.content for event in seen if isinstance(event, Chunk))
        for after, seen in texts.items()
    } == {0: "before日本now", 3: "ore日本now", 6: "日本now", 7: "本now", 9: "本now"}


def test_an_ended_process_is_told_at_once(store: ProcessStore, feed: Feed, process: str) -> None:
    store.append_output(process, chunks("before"))
    store.update(process, completed("failed"))
    seen: list[OutputEvent] = []
    feed.on_process_output(process, seen.append)
    told(seen, 1)
    assert isinstance(seen[0], Completion)
    assert seen[0].status == "failed"


@pytest.mark.parametrize("again", [False, True], ids=["gone", "made again"])
def test_a_removed_process_ends_with_its_last_status(
    store: ProcessStore, feed: Feed, process: str, again: bool
) -> None:
    seen: list[OutputEvent] = []
    feed.on_process_output(process, seen.append)
    store.remove(process)
    if again:
        store.add(new_process(process))
        store.append_output(process, chunks("of another process"))
    told(seen, 1)
    assert seen == [Completion(status="running", removed=True)]


def test_an_unknown_process_cannot_be_followed(feed: Feed) -> None:
    with pytest.raises(NotFound):
        feed.on_process_output("nobody", lambda _: None)


def test_more_output_than_one_read_is_told_completely(
    store: ProcessStore, feed: Feed, process: str
) -> None:
    text = "".join(f"line {number}\n" for number in range(60_000))
    assert len(text) > 2 * READ_LIMIT
    store.append_output(process, chunks(text))
    store.update(process, completed("completed"))
    seen: list[OutputEvent] = []
    feed.on_process_output(process, seen.append, after=0)
    ended(seen)
    assert "".join(event.content for event in seen if isinstance(event, Chunk)) == text


def test_the_emitter_is_gone_after_the_end(store: ProcessStore, feed: Feed, process: str) -> None:
    seen: list[OutputEvent] = []
    feed.on_process_output(process, seen.append)
    feed.on_process_output(process, seen.append)
    assert (len(feed._emitters), feed.watching) == (1, 1)
    store.update(process, completed("completed"))
    told(seen, 2)
    wait_until(lambda: (len(feed._emitters), feed.watching) == (0, 0))


def test_the_emitter_is_gone_with_its_last_subscriber(feed: Feed, process: str) -> None:
    first = feed.on_process_output(process, lambda _: None)
    second = feed.on_process_output(process, lambda _: None)
    first()
    first()
    assert len(feed._emitters) == 1
    second()
    assert (len(feed._emitters), feed.watching) == (0, 0)


def test_one_that_raises_harms_nobody(
    store: ProcessStore,
    feed: Feed,
    process: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(event: OutputEvent) -> None:
        raise ValueError(event)

    seen: list[OutputEvent] = []
    feed.on_process_output(process, broken)
    feed.on_process_output(process, seen.append)
    store.append_output(process, chunks("one", "two"))
    store.update(process, completed("completed"))
    told(seen, 3)
    assert feed.failures == 3
    assert len([record for record in caplog.records if record.exc_info]) == 1


def test_a_callback_may_unsubscribe_in_the_middle_of_a_batch(
    store: ProcessStore, feed: Feed, process: str
) -> None:
    seen: list[OutputEvent] = []

    def once(event: OutputEvent) -> None:
        seen.append(event)
        unsubscribe()

    store.append_output(process, chunks("one", "two"))
    ready = threading.Event()
    blocker = feed.on_process_output(process, waiting(ready), after=0)
    unsubscribe = feed.on_process_output(process, once, after=0)
    ready.set()
    told(seen, 1)
    blocker()
    store.update(process, completed("completed"))
    wait_until(lambda: len(feed._emitters) == 0)
    assert len(seen) == 1


def test_a_store_that_fails_for_a_while_costs_only_time(
    store: ProcessStore, process: str, caplog: pytest.LogCaptureFixture
) -> None:
    spy = Spy(store)
    feed = Feed(spy, poll=0.01)
    seen: list[OutputEvent] = []
    feed.on_process_output(process, seen.append)
    spy.unreadable = True
    store.append_output(process, chunks("one"))
    feed.ring(process)
    wait_until(lambda: any("reading output" in record.message for record in caplog.records))
    glances = spy.glances
    wait_until(lambda: spy.glances > glances + 2)
    spy.unreadable = False
    told(seen, 1)
    feed.close()


def test_a_process_replaced_while_its_end_is_read_is_told_as_removed(
    store: ProcessStore, process: str
) -> None:
    spy = Spy(store)
    feed = Feed(spy, poll=NEVER)
    seen: list[OutputEvent] = []
    feed.on_process_output(process, seen.append)

    def replace() -> None:
        spy.before_get = lambda: None
        store.remove(process)
        store.add(new_process(process, status="completed"))

    spy.before_get = replace
    store.update(process, completed("failed"))
    feed.ring(process)
    told(seen, 1)
    assert seen == [Completion(status="failed", removed=True)]
    feed.close()
