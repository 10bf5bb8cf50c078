"""Leases: a process whose reporter was lost fails, once; one that is heard from never does."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline_host import leases
from pipeline_host.errors import StoreUnavailable, TerminalState
from pipeline_host.expiry import Expiry
from pipeline_host.live import LiveStore
from pipeline_host.models import Change, Lease, Process, ProcessPatch, Timestamp
from pipeline_host.store import ProcessStore
from pipeline_host.testing.store_base import changes_since, chunks, new_process, newest, set_fields
from pipeline_host.testing.waiting import wait_until
from pipeline_host.times import now_ms, timestamp, to_ms
from pipeline_host.transitions import (
    Mutation,
    cancelled,
    created,
    expired,
    fingerprint,
    heartbeat,
    patch,
    reported,
)
from pipeline_host_filestore.store import FileProcessStore

law = settings(max_examples=100, deadline=None)
NOON = 1_795_348_800_000
SECONDS = st.floats(1, 86_400, allow_nan=False).map(lambda seconds: round(seconds, 3))
TOLD: Lease = Lease(seconds=30.0, expires=timestamp(NOON + 30_000))


def leased(seconds: float = 30, **fields: Any) -> Process:
    """A process whose lease began at noon."""
    return leases.granted(new_process(lease=Lease(seconds=seconds), **fields), NOON)


def end_of(process: Process) -> int:
    assert process.lease is not None
    return leases.ends_at(process.lease)


class TestRules:
    def test_a_lease_begins_when_it_is_granted_and_that_once(self) -> None:
        process = leased()
        assert process.lease == TOLD
        assert leases.granted(process, NOON + 1) is process
        assert leases.granted(new_process(), NOON).lease is None

    @pytest.mark.parametrize("status", ["queued", "running", "completed"])
    def test_a_new_process_is_stored_with_its_lease_begun(self, status: str) -> None:
        before = now_ms()
        process = created(new_process(lease=Lease(seconds=5.0), status=status))
        assert before + 5000 <= end_of(process) <= now_ms() + 5000

    def test_creates_are_told_apart_by_what_was_asked_for_alone(self) -> None:
        asked = new_process(lease=Lease(seconds=5.0))
        assert fingerprint(asked) != fingerprint(new_process(lease=Lease(seconds=6.0)))
        assert fingerprint(asked) != fingerprint(new_process())
        assert fingerprint(asked) == fingerprint(new_process(lease=Lease(seconds=5.0)))

    def test_a_renewal_is_written_when_a_third_has_passed(self) -> None:
        process = leased()
        assert leases.renewed(process, NOON + 10_000) is process
        renewed = leases.renewed(process, NOON + 10_001)
        assert end_of(renewed) == NOON + 40_001
        assert replace(renewed, lease=process.lease) == process

    def test_a_lease_that_is_over_can_be_renewed_while_nobody_noticed(self) -> None:
        assert end_of(leases.renewed(leased(), NOON + 99_000)) == NOON + 129_000

    def test_nothing_is_renewed_without_a_lease_or_after_the_end(self) -> None:
        for process in (new_process(), leased(status="failed")):
            assert leases.renewed(process, NOON + 99_000) is process

    def test_a_lost_process_is_failed_and_says_since_when_and_for_how_long(self) -> None:
        lost = leases.failed(leased(), NOON + 95_500)
        assert lost.status == "failed"
        assert lost.end_time == timestamp(NOON + 95_500)
        assert lost.error == (
            "lost contact: the reporter's lease of 30 s was last renewed 1m 35s ago,"
            f" at {timestamp(NOON)}"
        )

    def test_nobody_is_failed_before_the_end_of_the_lease_or_after_his_own(self) -> None:
        for process in (leased(), leased(status="completed"), new_process()):
            assert leases.failed(process, NOON + 29_999) is process
        for process in (leased(status="cancelled"), new_process()):
            assert leases.failed(process, NOON + 99_000) is process
        assert leases.failed(leased(), NOON + 30_000).terminal

    def test_from_when_the_server_could_be_reached_there_is_a_whole_lease(self) -> None:
        assert leases.ends_at(TOLD) == leases.ends_at(TOLD, NOON) == NOON + 30_000
        assert leases.ends_at(TOLD, NOON + 20_000) == NOON + 50_000
        assert leases.ends_at(Lease(seconds=1.0), 5) == 1005

    @law
    @given(SECONDS, st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=30))
    def test_who_is_heard_from_in_two_thirds_of_a_lease_never_loses_it(
        self, seconds: float, gaps: list[float]
    ) -> None:
        process, at, records = leased(seconds), NOON, 0
        longest = seconds * 1000 * 2 / 3
        for gap in gaps:
            at += min(int(gap * longest), int(longest - 0.5))
            assert leases.failed(process, at) is process
            renewed = leases.renewed(process, at)
            records += renewed is not process
            process = renewed
        assert records <= (at - NOON) / (seconds * 1000 // 3)

    @law
    @given(SECONDS, st.lists(st.integers(0, 200_000_000), max_size=20))
    def test_who_falls_silent_is_lost_when_a_lease_has_passed_and_not_before_two_thirds(
        self, seconds: float, reports: list[int]
    ) -> None:
        process = leased(seconds)
        for report in sorted(reports):
            process = leases.renewed(process, NOON + report)
        last = NOON + max(reports, default=0)
        assert not leases.failed(process, last + int(seconds * 1000 * 2 / 3) - 1).terminal
        assert leases.failed(process, last + round(seconds * 1000)).terminal


class TestMutations:
    def over(self, **fields: Any) -> Process:
        return new_process(lease=Lease(seconds=9.0, expires=timestamp(1)), **fields)

    def test_a_heartbeat_renews_and_changes_nothing_else(self) -> None:
        before = now_ms()
        after = heartbeat(self.over())
        assert end_of(after) >= before + 9000
        assert replace(after, lease=None) == new_process()
        assert heartbeat(after) is after
        assert heartbeat(new_process()) == new_process()

    def test_there_is_no_heartbeat_after_the_end(self) -> None:
        with pytest.raises(TerminalState, match="terminal state: failed"):
            heartbeat(self.over(status="failed"))

    def test_a_reporters_change_renews_and_its_end_does_not(self) -> None:
        after = reported(patch(ProcessPatch(result="r")))(self.over())
        assert after.result == "r"
        assert end_of(after) > now_ms()
        ended = reported(patch(ProcessPatch(status="completed")))(self.over())
        assert ended.lease == self.over().lease

    def test_an_expiry_fails_what_is_over_and_leaves_the_rest(self) -> None:
        assert expired(self.over()).status == "failed"
        for process in (heartbeat(self.over()), cancelled(self.over()), new_process()):
            assert expired(process) is process


class Store(LiveStore):
    """A store that can't fail one process, or tell its leases, while it is told so."""

    stuck = ""
    refuses = False
    updates = 0

    def leases(self) -> Mapping[str, Lease]:
        if self.refuses:
            raise StoreUnavailable("not now")
        return super().leases()

    def update(self, process_id: str, mutate: Mutation) -> Process:
        self.updates += 1
        if process_id == self.stuck:
            raise StoreUnavailable("not now")
        return super().update(process_id, mutate)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(FileProcessStore(tmp_path / "data"))
    yield store
    store.close()


