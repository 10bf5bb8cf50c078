"""The store contract on counts, on workspaces and on the name of the data."""

from __future__ import annotations

from functools import partial

from pipeline_host.models import (
    STATUSES,
    Workspace,
    WorkspaceCount,
)
from pipeline_host.store import ProcessStore
from pipeline_host.testing.store_base import (
    StoreContractBase,
    moved_to,
    new_process,
    race,
    set_fields,
)


class StatsContract(StoreContractBase):
    def test_an_empty_store_counts_all_five_statuses(self, store: ProcessStore) -> None:
        stats = store.stats()
        assert stats.total_processes == 0
        assert stats.by_status == dict.fromkeys(STATUSES, 0)
        assert stats.by_workspace == ()

    def test_counts_follow_every_change(self, store: ProcessStore) -> None:
        for number in range(4):
            store.add(new_process(f"p{number}"))
        store.add(new_process("p0"))
        store.update("p0", set_fields(status="completed"))
        store.update("p1", set_fields(status="failed"))
        store.update("p1", set_fields(result="late"))
        store.add(new_process("q", status="queued"))
        store.remove("p2")
        stats = store.stats()
        assert stats.total_processes == 4
        assert stats.by_status == {
            "queued": 1,
            "running": 1,
            "completed": 1,
            "failed": 1,
            "cancelled": 0,
        }
        store.clear(["queued", "completed"])
        assert store.stats().by_status == dict.fromkeys(STATUSES, 0) | {"running": 1, "failed": 1}
        assert store.stats().total_processes == 2

    def test_workspaces_are_counted_by_their_names(self, store: ProcessStore) -> None:
        store.register_workspace(Workspace(id="w1", name="one", root_path="/1"))
        store.add(new_process("a", workspace="w1"))
        store.add(new_process("b", workspace="w1"))
        store.add(new_process("c"))
        store.add(new_process("gone", workspace="w2"))
        store.remove("gone")
        counted = [entry for entry in store.stats().by_workspace if entry.count]
        assert counted == [WorkspaceCount(workspace_id="w1", name="one", count=2)]

    def test_a_process_that_moves_is_counted_where_it_is(self, store: ProcessStore) -> None:
        store.add(new_process("a", workspace="w1"))
        store.add(new_process("b", workspace="w1"))
        store.update("a", moved_to("w2"))
        counts = {entry.workspace_id: entry.count for entry in store.stats().by_workspace}
        assert counts == {"w1": 1, "w2": 1}

    def test_counts_are_right_after_concurrent_work(self, store: ProcessStore) -> None:
        def work(worker: int) -> None:
            for turn in range(4):
                process_id = f"{worker}-{turn}"
                store.add(new_process(process_id, workspace="w"))
                store.update(process_id, set_fields(status="completed"))
            store.remove(f"{worker}-0")

        race(*[partial(work, worker) for worker in range(4)])
        stats = store.stats()
        assert (stats.total_processes, stats.by_status["completed"]) == (12, 12)
        assert [entry.count for entry in stats.by_workspace] == [12]


class WorkspaceContract(StoreContractBase):
    def test_workspaces_are_in_the_order_of_their_first_registration(
        self, store: ProcessStore
    ) -> None:
        assert list(store.workspaces()) == []
        first = Workspace(id="w2", name="two", root_path="/2", color="#fff")
        second = Workspace(id="w1", name="one", root_path="/1")
        assert store.register_workspace(first) == first
        store.register_workspace(second)
        assert list(store.workspaces()) == [first, second]

    def test_a_workspace_is_replaced_in_its_place(self, store: ProcessStore) -> None:
        for workspace_id in ("w1", "w2"):
            store.register_workspace(
                Workspace(id=workspace_id, name=workspace_id, root_path="/", color="#fff")
            )
        renamed = Workspace(id="w1", name="renamed", root_path="/moved")
        assert store.register_workspace(renamed) == renamed
        assert store.workspaces()[0] == renamed
        assert [workspace.id for workspace in store.workspaces()] == ["w1", "w2"]

    def test_the_epoch_names_the_data(self, store: ProcessStore) -> None:
        epoch = store.epoch
        assert epoch.isascii()
        assert epoch.isalnum()
        assert len(epoch) <= 32
        store.add(new_process())
        assert store.epoch == epoch
