"""The live store: reads as the store below it, and whoever follows hears of each change at once."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline_host.emitter import Completion, OutputEvent
from pipeline_host.errors import NotFound, TerminalState
from pipeline_host.hookspecs import StoreContext
from pipeline_host.live import LiveStore
from pipeline_host.models import Change, Chunk, Process, ProcessFilter, Workspace
from pipeline_host.store import ProcessStore
from pipeline_host.testing.store_base import chunks, new_process, set_fields
from pipeline_host.testing.waiting import wait_until
from pipeline_host.transitions import completed
from pipeline_host_filestore import plugin

NEVER = 3600.0


@pytest.fixture
def inner(tmp_path: Path) -> ProcessStore:
    (spec,) = plugin.pipeline_host_process_stores()
    store: ProcessStore = spec.factory(StoreContext(tmp_path, spec.options()))
    return store


@pytest.fixture
def store(inner: ProcessStore) -> Iterator[LiveStore]:
    """A live store on one without a doorbell, that never looks by itself: only rings are heard."""
    live = LiveStore(LiveStore(inner), poll=NEVER)
    yield live
    live.close()


@pytest.fixture
def seen(store: LiveStore) -> list[Change]:
    seen: list[Change] = []
    store.on_process_change(seen.append)
    return seen


def test_it_has_every_method_of_a_store(store: LiveStore) -> None:
    for name in ProcessStore.__abstractmethods__:
        assert name in vars(LiveStore), name
        if callable(getattr(ProcessStore, name)):
            expected = inspect.signature(getattr(ProcessStore, name))
            assert inspect.signature(getattr(LiveStore, name)) == expected, name


def test_reading_gives_what_the_store_below_gives(store: LiveStore) -> None:
    store.add(new_process("p"))
    store.append_output("p", chunks("text"))
    store.register_workspace(Workspace(id="w", name="w", root_path="/w"))
    below = store.inner
    assert store.epoch == below.epoch
    assert store.get("p") == below.get("p")
    assert store.list(ProcessFilter()) == below.list(ProcessFilter())
    assert store.stats() == below.stats()
    assert store.workspaces() == below.workspaces()
    assert store.changes(0) == below.changes(0)
    assert store.read_output("p", 1) == below.read_output("p", 1)


CHANGES: dict[str, Callable[[LiveStore], object]] = {
    "process-added": lambda store: store.add(new_process("q")),
    "process-updated": lambda store: store.update("p", set_fields(result="x")),
    "process-removed": lambda store: store.remove("p"),
    "processes-cleared": lambda store: store.clear(["running"]),
    "workspace-registered": lambda store: store.register_workspace(
        Workspace(id="w", name="w", root_path="/w")
    ),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_each_change_made_here_is_heard_at_once(
    store: LiveStore, seen: list[Change], kind: str
) -> None:
    store.add(new_process("p"))
    wait_until(lambda: len(seen) == 1)
    CHANGES[kind](store)
    wait_until(lambda: len(seen) == 2)
    assert seen[1].kind == kind


def test_pruning_is_heard_at_once(store: LiveStore, seen: list[Change]) -> None:
    store.add(new_process("p", status="completed"))
    assert list(store.prune(max_count=0, max_age=timedelta(days=1))) == ["p"]
    wait_until(lambda: len(seen) == 2)
    assert [removed.id for removed in seen[1].removed] == ["p"]


ENDS: dict[str, Callable[[LiveStore], object]] = {
    "update": lambda store: store.update("p", completed("failed")),
    "remove": lambda store: store.remove("p"),
    "clear": lambda store: store.clear(["running"]),
    "output": lambda store: store.append_output("p", chunks("x")),
}


@pytest.mark.parametrize("how", ENDS)
def test_followers_are_woken_before_the_change_returns(store: LiveStore, how: str) -> None:
    store.add(new_process("p"))
    woken = threading.Event()
    store.watch_output("p", woken.set)
    wait_until(lambda: not store.feed._bell.is_set())
    woken.clear()
    ENDS[how](store)
    assert woken.is_set()


def test_emitting_output_adds_to_it_and_tells_its_length(store: LiveStore) -> None:
    store.add(new_process("p"))
    seen: list[OutputEvent] = []
    store.on_process_output("p", seen.append)
    assert store.emit_process_output("p", "日本") == 6
    assert store.emit_process_output("p", "!") == 7
    wait_until(lambda: len(seen) == 2)
    assert [event.content for event in seen if isinstance(event, Chunk)] == ["日本", "!"]


def test_emitting_completion_ends_the_process_and_tells_everybody_once(
    store: LiveStore, seen: list[Change]
) -> None:
    store.add(new_process("p"))
    output: list[OutputEvent] = []
    store.on_process_output("p", output.append)
    ended = store.emit_process_complete("p", "completed", "1h 5m")
    assert ended.status == "completed"
    assert ended.end_time == "2026-11-22T08:05:00.000Z"
    assert store.emit_process_complete("p", "completed").status == "completed"
    wait_until(lambda: len(seen) == 2 and output)
    assert output == [Completion(status="completed", duration="1h 5m")]


def test_completing_with_another_status_is_refused(store: LiveStore) -> None:
    store.add(new_process("p"))
    store.emit_process_complete("p", "failed")
    with pytest.raises(TerminalState):
        store.emit_process_complete("p", "completed")
    with pytest.raises(TerminalState):
        store.emit_process_output("p", "late")
    with pytest.raises(NotFound):
        store.emit_process_output("nobody", "x")
    with pytest.raises(ValueError, match="status"):
        store.emit_process_complete("p", "running")
    with pytest.raises(ValueError, match="2m 34s"):
        store.emit_process_complete("p", "failed", "a while")


def test_a_refused_change_rings_nobody(store: LiveStore) -> None:
    def refuse(process: Process) -> Process:
        raise ValueError("no")

    store.add(new_process("p"))
    woken = threading.Event()
    store.watch_output("p", woken.set)
    wait_until(lambda: not store.feed._bell.is_set())
    woken.clear()
    with pytest.raises(ValueError, match="no"):
        store.update("p", refuse)
    assert not woken.is_set()
    assert not store.feed._bell.is_set()


def test_closing_ends_the_feed_and_the_store_below(inner: ProcessStore) -> None:
    live = LiveStore(inner)
    live.on_process_change(lambda _: None)
    live.close()
    assert not any(thread.name == "feed" for thread in threading.enumerate())
