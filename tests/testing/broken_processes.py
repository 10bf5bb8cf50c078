"""Stores that break the rules for processes, counts and workspaces, each in one way."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from acme_store import AcmeStore
from breaking import breaks
from msgspec.structs import replace

from pipeline_host.errors import Conflict, NotFound
from pipeline_host.models import (
    TERMINAL,
    Added,
    Process,
    ProcessFilter,
    ProcessPatch,
    Stats,
    Status,
    Workspace,
)
from pipeline_host.times import to_ms
from pipeline_host.transitions import Mutation, patched

EVERY = ProcessFilter(limit=1000)


def kept(store: AcmeStore, process: Process, **fields: Any) -> Process:
    """Write fields into a stored process, past all rules."""
    return AcmeStore.update(store, process.id, lambda stored: replace(stored, **fields))


@breaks("test_an_added_process_is_kept_in_all_its_fields", "test_a_process_of_any_size_is_kept")
class CutsLongTexts(AcmeStore):
    def add(self, process: Process) -> Added:
        process = replace(process, full_prompt=process.full_prompt[:50])
        return super().add(process)


@breaks("test_one_that_already_ended_gets_an_end_time", "test_a_duration_sets_the_end")
class LosesTheEndTime(AcmeStore):
    def get(self, process_id: str) -> Process:
        return replace(super().get(process_id), end_time=None)


@breaks("test_an_id_may_be_any_text", file="")
class TakesIdsForPaths(AcmeStore):
    """One that keeps each process in a file that has its id as a name."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "acme.sqlite3")
        self.folder = folder

    def add(self, process: Process) -> Added:
        (self.folder / process.id).touch()
        return super().add(process)


@breaks("test_ids_that_look_alike_are_different")
class NormalisesIds(AcmeStore):
    def add(self, process: Process) -> Added:
        return super().add(replace(process, id=unicodedata.normalize("NFC", process.id)))


@breaks(
    "test_a_repeated_create_changes_nothing",
    "test_a_repeated_create_is_known_whatever_became_of_the_process",
    "test_creates_are_known_again",
)
class RefusesRepeatedCreates(AcmeStore):
    def add(self, process: Process) -> Added:
        added = super().add(process)
        if not added.created:
            raise Conflict("id: expected a new one")
        return added


@breaks(
    "test_a_repeated_create_is_known_whatever_became_of_the_process",
    "test_the_state_now_is_not_a_repeat_of_the_create",
)
class ComparesCreatesWithTheStateNow(AcmeStore):
    def add(self, process: Process) -> Added:
        try:
            now = self.get(process.id)
        except NotFound:
            return super().add(process)
        if now != process:
            raise Conflict("id: known")
        return Added(process=now, created=False)


@breaks(
    "test_another_create_for_a_known_id_is_refused",
    "test_of_racing_different_creates_one_is_kept",
    "test_creates_are_known_again",
)
class TakesAnyCreateForARepeat(AcmeStore):
    def add(self, process: Process) -> Added:
        try:
            return super().add(process)
        except Conflict:
            return Added(process=self.get(process.id), created=False)


@breaks(
    "test_of_racing_creates_one_creates",
    "test_of_racing_removes_one_removes",
    "test_of_racing_ends_one_wins",
    "test_concurrent_updates_lose_nothing",
    "test_changes_are_in_the_order_of_what_they_made",
)
class LooksThenWrites(AcmeStore):
    """One that doesn't hold its lock from looking to writing; so two ends win."""

    def add(self, process: Process) -> Added:
        new = all(known.id != process.id for known in self.list(EVERY).processes)
        time.sleep(0.01)
        return replace(super().add(process), created=new)

    def update(self, process_id: str, mutate: Mutation) -> Process:
        after = mutate(self.get(process_id))
        time.sleep(0.01)
        return super().update(process_id, lambda process: after)

    def remove(self, process_id: str) -> Process:
        process = self.get(process_id)
        time.sleep(0.01)
        try:
            return super().remove(process_id)
        except NotFound:
            return process


@breaks(
    "test_a_process_nobody_added_is_not_found",
    "test_remove_forgets_and_returns_the_last_state",
)
class KnowsEverybody(AcmeStore):
    """One that makes a process up where it has none."""

    def get(self, process_id: str) -> Process:
        try:
            return super().get(process_id)
        except NotFound:
            return Process(
                id=process_id,
                type="",
                prompt_preview="",
                full_prompt="",
                status="running",
                start_time=self.list(EVERY).processes[0].start_time,
            )


