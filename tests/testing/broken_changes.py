"""Stores that break the rules for changes, for keeping data and for sharing, each in one way."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from acme_store import AcmeStore
from breaking import breaks
from msgspec.structs import replace

from pipeline_host.errors import NotFound
from pipeline_host.models import Change, ChangeBatch, OutputBatch, Process, Workspace
from pipeline_host.store import CHANGE_LIMIT, READ_LIMIT, Unsubscribe
from pipeline_host.transitions import Mutation


class Retells(AcmeStore):
    """One that tells each change otherwise than it was."""

    def retold(self, change: Change) -> Change:
        return change

    def changes(self, after: int, limit: int = CHANGE_LIMIT) -> ChangeBatch:
        batch = super().changes(after, limit)
        return replace(batch, changes=tuple(self.retold(change) for change in batch.changes))


@breaks(
    "test_an_add_tells_the_summary",
    "test_an_update_tells_the_summary_after_it",
    "test_it_does_what_the_model_does",
)
class TellsNoWorkspace(Retells):
    def retold(self, change: Change) -> Change:
        return replace(change, process=change.process and replace(change.process, workspace_id="?"))


@breaks(
    "test_a_remove_tells_who_went",
    "test_a_clear_is_one_change_that_tells_all_who_went",
    "test_what_goes_is_one_change",
)
class TellsNobodyWent(Retells):
    def retold(self, change: Change) -> Change:
        return replace(change, removed=())


@breaks("test_a_registration_tells_the_workspace")
class TellsNoRegistration(AcmeStore):
    def register_workspace(self, workspace: Workspace) -> Workspace:
        with self._database.writing() as db:
            db.execute(
                "INSERT INTO workspace (id, name, json) VALUES (?, ?, '')",
                (workspace.id, workspace.name),
            )
        return workspace


@breaks("test_each_tells_when_it_was")
class TellsSeconds(Retells):
    def retold(self, change: Change) -> Change:
        return replace(change, timestamp=change.timestamp // 1000)


@breaks("test_what_was_told_stays_told")
class TellsTheStateNow(Retells):
    def retold(self, change: Change) -> Change:
        if change.process is None:
            return change
        try:
            return replace(change, process=self.get(change.process.id).summary())
        except NotFound:
            return change


@breaks("test_what_is_refused_is_no_change")
class TellsRefusals(AcmeStore):
    def remove(self, process_id: str) -> Process:
        try:
            return super().remove(process_id)
        except NotFound:
            with self._database.writing() as db:
                self._log(db, "process-removed")
            raise


@breaks("test_a_new_store_has_none")
class StartsWithAChange(AcmeStore):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.register_workspace(Workspace(id="default", name="", root_path="/"))


@breaks(
    "test_numbers_strictly_rise",
    "test_of_concurrent_changes_each_has_its_number",
    "test_only_later_ones_are_read",
    "test_it_does_what_the_model_does",
)
class UsesNumbersTwice(Retells):
    def retold(self, change: Change) -> Change:
        return replace(change, seq=change.seq - change.seq % 2)


@breaks("test_only_later_ones_are_read", "test_at_the_newest_there_is_nothing_and_no_resync")
class ReadsTheLastOneAgain(AcmeStore):
    def changes(self, after: int, limit: int = CHANGE_LIMIT) -> ChangeBatch:
        return super().changes(after if after > self._newest() else max(after - 1, 0), limit)

    def _newest(self) -> int:
        return super().changes(0, 1).last


@breaks("test_a_limit_cuts_the_batch_and_loses_none")
class IgnoresTheLimit(AcmeStore):
    def changes(self, after: int, limit: int = CHANGE_LIMIT) -> ChangeBatch:
        return super().changes(after)


@breaks("test_a_limit_cuts_the_batch_and_loses_none")
class LastIsOfTheBatch(AcmeStore):
    def changes(self, after: int, limit: int = CHANGE_LIMIT) -> ChangeBatch:
        batch = super().changes(after, limit)
        return replace(batch, last=batch.changes[-1].seq if batch.changes else batch.last)


@breaks("test_beyond_the_newest_asks_for_a_resync")
class NeverAsksForAResync(AcmeStore):
    def changes(self, after: int, limit: int = CHANGE_LIMIT) -> ChangeBatch:
        return replace(super().changes(after, limit), resync=False)


@breaks("test_at_the_newest_there_is_nothing_and_no_resync")
class ResyncsAtTheNewest(AcmeStore):
    def changes(self, after: int, limit: int = CHANGE_LIMIT) -> ChangeBatch:
        batch = super().changes(after, limit)
        return replace(batch, resync=batch.resync or not batch.changes)


@breaks("test_a_reader_beside_writers_misses_none")
class ShowsNumbersOutOfOrder(AcmeStore):
    """One where every third change is read once without it, if there are some after it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._held_back: set[int] = set()

    def changes(self, after: int, limit: int = CHANGE_LIMIT) -> ChangeBatch:
        batch = super().changes(after, limit)
        third = {c.seq for c in batch.changes[:-1] if c.seq % 3 == 0}
        late, self._held_back = third - self._held_back, self._held_back | third
        return replace(batch, changes=tuple(c for c in batch.changes if c.seq not in late))