@pytest.fixture
def watch(store: Store) -> Iterator[Callable[..., Expiry]]:
    """Starts an expiry; all are ended with the test."""
    started: list[Expiry] = []

    def start(poll: float = 0.02, grace: float = 0) -> Expiry:
        expiry = Expiry(store, poll, grace)
        expiry.start()
        started.append(expiry)
        return expiry

    yield start
    for expiry in started:
        expiry.close()


def asks(name: str = "p", seconds: float = 0.2, expires: Timestamp | None = None) -> Process:
    """A create; leases here are shorter than clients can have them."""
    return new_process(name, lease=Lease(seconds=seconds, expires=expires))


def status(store: ProcessStore, name: str = "p") -> str:
    return store.get(name).status


def nearly_over(store: ProcessStore, name: str) -> bool:
    return now_ms() >= end_of(store.get(name)) - 1


class TestExpiry:
    def test_a_lost_process_fails_and_its_followers_are_told(
        self, store: Store, watch: Callable[..., Expiry]
    ) -> None:
        changes: list[Change] = []
        ends: list[str] = []
        store.on_process_change(changes.append)
        store.add(asks())
        store.append_output("p", chunks("x"))
        store.on_process_output("p", lambda event: ends.append(type(event).__name__))
        watch()
        wait_until(lambda: status(store) == "failed")
        assert (store.get("p").error or "").startswith("lost contact: ")
        wait_until(lambda: ends)
        wait_until(lambda: changes and changes[-1].process == store.get("p").summary())
        assert store.read_output("p").sealed

    def test_one_that_is_heard_from_lives_on(
        self, store: Store, watch: Callable[..., Expiry]
    ) -> None:
        store.add(asks(seconds=3.1))  # a standstill of more than two seconds counts for nobody
        first = end_of(store.get("p"))
        watch()
        written = 0

        def lived_twice_as_long() -> bool:
            nonlocal written
            store.append_output("p", chunks("x"))
            written += 1
            return now_ms() > first + 3100

        wait_until(lived_twice_as_long, interval=0.001)
        assert status(store) == "running"
        assert len(changes_since(store, 0)) <= 1 + 4 * 3 < written
        wait_until(lambda: status(store) == "failed")

    def test_of_many_watchers_one_fails_a_process(
        self, store: Store, watch: Callable[..., Expiry]
    ) -> None:
        names = [f"p{number}" for number in range(20)]
        for name in names:
            store.add(asks(name))
        number = newest(store)
        for _ in range(5):
            watch()
        wait_until(lambda: {status(store, name) for name in names} == {"failed"})
        told = [change.process.id for change in changes_since(store, number) if change.process]
        assert sorted(told) == sorted(names)

    @pytest.mark.parametrize("end", [cancelled, set_fields(status="completed")])
    def test_an_end_that_races_with_the_lease_is_told_once(
        self, store: Store, watch: Callable[..., Expiry], end: Mutation
    ) -> None:
        names = [f"p{number}" for number in range(20)]
        for name in names:
            store.add(asks(name, 0.1))
        number = newest(store)
        watch()
        won = set()
        for name in names:
            wait_until(partial(nearly_over, store, name))
            with suppress(TerminalState):
                won.add(store.update(name, end).id)
        wait_until(lambda: not store.leases())
        changes = changes_since(store, number)
        assert len(changes) == len(names)
        assert {c.process.id for c in changes if c.process and c.process.status != "failed"} == won

    def test_after_a_start_there_is_a_whole_lease_for_everybody(
        self, store: Store, watch: Callable[..., Expiry]
    ) -> None:
        store.add(asks("short", 0.2, timestamp(1)))
        store.add(asks("long", 3600, timestamp(1)))
        before = time.monotonic()
        watch()
        wait_until(lambda: status(store, "short") == "failed")
        assert time.monotonic() - before >= 0.19
        assert status(store, "long") == "running"

    def test_after_standing_still_there_is_a_whole_lease_for_everybody(
        self, store: Store, watch: Callable[..., Expiry], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What a laptop's sleep looks like: the time of day has moved on, and nothing else has."""
        store.add(asks(seconds=3600))
        watch()
        for module in ("expiry", "transitions"):
            monkeypatch.setattr(f"pipeline_host.{module}.now_ms", lambda: now_ms() + 7_200_000)
        store.add(asks("short", 0.2, timestamp(1)))
        wait_until(lambda: status(store, "short") == "failed")
        assert status(store) == "running"

    def test_where_one_can_not_be_failed_the_others_are_and_it_is_tried_again(
        self, store: Store, watch: Callable[..., Expiry], caplog: pytest.LogCaptureFixture
    ) -> None:
        store.stuck = "a"
        for name in ("a", "b"):
            store.add(asks(name))
        watch()
        wait_until(lambda: status(store, "b") == "failed")
        wait_until(lambda: [one.levelno for one in caplog.records] == [logging.ERROR])
        store.stuck = ""
        wait_until(lambda: status(store, "a") == "failed")
        assert len(caplog.records) == 1

    def test_a_store_that_fails_is_asked_again(
        self, store: Store, watch: Callable[..., Expiry], caplog: pytest.LogCaptureFixture
    ) -> None:
        store.refuses = True
        store.add(asks())
        watch()
        wait_until(lambda: caplog.records)
        store.refuses = False
        wait_until(lambda: status(store) == "failed")

    def test_closing_does_not_wait_for_the_grace_time(
        self, store: Store, watch: Callable[..., Expiry]
    ) -> None:
        store.add(asks(seconds=0.01))
        before = set(threading.enumerate())
        expiry = watch(grace=3600)
        (thread,) = set(threading.enumerate()) - before
        end = now_ms() + 100
        wait_until(lambda: now_ms() > end)
        expiry.close()
        assert not thread.is_alive()
        assert status(store) == "running"

    def test_closing_does_not_wait_for_the_next_round(self, watch: Callable[..., Expiry]) -> None:
        before = set(threading.enumerate())
        expiry = watch(3600)
        expiry.start()
        (thread,) = set(threading.enumerate()) - before
        expiry.close()
        assert not thread.is_alive()


class TestRenewal:
    def test_output_costs_no_look_most_of_the_time(self, store: Store) -> None:
        store.add(asks(seconds=3600))
        store.add(new_process("without"))
        for _ in range(200):
            for name in ("p", "without"):
                store.append_output(name, chunks("x"))
        assert store.updates == 0

    def test_a_first_word_renews_a_lease_that_is_over(self, store: Store) -> None:
        store.add(asks(seconds=3600, expires=timestamp(1)))
        store.append_output("p", chunks("x"))
        assert end_of(store.get("p")) > now_ms() + 3_500_000

    def test_output_is_taken_where_the_lease_can_not_be_renewed(
        self, store: Store, caplog: pytest.LogCaptureFixture
    ) -> None:
        store.add(asks(expires=timestamp(1)))
        store.stuck = "p"
        assert store.append_output("p", chunks("x")) == 1
        assert "not now" in caplog.text
        store.stuck = ""
        wait_until(lambda: store.append_output("p", chunks("x")) and end_of(store.get("p")) > 1)

    def test_a_process_that_takes_over_an_id_does_not_suffer_for_the_other(
        self, store: Store
    ) -> None:
        store.add(asks(seconds=86_400))
        store.append_output("p", chunks("x"))
        store.remove("p")
        first = end_of(store.add(asks(seconds=1)).process)
        wait_until(lambda: store.append_output("p", chunks("x")) and end_of(store.get("p")) > first)
        assert end_of(store.get("p")) <= now_ms() + 1000


def test_a_store_that_has_no_index_of_leases_finds_them_all_the_same(store: Store) -> None:
    for name in ("a", "b"):
        store.add(asks(name, 3600))
    store.add(asks("ended", 3600))
    store.update("ended", cancelled)
    store.add(new_process("without"))
    assert ProcessStore.leases(store) == store.leases()
    assert store.leases().keys() == {"a", "b"}


def test_the_time_of_a_lease_is_one_on_the_wire(store: Store) -> None:
    lease = store.add(asks(seconds=30)).process.lease
    assert lease is not None
    assert lease.expires is not None
    assert lease.expires == timestamp(to_ms(lease.expires))
