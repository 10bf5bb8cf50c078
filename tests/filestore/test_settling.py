"""Work in the background that fails: it is tried again, but not at once."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from pipeline_host.errors import StoreUnavailable
from pipeline_host.testing.store_base import new_process, set_fields
from pipeline_host.testing.waiting import wait_until
from pipeline_host_filestore import settling
from pipeline_host_filestore.options import FileStoreOptions
from pipeline_host_filestore.settling import Settler
from pipeline_host_filestore.store import FileProcessStore


def idle(settler: Settler) -> bool:
    return settler._thread is None


@pytest.mark.parametrize("error", [StoreUnavailable("no disk"), KeyError("unforeseen")])
def test_what_failed_is_not_tried_again_at_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    tries = []

    def fail() -> bool:
        tries.append(1)
        raise error

    monkeypatch.setattr(settling, "RETRY_AFTER", 1e9)
    settler = Settler(fail)
    for _ in range(3):
        settler.start()
        wait_until(lambda: idle(settler))
    assert len(tries) == 1
    assert caplog.text.count("is tried again") == 1
    settler._not_before = 0.0
    settler.start()
    wait_until(lambda: len(tries) == 2 and idle(settler))
    settler.close()


def refuse(self: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_a_thread_that_cannot_be_had_is_asked_for_later(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = threading.Event()

    def take_slice() -> bool:
        done.set()
        return False

    settler = Settler(take_slice)
    with monkeypatch.context() as patched:
        patched.setattr(settler, "_retry_after", 0.0)
        patched.setattr(threading.Thread, "start", refuse)
        settler.start()
    assert "can't start new thread" in caplog.text
    settler.start()
    assert done.wait(60)
    settler.close()


def test_a_compaction_without_a_thread_costs_the_writer_nothing(
    open_store: Callable[..., FileProcessStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(FileStoreOptions(compact_size=0, durability="os"))
    monkeypatch.setattr(threading.Thread, "start", refuse)
    store.add(new_process())
    for number in range(50):
        store.update("p", set_fields(result=str(number)))
    assert store.get("p").result == "49"
    assert store._compactor._thread is None