@breaks(
    "test_an_update_is_kept",
    "test_an_update_starts_from_the_state_now",
    "test_a_field_can_be_cleared",
    "test_an_ended_process_takes_a_late_result",
)
class ForgetsResults(AcmeStore):
    def update(self, process_id: str, mutate: Mutation) -> Process:
        after = super().update(process_id, mutate)
        kept(self, after, result=None)
        return after


@breaks(
    "test_what_a_mutation_raises_is_raised_and_nothing_changes",
    "test_an_ended_process_keeps_its_status",
    "test_of_racing_ends_one_wins",
    "test_after_the_end_nothing_is_emitted",
    "test_what_is_refused_is_no_change",
)
class SwallowsRefusals(AcmeStore):
    def update(self, process_id: str, mutate: Mutation) -> Process:
        try:
            return super().update(process_id, mutate)
        except Exception as error:
            if isinstance(error, NotFound):
                raise
            return self.get(process_id)


@breaks("test_an_ended_process_keeps_its_status")
class HidesWhatAMutationRaised(AcmeStore):
    def update(self, process_id: str, mutate: Mutation) -> Process:
        try:
            return super().update(process_id, mutate)
        except Conflict as error:
            raise Conflict("something is wrong") from error


@breaks(
    "test_an_equal_process_is_no_change",
    "test_a_repeated_create_changes_nothing",
)
class NumbersWhatIsNoChange(AcmeStore):
    def update(self, process_id: str, mutate: Mutation) -> Process:
        before, after = self.get(process_id), super().update(process_id, mutate)
        if after == before:
            with self._database.writing() as db:
                self._log(db, "process-updated", process=after.summary())
        return after

    def add(self, process: Process) -> Added:
        added = super().add(process)
        if not added.created:
            with self._database.writing() as db:
                self._log(db, "process-added", process=added.process.summary())
        return added


@breaks("test_a_value_that_python_alone_takes_for_equal_is_a_change")
class TakesTrueForOne(AcmeStore):
    def update(self, process_id: str, mutate: Mutation) -> Process:
        def keeping(process: Process) -> Process:
            after = mutate(process)
            return process if after == process else after

        return super().update(process_id, keeping)


@breaks(
    "test_a_patch_never_loses_the_workspace",
    "test_concurrent_updates_lose_nothing",
)
class LosesTheWorkspace(AcmeStore):
    def update(self, process_id: str, mutate: Mutation) -> Process:
        def forgetful(process: Process) -> Process:
            after = mutate(process)
            given = mutate(replace(process, metadata=None)).metadata
            return replace(after, metadata=given)

        return super().update(process_id, forgetful)


@breaks(
    "test_remove_forgets_and_returns_the_last_state",
    "test_an_id_is_free_again_after_remove",
    "test_clear_forgets_processes_of_the_statuses_given",
    "test_output_goes_with_remove",
    "test_output_goes_with_clear",
    "test_a_removed_process_ends_its_output",
    "test_counts_and_output_go_with_them",
    "test_it_does_what_the_model_does",
)
class OnlySaysItForgets(AcmeStore):
    def remove(self, process_id: str) -> Process:
        return self.get(process_id)

    def _clear(self, where: str, values: Sequence[str | int]) -> list[str]:
        with self._database.reading() as db:
            rows = db.execute(f"SELECT id FROM process WHERE {where}", values).fetchall()
        return [row[0] for row in rows]


@breaks("test_clear_goes_by_the_status_now", "test_filters_go_by_the_state_now")
class SearchesTheCreates(AcmeStore):
    """One that never brings its indexes up to date."""

    def update(self, process_id: str, mutate: Mutation) -> Process:
        before, after = self.get(process_id), super().update(process_id, mutate)
        with self._database.writing() as db:
            db.execute(
                "UPDATE process SET status = ?, workspace = ? WHERE id = ?",
                (before.status, before.workspace_id, process_id),
            )
        return after


@breaks("test_clear_keeps_to_a_workspace")
class ClearsAllWorkspaces(AcmeStore):
    def clear(self, statuses: Sequence[Status], workspace: str | None = None) -> list[str]:
        return super().clear(statuses)


