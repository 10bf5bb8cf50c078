"""The store contract on keeping data: closed and opened again, everything is as it was."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from pipeline_host.errors import Conflict, NotFound
from pipeline_host.models import ChangeBatch, ProcessFilter, Workspace
from pipeline_host.store import ExaminedStore, ProcessStore
from pipeline_host.testing.store_base import (
    StoreContractBase,
    changes_since,
    chunks,
    needs,
    new_process,
    newest,
    set_fields,
)


class DurableContract(StoreContractBase):
    def fill(self, store: ProcessStore) -> None:
        """Something of everything: changed, removed, cleared, with output."""
        store.register_workspace(Workspace(id="w", name="one", root_path="/1"))
        for process_id in ("p", "gone", "cleared", "q"):
            store.add(new_process(process_id, workspace="w"))
        store.append_output("p", chunks("aé日🧪", "text\n", stream="stdout"))
        store.update("p", set_fields(status="failed", error="why", metadata={"a": 1}))
        store.append_output("gone", chunks("old"))
        store.remove("gone")
        store.update("cleared", set_fields(status="cancelled"))
        store.clear(["cancelled"])

    @needs("durable")
    def test_processes_are_kept(self, folder: Path) -> None:
        with closing(self.open_store(folder)) as store:
            self.fill(store)
            page = store.list(ProcessFilter())
        with closing(self.open_store(folder)) as store:
            assert store.list(ProcessFilter()) == page
            assert [process.id for process in page.processes] == ["p", "q"]
            assert [store.get(process.id) for process in page.processes] == list(page.processes)
            for process_id in ("gone", "cleared"):
                with pytest.raises(NotFound):
                    store.get(process_id)

    @needs("durable")
    def test_nothing_is_wrong_with_data_in_order(self, folder: Path) -> None:
        """Where the store can say."""
        for _ in range(2):
            with closing(self.open_store(folder)) as store:
                if not store.stats().total_processes:
                    self.fill(store)
                assert not isinstance(store, ExaminedStore) or list(store.examine()) == []

    @needs("durable")
    def test_counts_and_workspaces_are_kept(self, folder: Path) -> None:
        with closing(self.open_store(folder)) as store:
            self.fill(store)
            stats, workspaces = store.stats(), list(store.workspaces())
        with closing(self.open_store(folder)) as store:
            assert (store.stats(), list(store.workspaces())) == (stats, workspaces)
            assert stats.total_processes == 2

    @needs("durable")
    def test_output_is_kept(self, folder: Path) -> None:
        with closing(self.open_store(folder)) as store:
            self.fill(store)
            store.append_output("q", chunks("go"))
            batches = [store.read_output("p"), store.read_output("q")]
        with closing(self.open_store(folder)) as store:
            assert [store.read_output("p"), store.read_output("q")] == batches
            assert store.append_output("q", chunks("on"), 2) == 4
            with pytest.raises(NotFound):
                store.read_output("gone")

    @needs("durable")
    def test_creates_are_known_again(self, folder: Path) -> None:
        with closing(self.open_store(folder)) as store:
            self.fill(store)
        with closing(self.open_store(folder)) as store:
            assert not store.add(new_process("p", workspace="w")).created
            with pytest.raises(Conflict):
                store.add(new_process("p", workspace="other"))

    @needs("durable")
    def test_changes_go_on_from_where_they_were(self, folder: Path) -> None:
        with closing(self.open_store(folder)) as store:
            self.fill(store)
            store.remove("q")
            before, last = changes_since(store, 0), newest(store)
        with closing(self.open_store(folder)) as store:
            batch = store.changes(0)
            assert batch.resync or list(batch.changes) == before
            assert store.changes(last) == ChangeBatch(changes=(), last=last)
            store.add(new_process("next"))
            (change,) = changes_since(store, last)
            assert change.seq > last

    @needs("durable")
    def test_the_epoch_stays_with_the_data(self, folder: Path, tmp_path: Path) -> None:
        other = tmp_path / "other"
        other.mkdir()
        epochs = []
        for place in (folder, folder, other):
            with closing(self.open_store(place)) as store:
                epochs.append(store.epoch)
        assert epochs[0] == epochs[1] != epochs[2]

    @needs("durable")
    def test_incarnations_are_never_used_again(self, folder: Path) -> None:
        seen = []
        for _ in range(3):
            with closing(self.open_store(folder)) as store:
                store.add(new_process())
                seen.append(store.read_output("p").incarnation)
                store.remove("p")
        assert len(set(seen)) == 3
