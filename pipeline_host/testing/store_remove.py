"""The store contract on forgetting: one by one, by status, by age and by number."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from pipeline_host.errors import NotFound
from pipeline_host.models import (
    STATUSES,
    Process,
    ProcessFilter,
    Removed,
)
from pipeline_host.store import ProcessStore
from pipeline_host.testing.store_base import (
    StoreContractBase,
    changes_since,
    chunks,
    moment,
    new_process,
    newest,
    race,
    set_fields,
)
from pipeline_host.times import now_ms, timestamp

HOUR = 3_600_000


def left(store: ProcessStore) -> list[str]:
    return [process.id for process in store.list(ProcessFilter()).processes]


def add_aged(store: ProcessStore, process_id: str, hours: float, status: str) -> None:
    """Add a process that started two days ago and, if it ended, did so ``hours`` ago."""
    now = now_ms()
    end = None if status in ("queued", "running") else timestamp(now - round(hours * HOUR))
    start = timestamp(now - 48 * HOUR)
    store.add(new_process(process_id, status=status, start_time=start, end_time=end))


class RemoveContract(StoreContractBase):
    def test_remove_forgets_and_returns_the_last_state(self, store: ProcessStore) -> None:
        store.add(new_process())
        store.add(new_process("other"))
        last = store.update("p", set_fields(result="r"))
        assert store.remove("p") == last
        with pytest.raises(NotFound):
            store.get("p")
        assert store.get("other").id == "other"

    def test_of_racing_removes_one_removes(self, store: ProcessStore) -> None:
        process = store.add(new_process()).process
        results = race(*[partial(store.remove, "p") for _ in range(4)])
        assert [result for result in results if isinstance(result, Process)] == [process]

    def test_clear_forgets_processes_of_the_statuses_given(self, store: ProcessStore) -> None:
        for status in STATUSES:
            store.add(new_process(status, status=status))
        assert sorted(store.clear(["completed", "queued"])) == ["completed", "queued"]
        for status in STATUSES:
            if status in ("completed", "queued"):
                with pytest.raises(NotFound):
                    store.get(status)
            else:
                assert store.get(status).status == status

    def test_clear_goes_by_the_status_now(self, store: ProcessStore) -> None:
        store.add(new_process())
        store.update("p", set_fields(status="failed"))
        assert list(store.clear(["running"])) == []
        assert list(store.clear(["failed"])) == ["p"]

    def test_clear_keeps_to_a_workspace(self, store: ProcessStore) -> None:
        for process_id, workspace in (("a", "w1"), ("b", "w2"), ("c", None)):
            store.add(new_process(process_id, status="failed", workspace=workspace))
        assert list(store.clear(["failed"], workspace="w1")) == ["a"]
        assert {store.get("b").id, store.get("c").id} == {"b", "c"}

    def test_clearing_nothing_is_no_change(self, store: ProcessStore) -> None:
        store.add(new_process())
        before = newest(store)
        assert list(store.clear(["failed"])) == []
        assert newest(store) == before


class PruneContract(StoreContractBase):
    def test_by_age_goes_what_ended_longer_ago(self, store: ProcessStore) -> None:
        add_aged(store, "old", 3, "completed")
        add_aged(store, "older", 4, "failed")
        add_aged(store, "young", 1, "cancelled")
        assert sorted(store.prune(max_age=timedelta(hours=2))) == ["old", "older"]
        assert left(store) == ["young"]

    def test_by_age_never_goes_what_has_not_ended(self, store: ProcessStore) -> None:
        add_aged(store, "running", 0, "running")
        add_aged(store, "queued", 0, "queued")
        assert list(store.prune(max_age=timedelta(0))) == []
        assert left(store) == ["running", "queued"]

    @pytest.mark.parametrize("max_count", [0, 1, 2, 3, 9])
    def test_by_number_stay_the_newest_by_start(self, store: ProcessStore, max_count: int) -> None:
        for process_id, second in (("new", 9), ("oldest", 1), ("old", 5)):
            store.add(new_process(process_id, status="completed", start_time=moment(second)))
        removed = store.prune(max_count=max_count)
        stay = ["oldest", "old", "new"][max(3 - max_count, 0) :]
        assert left(store) == stay
        assert sorted([*removed, *stay]) == ["new", "old", "oldest"]

    def test_by_number_never_goes_what_has_not_ended(self, store: ProcessStore) -> None:
        for second, status in enumerate(["running", "completed", "queued", "failed", "completed"]):
            store.add(new_process(f"p{second}", status=status, start_time=moment(second)))
        assert list(store.prune(max_count=2)) == ["p1"]
        assert list(store.prune(max_count=0)) in (["p3", "p4"], ["p4", "p3"])
        assert left(store) == ["p0", "p2"]

    def test_by_both_goes_what_either_says(self, store: ProcessStore) -> None:
        add_aged(store, "first", 1, "completed")
        add_aged(store, "aged", 5, "completed")
        add_aged(store, "last", 1, "completed")
        assert sorted(store.prune(max_age=timedelta(hours=2), max_count=2)) == ["aged", "first"]
        assert left(store) == ["last"]

    def test_without_bounds_nothing_goes(self, store: ProcessStore) -> None:
        add_aged(store, "old", 9, "completed")
        before = newest(store)
        assert list(store.prune()) == []
        assert list(store.prune(max_count=1)) == []
        assert left(store) == ["old"]
        assert newest(store) == before

    def test_what_goes_is_one_change(self, store: ProcessStore) -> None:
        for process_id in ("a", "b"):
            store.add(new_process(process_id, status="failed", workspace="w"))
        before = newest(store)
        store.prune(max_count=0)
        (change,) = changes_since(store, before)
        assert change.kind == "processes-cleared"
        expected = {Removed(id=name, status="failed", workspace_id="w") for name in ("a", "b")}
        assert set(change.removed) == expected

    def test_counts_and_output_go_with_them(self, store: ProcessStore) -> None:
        store.add(new_process())
        store.append_output("p", chunks("text"))
        store.update("p", lambda process: new_process(status="failed", end_time=moment(1)))
        store.prune(max_count=0)
        assert store.stats().total_processes == 0
        store.add(new_process())
        assert store.read_output("p").end == 0