@breaks(
    "test_clearing_nothing_is_no_change",
    "test_without_bounds_nothing_goes",
)
class NumbersEmptyClears(AcmeStore):
    def _clear(self, where: str, values: Sequence[str | int]) -> list[str]:
        ids = super()._clear(where, list(values))
        if not ids:
            with self._database.writing() as db:
                self._log(db, "processes-cleared")
        return ids


@breaks(
    "test_a_clear_is_one_change_that_tells_all_who_went",
    "test_what_goes_is_one_change",
)
class ClearsOneByOne(AcmeStore):
    def _clear(self, where: str, values: Sequence[str | int]) -> list[str]:
        with self._database.reading() as db:
            rows = db.execute(f"SELECT id FROM process WHERE {where}", values).fetchall()
        return [self.remove(row[0]).id for row in rows]


@breaks(
    "test_by_age_never_goes_what_has_not_ended",
    "test_by_number_never_goes_what_has_not_ended",
)
class PrunesTheRunning(AcmeStore):
    def prune(self, *, max_age: timedelta | None = None, max_count: int | None = None) -> list[str]:
        keep = len(self.list(EVERY).processes) if max_count is None else max_count
        going = self.list(replace(EVERY, order="desc", offset=keep)).processes
        if max_age is not None:
            going = self.list(EVERY).processes
        return [self.remove(process.id).id for process in going]


@breaks(
    "test_by_age_goes_what_ended_longer_ago",
    "test_by_both_goes_what_either_says",
)
class PrunesByStart(AcmeStore):
    """One that takes the age of a process from its start."""

    def prune(self, *, max_age: timedelta | None = None, max_count: int | None = None) -> list[str]:
        bound = 0 if max_age is None else time.time() * 1000 - max_age.total_seconds() * 1000
        old = [
            process.id
            for process in self.list(EVERY).processes
            if process.status in TERMINAL and to_ms(process.start_time) < bound
        ]
        return [self.remove(process_id).id for process_id in old]


@breaks("test_by_number_stay_the_newest_by_start")
class PrunesByCreation(AcmeStore):
    def prune(self, *, max_age: timedelta | None = None, max_count: int | None = None) -> list[str]:
        newest = "SELECT number FROM process ORDER BY number DESC LIMIT ?"
        return self._clear(f"number NOT IN ({newest})", [max_count or 0])


@breaks("test_an_empty_store_counts_all_five_statuses")
class CountsOnlyWhatItHas(AcmeStore):
    def stats(self) -> Stats:
        stats = super().stats()
        return replace(stats, by_status={k: v for k, v in stats.by_status.items() if v})


@breaks(
    "test_counts_follow_every_change",
    "test_counts_are_right_after_concurrent_work",
    "test_counts_and_output_go_with_them",
    "test_a_process_that_moves_is_counted_where_it_is",
)
class CountsCreates(AcmeStore):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with self._database.writing() as db:
            db.execute("DROP TRIGGER IF EXISTS tally_delete")
            db.execute("DROP TRIGGER IF EXISTS tally_update")


@breaks("test_workspaces_are_counted_by_their_names")
class NamesWorkspacesByTheirIds(AcmeStore):
    def stats(self) -> Stats:
        stats = super().stats()
        nameless = [replace(entry, name=entry.workspace_id) for entry in stats.by_workspace]
        return replace(stats, by_workspace=tuple(nameless))


@breaks("test_workspaces_are_in_the_order_of_their_first_registration")
class SortsWorkspaces(AcmeStore):
    def workspaces(self) -> list[Workspace]:
        return sorted(super().workspaces(), key=lambda workspace: workspace.id)


@breaks("test_a_workspace_is_replaced_in_its_place")
class KeepsTheFirstWorkspace(AcmeStore):
    def register_workspace(self, workspace: Workspace) -> Workspace:
        known = [known for known in self.workspaces() if known.id == workspace.id]
        return known[0] if known else super().register_workspace(workspace)


@breaks("test_the_epoch_names_the_data")
class NamesItsDataBadly(AcmeStore):
    @property
    def epoch(self) -> str:
        return "not a word"


@breaks(
    "test_emitted_output_is_stored",
    "test_output_leaves_the_process_as_it_is",
    "test_output_is_no_change",
)
class StartsWithTheFirstOutput(AcmeStore):
    """One that changes the process when output comes, and forgets the output."""

    def append_output(self, process_id: str, chunks: Any, offset: int | None = None) -> int:
        super().update(process_id, lambda process: patched(process, ProcessPatch(exit_code=0)))
        return 0
