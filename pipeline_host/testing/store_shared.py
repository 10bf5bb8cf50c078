"""The store contract on sharing: several openings of one data at once, and the doorbell."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from pipeline_host.errors import NotFound, TerminalState
from pipeline_host.models import Process, Workspace
from pipeline_host.store import DoorbellStore, ProcessStore
from pipeline_host.testing.store_base import (
    StoreContractBase,
    changes_since,
    chunks,
    chunks_of,
    needs,
    new_process,
    newest,
    race,
    set_fields,
    text_of,
)


class Bell:
    """Counts how often it was rung."""

    def __init__(self) -> None:
        self._rung = threading.Semaphore(0)
        self.count = 0

    def __call__(self) -> None:
        self.count += 1
        self._rung.release()

    def heard(self, timeout: float) -> bool:
        """Whether it was rung since it was last heard, or is within ``timeout`` seconds."""
        if not self._rung.acquire(timeout=timeout):
            return False
        while self._rung.acquire(blocking=False):
            pass
        return True


def doorbell(store: ProcessStore) -> DoorbellStore:
    assert isinstance(store, DoorbellStore)
    return store


class SharedContractBase(StoreContractBase):
    @pytest.fixture
    def other(self, store: ProcessStore, folder: Path) -> Iterator[ProcessStore]:
        """The same data as ``store``, opened once more, as another worker does."""
        other = self.open_store(folder)
        yield other
        other.close()


class SharedContract(SharedContractBase):
    def test_sharing_is_claimed_and_kept(self, store: ProcessStore) -> None:
        """``shared = True`` is for a store with ``listen``, and only for one."""
        assert isinstance(store, DoorbellStore) == self.shared

    @needs("shared")
    def test_each_opening_sees_at_once_what_another_wrote(
        self, store: ProcessStore, other: ProcessStore
    ) -> None:
        process = store.add(new_process()).process
        assert other.get("p") == process
        after = other.update("p", set_fields(result="r"))
        assert store.get("p") == after
        other.append_output("p", chunks("of other, "))
        store.append_output("p", chunks("of this"))
        assert text_of(store, "p") == text_of(other, "p") == "of other, of this"
        workspace = store.register_workspace(Workspace(id="w", name="one", root_path="/1"))
        assert list(other.workspaces()) == [workspace]
        assert other.stats() == store.stats()
        other.remove("p")
        with pytest.raises(NotFound):
            store.get("p")
        with pytest.raises(NotFound):
            store.append_output("p", chunks("x"))

    @needs("shared")
    def test_openings_number_their_changes_together(
        self, store: ProcessStore, other: ProcessStore
    ) -> None:
        def work(writer: ProcessStore, name: str) -> None:
            for turn in range(10):
                writer.add(new_process(f"{name}{turn}"))

        race(partial(work, store, "a"), partial(work, other, "b"))
        changes = changes_since(store, 0)
        assert changes == changes_since(other, 0)
        assert len({change.seq for change in changes}) == 20
        assert newest(store) == newest(other)
        assert store.epoch == other.epoch

    @needs("shared")
    def test_of_ends_that_race_over_openings_one_wins(
        self, store: ProcessStore, other: ProcessStore
    ) -> None:
        for number in range(10):
            process_id = f"p{number}"
            store.add(new_process(process_id))
            results = race(
                partial(store.update, process_id, set_fields(status="completed")),
                partial(other.update, process_id, set_fields(status="cancelled")),
            )
            winners = [result for result in results if isinstance(result, Process)]
            assert winners == [store.get(process_id)] == [other.get(process_id)]

    @needs("shared")
    def test_output_that_races_over_openings_is_in_one_order(
        self, store: ProcessStore, other: ProcessStore
    ) -> None:
        store.add(new_process())

        def write(writer: ProcessStore, name: str) -> None:
            for turn in range(20):
                writer.append_output("p", chunks(f"é{turn} ", stream=name))

        race(partial(write, store, "a"), partial(write, other, "b"))
        found = chunks_of(store, "p")
        assert found == chunks_of(other, "p")
        for name in "ab":
            text = "".join(chunk.content for chunk in found if chunk.stream == name)
            assert text == "".join(f"é{turn} " for turn in range(20))

    @needs("shared")
    def test_after_an_end_no_opening_takes_output(
        self, store: ProcessStore, other: ProcessStore
    ) -> None:
        store.add(new_process())
        other.append_output("p", chunks("x"))
        store.update("p", set_fields(status="completed"))
        with pytest.raises(TerminalState):
            other.append_output("p", chunks("y"))
        assert other.read_output("p").sealed


class DoorbellContract(SharedContractBase):
    @needs("shared")
    def test_it_rings_for_each_change_made_elsewhere(
        self, store: ProcessStore, other: ProcessStore
    ) -> None:
        bell = Bell()
        doorbell(store).listen(None, bell)
        for act in (
            lambda: other.add(new_process()),
            lambda: other.update("p", set_fields(status="completed")),
            lambda: other.remove("p"),
            lambda: other.register_workspace(Workspace(id="w", name="one", root_path="/1")),
        ):
            act()
            assert bell.heard(self.patience), "no ring in time"

    @needs("shared")
    def test_it_rings_for_output_made_elsewhere(
        self, store: ProcessStore, other: ProcessStore
    ) -> None:
        store.add(new_process())
        bell = Bell()
        doorbell(store).listen("p", bell)
        for turn in range(3):
            other.append_output("p", chunks(f"{turn}"))
            assert bell.heard(self.patience), "no ring in time"
            assert store.read_output("p").end == turn + 1

    @needs("shared")
    def test_every_listener_is_rung(self, store: ProcessStore, other: ProcessStore) -> None:
        bells = [Bell(), Bell(), Bell()]
        for bell in bells:
            doorbell(store).listen(None, bell)
        other.add(new_process())
        assert [bell.heard(self.patience) for bell in bells] == [True] * 3

    @needs("shared")
    def test_who_no_longer_listens_is_not_rung(
        self, store: ProcessStore, other: ProcessStore
    ) -> None:
        gone, here = Bell(), Bell()
        stop = doorbell(store).listen(None, gone)
        doorbell(store).listen(None, here)
        stop()
        other.add(new_process())
        assert here.heard(self.patience)
        counted = gone.count
        for turn in range(3):
            other.update("p", set_fields(result=f"{turn}"))
            assert here.heard(self.patience)
        assert gone.count == counted
