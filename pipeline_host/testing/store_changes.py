"""The store contract on the change log: every change, numbered, once, in order."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from pipeline_host.errors import PipelineHostError
from pipeline_host.models import Change, Process, Removed, Workspace
from pipeline_host.store import ProcessStore
from pipeline_host.testing.store_base import (
    StoreContractBase,
    changes_since,
    chunks,
    new_process,
    newest,
    race,
    set_fields,
)
from pipeline_host.times import now_ms

CLOCK_STEP = 1000
"""How far, in milliseconds, a clock may be set while a test runs."""


def only_change(store: ProcessStore, act: Callable[[], object]) -> Change:
    """The one change that ``act`` makes."""
    before = newest(store)
    act()
    (change,) = changes_since(store, before)
    assert change.seq > before
    return change


class ChangeContentContract(StoreContractBase):
    def test_an_add_tells_the_summary(self, store: ProcessStore) -> None:
        process = new_process(workspace="w", parent_process_id="parent", result="not told")
        change = only_change(store, lambda: store.add(process))
        assert (change.kind, change.process) == ("process-added", process.summary())

    def test_an_update_tells_the_summary_after_it(self, store: ProcessStore) -> None:
        store.add(new_process(workspace="w"))
        change = only_change(
            store, lambda: store.update("p", set_fields(status="failed", error="why"))
        )
        assert (change.kind, change.process) == ("process-updated", store.get("p").summary())

    def test_a_remove_tells_who_went(self, store: ProcessStore) -> None:
        store.add(new_process(workspace="w"))
        change = only_change(store, lambda: store.remove("p"))
        expected = (Removed(id="p", status="running", workspace_id="w"),)
        assert (change.kind, change.removed) == ("process-removed", expected)

    def test_a_clear_is_one_change_that_tells_all_who_went(self, store: ProcessStore) -> None:
        store.add(new_process("a", status="failed", workspace="w"))
        store.add(new_process("b", status="completed"))
        change = only_change(store, lambda: store.clear(["failed", "completed"]))
        assert change.kind == "processes-cleared"
        assert set(change.removed) == {
            Removed(id="a", status="failed", workspace_id="w"),
            Removed(id="b", status="completed"),
        }

    def test_a_registration_tells_the_workspace(self, store: ProcessStore) -> None:
        workspace = Workspace(id="w", name="one", root_path="/1", color="#fff")
        change = only_change(store, lambda: store.register_workspace(workspace))
        assert (change.kind, change.workspace) == ("workspace-registered", workspace)

    def test_each_tells_when_it_was(self, store: ProcessStore) -> None:
        before = now_ms()
        change = only_change(store, lambda: store.add(new_process()))
        assert before - CLOCK_STEP <= change.timestamp <= now_ms() + CLOCK_STEP

    def test_what_was_told_stays_told(self, store: ProcessStore) -> None:
        added = only_change(store, lambda: store.add(new_process(status="queued")))
        updated = only_change(store, lambda: store.update("p", set_fields(status="running")))
        assert changes_since(store, added.seq - 1) == [added, updated]
        removed = only_change(store, lambda: store.remove("p"))
        assert changes_since(store, added.seq - 1) == [added, updated, removed]
        assert [c.process.status for c in (added, updated) if c.process] == ["queued", "running"]

    def test_output_is_no_change(self, store: ProcessStore) -> None:
        store.add(new_process())
        before = newest(store)
        store.append_output("p", chunks("text"))
        assert newest(store) == before

    def test_what_is_refused_is_no_change(self, store: ProcessStore) -> None:
        store.add(new_process(status="completed"))
        before = newest(store)
        for refused in (
            lambda: store.add(new_process(status="failed")),
            lambda: store.update("p", set_fields(status="failed")),
            lambda: store.update("unknown", set_fields(result="r")),
            lambda: store.remove("unknown"),
        ):
            with pytest.raises(PipelineHostError):
                refused()
        assert changes_since(store, before) == []
        assert newest(store) == before


class ChangeOrderContract(StoreContractBase):
    def test_a_new_store_has_none(self, store: ProcessStore) -> None:
        batch = store.changes(newest(store))
        assert (batch.changes, batch.resync) == ((), False)
        assert changes_since(store, 0) == []

    def test_numbers_strictly_rise(self, store: ProcessStore) -> None:
        for number in range(4):
            store.add(new_process(f"p{number}"))
            store.update(f"p{number}", set_fields(status="completed"))
        store.remove("p3")
        store.clear(["completed"])
        store.add(new_process("p3"))
        numbers = [change.seq for change in changes_since(store, 0)]
        assert len(numbers) == 11
        assert all(earlier < later for earlier, later in pairwise(numbers))

    def test_only_later_ones_are_read(self, store: ProcessStore) -> None:
        for number in range(5):
            store.add(new_process(f"p{number}"))
        every = store.changes(0).changes
        for place, change in enumerate(every):
            assert store.changes(change.seq).changes == every[place + 1 :]

    def test_a_limit_cuts_the_batch_and_loses_none(self, store: ProcessStore) -> None:
        for number in range(5):
            store.add(new_process(f"p{number}"))
        every = store.changes(0)
        assert every.last == every.changes[-1].seq
        first = store.changes(0, limit=2)
        assert (first.changes, first.last) == (every.changes[:2], every.last)
        second = store.changes(first.changes[-1].seq, limit=2)
        assert second.changes == every.changes[2:4]

    def test_at_the_newest_there_is_nothing_and_no_resync(self, store: ProcessStore) -> None:
        store.add(new_process())
        batch = store.changes(newest(store))
        assert (batch.changes, batch.last, batch.resync) == ((), newest(store), False)

    def test_beyond_the_newest_asks_for_a_resync(self, store: ProcessStore) -> None:
        store.add(new_process())
        batch = store.changes(newest(store) + 1)
        assert (batch.changes, batch.last, batch.resync) == ((), newest(store), True)

    def test_of_concurrent_changes_each_has_its_number(self, store: ProcessStore) -> None:
        def work(worker: int) -> None:
            for turn in range(5):
                store.add(new_process(f"{worker}-{turn}"))

        race(*[lambda worker=worker: work(worker) for worker in range(4)])
        changes = changes_since(store, 0)
        assert len({change.seq for change in changes}) == 20
        told = {change.process.id for change in changes if change.process}
        assert told == {f"{worker}-{turn}" for worker in range(4) for turn in range(5)}

    def test_a_reader_beside_writers_misses_none(self, store: ProcessStore) -> None:
        """A number may not be seen before a lower one that is still to come."""

        def work(worker: int) -> None:
            for turn in range(8):
                store.add(new_process(f"{worker}-{turn}"))

        seen: list[Change] = []
        with ThreadPoolExecutor(4) as threads:
            writing = [threads.submit(work, worker) for worker in range(4)]
            while not all(future.done() for future in writing):
                seen += changes_since(store, seen[-1].seq if seen else 0)
            for future in writing:
                future.result()
        seen += changes_since(store, seen[-1].seq if seen else 0)
        assert seen == changes_since(store, 0)
        assert len(seen) == 32

    def test_changes_are_in_the_order_of_what_they_made(self, store: ProcessStore) -> None:
        store.add(new_process(exit_code=0))
        told: list[str | None] = []

        def count(process: Process) -> Process:
            return set_fields(error=f"{int(process.error or 0) + 1}")(process)

        race(*[lambda: [store.update("p", count) for _ in range(5)]] * 3)
        told = [change.process.error for change in changes_since(store, 0) if change.process]
        assert told == [None, *[str(number) for number in range(1, 16)]]
