"""Retention: what is too old or too much goes by itself, and a failure is not the end of it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline_host.config import Settings
from pipeline_host.errors import StoreUnavailable
from pipeline_host.hookspecs import StoreContext
from pipeline_host.live import LiveStore
from pipeline_host.models import ProcessFilter
from pipeline_host.retention import Retention
from pipeline_host.testing.store_base import moment, new_process
from pipeline_host.testing.waiting import wait_until
from pipeline_host_filestore import plugin


class Store(LiveStore):
    """A store that can't prune while it is told so."""

    refuses = False

    def prune(
        self, *, max_age: timedelta | None = None, max_count: int | None = None
    ) -> Sequence[str]:
        if self.refuses:
            raise StoreUnavailable("not now")
        return super().prune(max_age=max_age, max_count=max_count)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    (spec,) = plugin.pipeline_host_process_stores()
    store = Store(spec.factory(StoreContext(tmp_path, spec.options())))
    yield store
    store.close()


def ids(store: LiveStore) -> list[str]:
    return [process.id for process in store.list(ProcessFilter()).processes]


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "retention"]


def add(store: LiveStore, *names: str, ended: bool = True) -> None:
    for second, name in enumerate(names):
        store.add(
            new_process(name, status="completed" if ended else "running", start_time=moment(second))
        )


def test_the_oldest_beyond_the_count_go_at_once_and_again_and_again(store: Store) -> None:
    add(store, "a", "b", "c")
    retention = Retention(store, Settings(retention_max_count=2, retention_interval=0.01))
    retention.start()
    wait_until(lambda: ids(store) == ["b", "c"])
    store.add(new_process("d", status="failed", start_time=moment(9)))
    wait_until(lambda: ids(store) == ["c", "d"])
    retention.close()
    assert threads() == []


def test_what_ended_too_long_ago_goes_but_never_what_runs(store: Store) -> None:
    store.add(new_process("old", status="completed", end_time=moment(0)))
    store.add(new_process("running"))
    retention = Retention(store, Settings(retention_max_age=0.001, retention_interval=0.01))
    retention.start()
    wait_until(lambda: ids(store) == ["running"])
    retention.close()


def test_without_a_limit_nothing_is_done(store: Store) -> None:
    add(store, "a")
    retention = Retention(store, Settings(retention_interval=0.01))
    retention.start()
    assert threads() == []
    retention.close()


def test_a_failure_is_logged_and_tried_again(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    add(store, "a")
    store.refuses = True
    retention = Retention(store, Settings(retention_max_count=0, retention_interval=0.01))
    retention.start()
    wait_until(lambda: any(record.levelno == logging.ERROR for record in caplog.records))
    assert ids(store) == ["a"]
    store.refuses = False
    wait_until(lambda: ids(store) == [])
    retention.close()


def test_closing_does_not_wait_for_the_next_round(store: Store) -> None:
    retention = Retention(store, Settings(retention_max_count=1, retention_interval=3600))
    retention.start()
    retention.start()
    assert len(threads()) == 1
    retention.close()
    assert threads() == []
