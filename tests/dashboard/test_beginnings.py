"""When a process that waited began to run, as far back as changes are known."""

from __future__ import annotations

import pytest

from pipeline_host.models import (
    Change,
    ChangeBatch,
    ProcessSummary,
    Removed,
    Status,
    Timestamp,
)
from pipeline_host_dashboard.beginnings import Beginnings, oldest_known


class Log:
    """A change log that forgets, as a store's does."""

    def __init__(self, forgotten: int = 0) -> None:
        self.forgotten = forgotten
        self.kept: list[Change] = []

    @property
    def last(self) -> int:
        return self.forgotten + len(self.kept)

    def tell(self, process_id: str, status: Status, timestamp: int) -> None:
        process = ProcessSummary(
            id=process_id,
            prompt_preview="p",
            status=status,
            type="t",
            start_time=Timestamp("2026-11-22T07:00:00.000Z"),
        )
        self.kept.append(
            Change(seq=self.last + 1, kind="process-updated", timestamp=timestamp, process=process)
        )

    def remove(self, process_id: str) -> None:
        removed = (Removed(id=process_id, status="running"),)
        self.kept.append(
            Change(seq=self.last + 1, kind="process-removed", timestamp=0, removed=removed)
        )

    def forget(self, count: int) -> None:
        del self.kept[:count]
        self.forgotten += count

    def changes(self, after: int, limit: int = 2) -> ChangeBatch:
        if not self.forgotten <= after <= self.last:
            return ChangeBatch(changes=(), last=self.last, resync=True)
        start = after - self.forgotten
        return ChangeBatch(changes=tuple(self.kept[start : start + limit]), last=self.last)


@pytest.fixture
def log() -> Log:
    return Log()


def beginnings(log: Log, kept: int = 100) -> Beginnings:
    return Beginnings(log, kept)  # type: ignore[arg-type]  # it reads changes and nothing else


def test_only_what_was_seen_waiting_has_a_beginning(log: Log) -> None:
    log.tell("a", "queued", 1)
    log.tell("b", "running", 2)
    log.tell("a", "running", 3)
    log.tell("a", "running", 4)
    log.tell("b", "completed", 5)
    assert beginnings(log).read() == ({"a": 3}, 5)


def test_one_that_never_ran_waited_until_its_end(log: Log) -> None:
    log.tell("a", "queued", 1)
    log.tell("a", "cancelled", 2)
    assert beginnings(log).read() == ({"a": 2}, 2)


def test_one_that_told_of_its_end_alone_may_have_run_since_any_time(log: Log) -> None:
    log.tell("a", "queued", 1)
    log.tell("a", "completed", 2)
    assert beginnings(log).read() == ({}, 2)


def test_it_reads_on_from_where_it_was(log: Log) -> None:
    reader = beginnings(log)
    log.tell("a", "queued", 1)
    assert reader.read() == ({}, 1)
    log.tell("a", "running", 7)
    assert reader.read() == ({"a": 7}, 2)


def test_what_is_removed_is_forgotten(log: Log) -> None:
    log.tell("a", "queued", 1)
    log.tell("a", "running", 2)
    log.remove("a")
    assert beginnings(log).read() == ({}, 3)


def test_it_goes_on_where_changes_were_forgotten_meanwhile(log: Log) -> None:
    reader = beginnings(log)
    log.tell("a", "queued", 1)
    log.tell("a", "running", 2)
    assert reader.read()[0] == {"a": 2}
    for _ in range(10):
        log.tell("x", "running", 3)
    log.tell("b", "queued", 4)
    log.tell("b", "running", 5)
    log.forget(11)
    assert reader.read() == ({"a": 2, "b": 5}, 14)


def test_the_oldest_are_dropped(log: Log) -> None:
    for number in range(5):
        log.tell(str(number), "queued", 1)
        log.tell(str(number), "running", number)
    assert beginnings(log, kept=2).read()[0] == {"3": 3, "4": 4}


@pytest.mark.parametrize("forgotten", [0, 1, 2, 7, 1000])
@pytest.mark.parametrize("kept", [0, 1, 5])
def test_the_oldest_known_change_is_found(forgotten: int, kept: int) -> None:
    log = Log(forgotten)
    for _ in range(kept):
        log.tell("a", "running", 1)
    assert oldest_known(log) == forgotten  # type: ignore[arg-type]
