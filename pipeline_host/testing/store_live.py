"""The contract on what is live: a bare store, wrapped by the host, tells of everything at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from pipeline_host.emitter import Completion, OutputEvent
from pipeline_host.errors import NotFound, TerminalState
from pipeline_host.live import LiveStore
from pipeline_host.models import Change, Chunk, Workspace
from pipeline_host.testing.store_base import (
    StoreContractBase,
    changes_since,
    chunks,
    moment,
    new_process,
    newest,
    race,
    set_fields,
    text_of,
)
from pipeline_host.testing.store_state import UNKNOWN
from pipeline_host.transitions import cancelled

POLL = 0.05
"""How long a change that nobody rang for may go unnoticed in these tests, in seconds."""


class Follower:
    """Takes what a subscription tells of one process's output."""

    def __init__(self) -> None:
        self.events: list[OutputEvent] = []

    def __call__(self, event: OutputEvent) -> None:
        self.events.append(event)

    @property
    def text(self) -> str:
        return "".join(event.content for event in self.events if isinstance(event, Chunk))

    @property
    def ends(self) -> list[Completion]:
        return [event for event in self.events if isinstance(event, Completion)]


class LiveContractBase(StoreContractBase):
    @pytest.fixture
    def live(self, folder: Path) -> Iterator[LiveStore]:
        """The store as the host has it, with one running process, ``p``."""
        live = LiveStore(self.open_store(folder), poll=POLL)
        live.add(new_process())
        yield live
        live.close()

    def end_of(self, follower: Follower) -> Completion:
        self.wait_for(lambda: follower.ends, "the end of the output")
        assert follower.events[-1:] == follower.ends, "one end, and nothing after it"
        return follower.ends[0]


class LiveChangeContract(LiveContractBase):
    def test_every_change_is_told_once_in_order(self, live: LiveStore) -> None:
        told: list[Change] = []
        before = newest(live)
        live.on_process_change(told.append)
        live.add(new_process("q"))
        live.update("q", set_fields(status="completed"))
        live.register_workspace(Workspace(id="w", name="one", root_path="/1"))
        live.remove("q")
        live.clear(["running"])
        self.wait_for(lambda: len(told) >= 5, "five changes")
        assert told == changes_since(live, before)

    def test_concurrent_changes_are_all_told_in_order(self, live: LiveStore) -> None:
        told: list[Change] = []
        before = newest(live)
        live.on_process_change(told.append)

        def work(worker: int) -> None:
            for turn in range(6):
                live.add(new_process(f"{worker}-{turn}"))

        race(*[lambda worker=worker: work(worker) for worker in range(4)])
        self.wait_for(lambda: len(told) >= 24, "24 changes")
        assert told == changes_since(live, before)

    def test_only_what_comes_later_is_told(self, live: LiveStore) -> None:
        first: list[Change] = []
        second: list[Change] = []
        live.on_process_change(first.append)
        live.update("p", set_fields(result="1"))
        live.on_process_change(second.append)
        live.update("p", set_fields(result="2"))
        self.wait_for(lambda: len(first) == 2 and second, "both callbacks")
        assert second == first[1:]

    def test_who_unsubscribed_is_told_no_more(self, live: LiveStore) -> None:
        gone: list[Change] = []
        here: list[Change] = []
        stop = live.on_process_change(gone.append)
        live.on_process_change(here.append)
        stop()
        live.update("p", set_fields(result="r"))
        self.wait_for(lambda: here, "the change")
        assert gone == []

    def test_a_callback_that_raises_harms_no_other(self, live: LiveStore) -> None:
        told: list[Change] = []

        def bad(change: Change) -> None:
            raise ValueError(change.seq)

        live.on_process_change(bad)
        live.on_process_change(told.append)
        for number in range(3):
            live.update("p", set_fields(result=f"{number}"))
        self.wait_for(lambda: len(told) == 3, "three changes")

    def test_a_change_that_nobody_rang_for_is_found(self, live: LiveStore) -> None:
        told: list[Change] = []
        live.on_process_change(told.append)
        live.inner.update("p", set_fields(result="r"))
        self.wait_for(lambda: told, "the change made behind the host's back")


