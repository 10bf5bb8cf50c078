"""Stores that break the rules for leases, each in one way."""

from __future__ import annotations

from collections.abc import Callable

from acme_store import AcmeStore
from breaking import breaks
from msgspec.structs import replace

from pipeline_host.models import Added, Lease, Process, ProcessFilter
from pipeline_host.store import Unsubscribe
from pipeline_host.transitions import Mutation


@breaks("test_a_lease_begins_with_the_create")
class NeverBeginsALease(AcmeStore):
    def get(self, process_id: str) -> Process:
        process = super().get(process_id)
        lease = process.lease
        return replace(process, lease=lease and replace(lease, expires=None))


@breaks("test_a_repeated_create_leaves_the_lease_as_it_is")
class RenewsByRepeatedCreates(AcmeStore):
    def add(self, process: Process) -> Added:
        added = super().add(process)
        if not added.created and process.lease:
            over = Lease(seconds=process.lease.seconds, expires=process.start_time)
            renewed = self.update(process.id, lambda stored: replace(stored, lease=over))
            return Added(process=renewed, created=False)
        return added


@breaks(
    "test_the_leases_are_those_of_processes_that_have_not_ended",
    "test_of_several_that_notice_a_lost_process_one_fails_it",
)
class KeepsTheLeasesOfTheEnded(AcmeStore):
    def leases(self) -> dict[str, Lease]:
        page = self.list(ProcessFilter(limit=1000))
        return {process.id: process.lease for process in page.processes if process.lease}


@breaks("test_an_id_that_is_free_again_has_no_lease", "test_a_renewed_lease_is_the_one_that_counts")
class RemembersTheFirstLease(AcmeStore):
    first: dict[str, Lease] | None = None

    def add(self, process: Process) -> Added:
        added = super().add(process)
        if added.process.lease:
            self.first = (self.first or {}) | {process.id: added.process.lease}
        return added

    def leases(self) -> dict[str, Lease]:
        return self.first or {}


@breaks("test_there_may_be_many_leases")
class LooksAtOnePage(AcmeStore):
    def leases(self) -> dict[str, Lease]:
        page = self.list(ProcessFilter(statuses=("queued", "running"), limit=1000))
        return {process.id: process.lease for process in page.processes if process.lease}


class KnowsItsOwnLeases(AcmeStore):
    """One that keeps in memory which processes have a lease."""

    own: frozenset[str] = frozenset()

    def add(self, process: Process) -> Added:
        self.own |= {process.id}
        return super().add(process)

    def leases(self) -> dict[str, Lease]:
        return {name: lease for name, lease in super().leases().items() if name in self.own}


@breaks("test_leases_are_kept")
class ForgetsLeasesWhenClosed(KnowsItsOwnLeases):
    pass


@breaks("test_each_opening_knows_the_leases_of_another", shared=True)
class KeepsLeasesToItself(KnowsItsOwnLeases):
    def listen(self, process_id: str | None, ring: Callable[[], None]) -> Unsubscribe:
        return lambda: None


@breaks("test_of_several_that_notice_a_lost_process_one_fails_it")
class FailsItAgainAndAgain(AcmeStore):
    def update(self, process_id: str, mutate: Mutation) -> Process:
        process = super().update(process_id, mutate)
        again = replace(process, status="running", exit_code=(process.exit_code or 0) + 1)
        super().update(process_id, lambda stored: again)
        return super().update(process_id, lambda stored: replace(again, status=process.status))
