"""The store contract on leases: kept as they were asked for, found cheaply, lost exactly once."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from pipeline_host.models import Added, Lease, Process
from pipeline_host.store import ProcessStore
from pipeline_host.testing.store_base import (
    changes_since,
    needs,
    new_process,
    newest,
    race,
    set_fields,
)
from pipeline_host.testing.store_shared import SharedContractBase
from pipeline_host.times import now_ms, timestamp, to_ms
from pipeline_host.transitions import cancelled, expired, heartbeat

HOUR = Lease(seconds=3600.0)
OVER = Lease(seconds=1.0, expires=timestamp(0))
"""One that ended long ago."""


def lease_of(process: Process) -> Lease:
    """The lease of a process, which must have one that has begun."""
    assert process.lease is not None
    assert process.lease.expires is not None
    return process.lease


class LeaseContract(SharedContractBase):
    def test_a_lease_begins_with_the_create(self, store: ProcessStore) -> None:
        before = now_ms()
        lease = lease_of(store.add(new_process(lease=HOUR)).process)
        assert lease == store.get("p").lease
        assert lease.seconds == 3600
        assert before <= to_ms(lease.expires or timestamp(0)) - 3_600_000 <= now_ms()

    def test_a_repeated_create_leaves_the_lease_as_it_is(self, store: ProcessStore) -> None:
        first = store.add(new_process(lease=HOUR)).process
        number = newest(store)
        assert store.add(new_process(lease=HOUR)) == Added(process=first, created=False)
        assert store.leases() == {"p": first.lease}
        assert newest(store) == number

    def test_the_leases_are_those_of_processes_that_have_not_ended(
        self, store: ProcessStore
    ) -> None:
        store.add(new_process("without"))
        kept = {
            status: lease_of(store.add(new_process(status, status=status, lease=HOUR)).process)
            for status in ("queued", "running")
        }
        store.add(new_process("ended at once", status="failed", lease=HOUR))
        for name in ("ended", "cancelled", "removed", "cleared"):
            store.add(new_process(name, lease=HOUR))
        store.update("ended", set_fields(status="completed"))
        store.update("cancelled", cancelled)
        store.remove("removed")
        store.update("cleared", set_fields(status="cancelled"))
        store.clear(["cancelled"])
        assert store.leases() == kept

    def test_an_id_that_is_free_again_has_no_lease(self, store: ProcessStore) -> None:
        store.add(new_process(lease=HOUR))
        store.remove("p")
        store.add(new_process(full_prompt="another"))
        assert store.leases() == {}

    def test_there_may_be_many_leases(self, store: ProcessStore) -> None:
        names = [f"p{number}" for number in range(1100)]
        for name in names:
            store.add(new_process(name, lease=OVER))
        assert store.leases() == dict.fromkeys(names, OVER)

    def test_a_renewed_lease_is_the_one_that_counts(self, store: ProcessStore) -> None:
        store.add(new_process(lease=replace(OVER, seconds=3600.0)))
        renewed = store.update("p", heartbeat)
        assert store.leases() == {"p": lease_of(renewed)}
        assert lease_of(renewed).expires != OVER.expires
        assert store.update("p", expired) == renewed

    def test_of_several_that_notice_a_lost_process_one_fails_it(self, store: ProcessStore) -> None:
        store.add(new_process(lease=OVER))
        number = newest(store)
        assert store.leases() == {"p": OVER}
        results = race(*[partial(store.update, "p", expired) for _ in range(6)])
        assert results == [store.get("p")] * 6
        assert (store.get("p").status, store.leases()) == ("failed", {})
        assert (store.get("p").error or "").startswith("lost contact")
        (change,) = changes_since(store, number)
        assert change.process == store.get("p").summary()

    @needs("durable")
    def test_leases_are_kept(self, folder: Path) -> None:
        with closing(self.open_store(folder)) as store:
            for name in ("ended", "renewed", "as it was"):
                store.add(new_process(name, lease=OVER))
            store.update("ended", expired)
            renewed = store.update("renewed", heartbeat).lease
        with closing(self.open_store(folder)) as store:
            assert store.leases() == {"renewed": renewed, "as it was": OVER}

    @needs("shared")
    def test_each_opening_knows_the_leases_of_another(
        self, store: ProcessStore, other: ProcessStore
    ) -> None:
        store.add(new_process(lease=OVER))
        assert other.leases() == {"p": OVER}
        renewed = other.update("p", heartbeat).lease
        assert store.leases() == {"p": renewed}
        store.update("p", cancelled)
        assert other.leases() == {}
