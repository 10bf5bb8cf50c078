"""The doorbell: whoever writes, listeners hear of it, told by the kernel or by looking."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from pipeline_host.testing.store_base import chunks, new_process, set_fields
from pipeline_host.testing.waiting import wait_until
from pipeline_host_filestore.doorbell import Doorbell
from pipeline_host_filestore.store import FileProcessStore
from pipeline_host_filestore.watching import InotifyWatcher, PollingWatcher, Target, Watcher

Opener = Callable[..., FileProcessStore]


class Refusing(InotifyWatcher):
    """As where the user has no watch left."""

    def watch(self, target: Target) -> None:
        if self._users:
            raise OSError(28, "No space left on device")
        super().watch(target)


def no_inotify() -> Watcher:
    raise OSError(24, "Too many open files")


@pytest.fixture(params=[InotifyWatcher, PollingWatcher, Refusing, no_inotify])
def doorbell(request: pytest.FixtureRequest) -> Iterator[Doorbell]:
    doorbell = Doorbell(request.param)
    yield doorbell
    doorbell.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "other").mkdir()
    return tmp_path


def test_a_file_that_is_made_written_or_replaced_is_heard_of(
    doorbell: Doorbell, folder: Path
) -> None:
    heard = threading.Event()
    doorbell.listen(Target(folder / "other", "any"), lambda: None)
    doorbell.listen(Target(folder, "file"), heard.set)

    def make() -> None:
        (folder / "file-1").write_text("made")

    def write() -> None:
        with (folder / "file-1").open("a") as file:
            file.write("more")

    def replace() -> None:
        (folder / "other" / "new").write_text("another")
        (folder / "other" / "new").rename(folder / "file-1")

    for act in (make, write, replace):
        act()
        assert heard.wait(5), act.__name__
        heard.clear()


def test_other_files_are_not_heard_of(doorbell: Doorbell, folder: Path) -> None:
    rung: list[str] = []
    for stem in ("other", "file", "files"):
        doorbell.listen(Target(folder, stem), partial(rung.append, stem))
    (folder / "file-1").write_text("x")
    wait_until(lambda: rung)
    assert set(rung) == {"file"}


def test_each_listener_is_called_until_it_stops(doorbell: Doorbell, folder: Path) -> None:
    calls: list[int] = []
    target = Target(folder, "file")
    stops = [doorbell.listen(target, partial(calls.append, number)) for number in (1, 2)]
    (folder / "file").write_text("x")
    wait_until(lambda: {1, 2} <= set(calls))
    stops[0]()
    stops[0]()
    last = threading.Event()
    doorbell.listen(target, last.set)
    calls.clear()
    (folder / "file").write_text("xy")
    assert last.wait(5)
    wait_until(lambda: calls)
    assert set(calls) == {2}
    stops[1]()


def test_after_closing_nothing_rings_and_nothing_runs(folder: Path) -> None:
    doorbell = Doorbell()
    doorbell.listen(Target(folder, "file"), lambda: None)
    assert "pipeline-host-doorbell" in [thread.name for thread in threading.enumerate()]
    doorbell.close()
    doorbell.close()
    assert "pipeline-host-doorbell" not in [thread.name for thread in threading.enumerate()]
    doorbell.listen(Target(folder, "file"), lambda: None)()


def test_a_store_rings_for_changes_and_for_each_process_output(
    store: FileProcessStore, open_store: Opener
) -> None:
    other = open_store()
    rung: dict[str | None, threading.Event] = {
        name: threading.Event() for name in (None, "p", "..", "later")
    }
    for name, event in rung.items():
        store.listen(name, event.set)

    def heard(name: str | None) -> None:
        assert rung[name].wait(5), name
        rung[name].clear()

    for process_id in ("p", ".."):
        other.add(new_process(process_id))
        heard(None)
        other.append_output(process_id, chunks("x"))
        heard(process_id)
    other.update("p", set_fields(status="completed"))
    heard(None)
    assert not rung["later"].is_set()
    other.add(new_process("later"))
    other.append_output("later", chunks("x"))
    heard("later")
    other.remove("later")
    other.add(new_process("later"))
    other.append_output("later", chunks("of another incarnation"))
    heard("later")


def test_a_compaction_is_no_end_of_ringing(store: FileProcessStore, open_store: Opener) -> None:
    other = open_store()
    other.add(new_process())
    heard = threading.Event()
    store.listen(None, heard.set)
    assert other._compactor.compact(force=True)
    assert heard.wait(5)
    heard.clear()
    other.add(new_process("q"))
    assert heard.wait(5)
    assert store.get("q").id == "q"