@breaks(
    "test_every_change_is_told_once_in_order",
    "test_concurrent_changes_are_all_told_in_order",
    "test_only_what_comes_later_is_told",
    "test_who_unsubscribed_is_told_no_more",
    "test_a_callback_that_raises_harms_no_other",
    "test_a_change_that_nobody_rang_for_is_found",
    "test_changes_are_in_the_order_of_what_they_made",
)
class TellsNothing(AcmeStore):
    def changes(self, after: int, limit: int = CHANGE_LIMIT) -> ChangeBatch:
        return ChangeBatch(changes=(), last=super().changes(after, limit).last)


@breaks(
    "test_processes_are_kept",
    "test_counts_and_workspaces_are_kept",
    "test_output_is_kept",
    "test_changes_go_on_from_where_they_were",
    "test_creates_are_known_again",
)
class ForgetsWithTheProgram(AcmeStore):
    def __init__(self, path: Path) -> None:
        super().__init__(path.with_name(secrets.token_hex(8)))


@breaks("test_nothing_is_wrong_with_data_in_order")
class ComplainsOfNothing(AcmeStore):
    def examine(self) -> list[str]:
        return ["something is wrong"]


@breaks("test_the_epoch_stays_with_the_data")
class NamesItsDataAnew(AcmeStore):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._name = secrets.token_hex(8)

    @property
    def epoch(self) -> str:
        return self._name


@breaks("test_the_epoch_stays_with_the_data")
class NamesAllDataAlike(AcmeStore):
    @property
    def epoch(self) -> str:
        return "acme"


@breaks("test_incarnations_are_never_used_again")
class CountsIncarnationsFromTheStart(AcmeStore):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._numbers = itertools.count(1)
        self._known: dict[int, int] = {}

    def read_output(self, process_id: str, after: int = 0, limit: int = READ_LIMIT) -> OutputBatch:
        batch = super().read_output(process_id, after, limit)
        if batch.incarnation not in self._known:
            self._known[batch.incarnation] = next(self._numbers)
        return replace(batch, incarnation=self._known[batch.incarnation])


@breaks("test_sharing_is_claimed_and_kept", shared=True)
class OnlyClaimsToBeShared(AcmeStore):
    pass


@breaks("test_sharing_is_claimed_and_kept")
class HidesItsDoorbell(AcmeStore):
    def listen(self, process_id: str | None, ring: Callable[[], None]) -> Unsubscribe:
        return lambda: None


@breaks(
    "test_each_opening_sees_at_once_what_another_wrote",
    "test_openings_number_their_changes_together",
    "test_of_ends_that_race_over_openings_one_wins",
    "test_output_that_races_over_openings_is_in_one_order",
    "test_after_an_end_no_opening_takes_output",
    shared=True,
)
class SharesNothing(ForgetsWithTheProgram):
    """One whose openings each have their own data."""

    def listen(self, process_id: str | None, ring: Callable[[], None]) -> Unsubscribe:
        return lambda: None


@breaks(
    "test_it_rings_for_each_change_made_elsewhere",
    "test_it_rings_for_output_made_elsewhere",
    "test_every_listener_is_rung",
    shared=True,
)
class NeverRings(AcmeStore):
    def listen(self, process_id: str | None, ring: Callable[[], None]) -> Unsubscribe:
        return lambda: None


@breaks("test_who_no_longer_listens_is_not_rung", shared=True)
class RingsForEver(AcmeStore):
    bells: list[Callable[[], None]] = []  # noqa: RUF012 - all openings ring the same bells

    def listen(self, process_id: str | None, ring: Callable[[], None]) -> Unsubscribe:
        self.bells.append(ring)
        return lambda: None

    def update(self, process_id: str, mutate: Mutation) -> Process:
        return self._rung(super().update(process_id, mutate))

    def add(self, process: Process) -> Any:
        return self._rung(super().add(process))

    def _rung(self, value: Any) -> Any:
        for ring in self.bells:
            ring()
        return value