class LiveOutputContract(LiveContractBase):
    def test_output_is_told_from_the_start_to_the_end(self, live: LiveStore) -> None:
        live.append_output("p", chunks("before é ", "日 "))
        follower = Follower()
        live.on_process_output("p", follower, 0)
        for number in range(5):
            live.emit_process_output("p", f"{number} ")
        live.emit_process_complete("p", "completed")
        assert self.end_of(follower).status == "completed"
        assert follower.text == text_of(live, "p") == "before é 日 0 1 2 3 4 "

    def test_output_is_told_from_now_on(self, live: LiveStore) -> None:
        live.append_output("p", chunks("before "))
        follower = Follower()
        live.on_process_output("p", follower)
        live.append_output("p", chunks("after"))
        live.update("p", cancelled)
        assert self.end_of(follower).status == "cancelled"
        assert follower.text == "after"

    def test_chunks_are_told_as_they_were_written(self, live: LiveStore) -> None:
        follower = Follower()
        live.on_process_output("p", follower, 0)
        live.append_output("p", [Chunk(content="o", stream="stdout"), Chunk(content="é")])
        live.update("p", set_fields(status="completed"))
        self.end_of(follower)
        told = [event for event in follower.events if isinstance(event, Chunk)]
        assert [(chunk.content, chunk.stream) for chunk in told] == [("o", "stdout"), ("é", None)]
        assert told == list(live.read_output("p").chunks)

    def test_an_ended_process_is_told_whole(self, live: LiveStore) -> None:
        live.append_output("p", chunks("all of it"))
        live.update("p", set_fields(status="failed"))
        follower = Follower()
        live.on_process_output("p", follower, 0)
        assert self.end_of(follower).status == "failed"
        assert follower.text == "all of it"

    @pytest.mark.parametrize("how", ["remove", "clear"])
    def test_a_removed_process_ends_its_output(self, live: LiveStore, how: str) -> None:
        live.append_output("p", chunks("text"))
        follower = Follower()
        live.on_process_output("p", follower, 0)
        self.wait_for(lambda: follower.text, "the text")
        if how == "remove":
            live.remove("p")
        else:
            live.clear(["running"])
        end = self.end_of(follower)
        assert (end.status, end.removed) == ("running", True)

    def test_concurrent_output_is_told_in_its_order(self, live: LiveStore) -> None:
        followers = [Follower(), Follower()]
        for follower in followers:
            live.on_process_output("p", follower, 0)

        def write(writer: str) -> None:
            for turn in range(8):
                live.append_output("p", chunks(f"{writer}é{turn} "))

        race(*[lambda writer=writer: write(writer) for writer in "abc"])
        live.update("p", set_fields(status="completed"))
        for follower in followers:
            self.end_of(follower)
            assert follower.text == text_of(live, "p")
            assert len(follower.text) == 3 * 8 * len("aé0 ")

    def test_who_left_an_output_is_told_no_more(self, live: LiveStore) -> None:
        gone, here = Follower(), Follower()
        stop = live.on_process_output("p", gone, 0)
        live.on_process_output("p", here, 0)
        stop()
        live.emit_process_output("p", "x")
        live.emit_process_complete("p", "completed")
        self.end_of(here)
        assert gone.events == []

    def test_output_of_nobody_is_not_found(self, live: LiveStore) -> None:
        for call in (
            lambda: live.on_process_output(UNKNOWN, Follower(), 0),
            lambda: live.emit_process_output(UNKNOWN, "x"),
            lambda: live.emit_process_complete(UNKNOWN, "completed"),
        ):
            with pytest.raises(NotFound):
                call()


class EmitContract(LiveContractBase):
    def test_emitted_output_is_stored(self, live: LiveStore) -> None:
        assert live.emit_process_output("p", "é") == 2
        assert live.emit_process_output("p", "x") == 3
        assert text_of(live, "p") == "éx"

    def test_a_duration_sets_the_end(self, live: LiveStore) -> None:
        follower = Follower()
        live.on_process_output("p", follower)
        live.emit_process_complete("p", "failed", "2m 34s")
        expected = replace(new_process(), status="failed", end_time=moment(154))
        assert live.get("p") == expected
        assert self.end_of(follower) == Completion(status="failed", duration="2m 34s")

    def test_after_the_end_nothing_is_emitted(self, live: LiveStore) -> None:
        live.emit_process_complete("p", "completed")
        live.emit_process_complete("p", "completed")
        with pytest.raises(TerminalState):
            live.emit_process_output("p", "x")
        with pytest.raises(TerminalState):
            live.emit_process_complete("p", "failed")
