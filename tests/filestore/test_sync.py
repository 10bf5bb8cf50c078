"""Acknowledged means synced, however many wait; and a failed sync is never taken for a good one."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from pipeline_host.errors import StorageFull, StoreUnavailable
from pipeline_host.models import Chunk, ProcessFilter
from pipeline_host.testing.store_base import (
    changes_since,
    chunks,
    new_process,
    race,
    set_fields,
    text_of,
)
from pipeline_host.testing.waiting import wait_until
from pipeline_host_filestore import syncer
from pipeline_host_filestore.options import FileStoreOptions
from pipeline_host_filestore.store import FileProcessStore

Opener = Callable[..., FileProcessStore]


class Disk:
    """Stands between a store and the disk: knows what is safe, and fails when told to."""

    def __init__(self) -> None:
        self.safe: dict[str, bytes] = {}
        self.failures: list[int] = []
        self.syncs = 0
        self.begins: Callable[[], bool] = lambda: True

    def __call__(self, fd: int) -> None:
        self.syncs += 1
        wait_until(self.begins)
        path = Path(f"/proc/self/fd/{fd}").readlink()
        if self.failures:
            number = self.failures.pop(0)
            raise OSError(number, os.strerror(number))
        os.fdatasync(fd)
        self.safe[str(path)] = path.read_bytes() if path.exists() else b""

    def has(self, text: bytes) -> bool:
        """Whether any file has this text, safely."""
        return any(text in data for data in self.safe.values())

    def restored(self, folder: Path, data_dir: Path) -> None:
        """Make a folder hold what a loss of power would leave."""
        for path, data in self.safe.items():
            if not path.endswith(".jsonl"):
                continue
            copy = folder / Path(path).relative_to(data_dir)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(data)


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syncer, "PROBE_INTERVAL", 0.0)


def test_what_was_acknowledged_survives_a_loss_of_power(
    open_store: Opener, disk: Disk, data_dir: Path, tmp_path: Path
) -> None:
    store = open_store(FileStoreOptions(flush_interval=3600), fdatasync=disk)
    steps: list[Callable[[], object]] = [
        partial(store.add, new_process("p", workspace="w")),
        partial(store.update, "p", set_fields(result="r")),
        partial(store.add, new_process("q")),
        partial(store.append_output, "p", chunks("some ", "output")),
        partial(store.update, "p", set_fields(status="completed")),
        partial(store.remove, "q"),
        partial(store.clear, ["completed"]),
    ]
    for number, step in enumerate(steps):
        step()
        after = tmp_path / f"after {number}"
        disk.restored(after, data_dir)
        again = FileProcessStore(after)
        assert again.list(ProcessFilter()) == store.list(ProcessFilter())
        assert changes_since(again, 0) == changes_since(store, 0)
        if number == 4:
            assert text_of(again, "p") == "some output"
        again.close()


def test_with_full_durability_output_is_safe_at_once(open_store: Opener, disk: Disk) -> None:
    store = open_store(FileStoreOptions(durability="full"), fdatasync=disk)
    store.add(new_process())
    store.append_output("p", chunks("text"))
    (path,) = [path for path in disk.safe if "/output/" in path]
    assert disk.safe[path] == Path(path).read_bytes()


def test_output_is_safe_soon(open_store: Opener, disk: Disk) -> None:
    store = open_store(FileStoreOptions(flush_interval=0.02), fdatasync=disk)
    store.add(new_process())
    for content in ("one", "two"):
        store.append_output("p", chunks(content))
        wait_until(partial(disk.has, content.encode()))


def test_output_is_safe_when_the_store_is_closed(open_store: Opener, disk: Disk) -> None:
    store = open_store(FileStoreOptions(flush_interval=3600), fdatasync=disk)
    store.add(new_process())
    store.append_output("p", chunks("text"))
    store.close()
    assert disk.has(b"text")


def test_the_end_of_a_process_makes_safe_what_any_worker_wrote(
    open_store: Opener, disk: Disk
) -> None:
    writer = open_store(FileStoreOptions(durability="os"))
    writer.add(new_process())
    writer.append_output("p", chunks("of another worker"))
    store = open_store(fdatasync=disk)
    assert not disk.has(b"of another")
    store.update("p", set_fields(status="completed"))
    assert disk.has(b"of another")


def test_a_repeated_create_is_safe_too(open_store: Opener, disk: Disk) -> None:
    """Whoever wrote the first may have been killed before it was synced."""
    store = open_store(fdatasync=disk)
    open_store(FileStoreOptions(durability="os")).add(new_process())
    assert not store.add(new_process()).created
    assert disk.has(b'"id":"p"')


def test_without_syncing_nothing_is_synced(open_store: Opener, disk: Disk) -> None:
    store = open_store(FileStoreOptions(durability="os"), fdatasync=disk)
    store.add(new_process())
    store.append_output("p", chunks("x"))
    store.update("p", set_fields(status="failed"))
    store.close()
    assert disk.syncs == 0


def test_those_who_wait_share_a_sync(open_store: Opener, disk: Disk, data_dir: Path) -> None:
    store = open_store(fdatasync=disk)
    journal, before = data_dir / "journal.jsonl", disk.syncs
    disk.begins = lambda: journal.read_bytes().count(b'"op":"add"') == 20
    results = race(*[partial(store.add, new_process(f"p{number}")) for number in range(20)])
    assert len(results) == 20
    assert disk.syncs - before <= 10


def test_a_failed_sync_is_made_good_by_writing_again(
    open_store: Opener, disk: Disk, data_dir: Path
) -> None:
    store = open_store(fdatasync=disk)
    store.add(new_process("before"))
    path = data_dir / "journal.jsonl"
    disk.failures = [errno.EIO]
    syncs = disk.syncs
    os.utime(path, ns=(0, 0))
    store.add(new_process("p"))
    assert disk.syncs == syncs + 2
    assert path.stat().st_mtime_ns > 0
    assert disk.safe[str(path)] == path.read_bytes()
    assert open_store().list(ProcessFilter()) == store.list(ProcessFilter())


@pytest.mark.parametrize(
    ("number", "error", "sentence"),
    [
        (errno.EIO, StoreUnavailable, "Can't sync .*journal.jsonl: Input/output error"),
        (errno.ENOSPC, StorageFull, "The disk is full: can't sync .*journal.jsonl"),
    ],
)
def test_while_syncing_fails_writes_are_refused_and_reads_answered(
    open_store: Opener, disk: Disk, number: int, error: type[Exception], sentence: str
) -> None:
    store = open_store(fdatasync=disk)
    store.add(new_process("before"))
    disk.failures = [number] * 1000
    for process_id in ("a", "b"):
        with pytest.raises(error, match=sentence):
            store.add(new_process(process_id))
    with pytest.raises(error, match=sentence):
        store.update("before", set_fields(result="r"))
    with pytest.raises(error, match=sentence):
        store.remove("before")
    assert store.get("before").result is None
    disk.failures = []
    assert store.update("before", set_fields(result="r")).result == "r"
    (path,) = [path for path in disk.safe if path.endswith("journal.jsonl")]
    assert disk.safe[path] == Path(path).read_bytes()


def test_while_syncing_fails_it_is_not_tried_at_each_write(
    open_store: Opener, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syncer, "PROBE_INTERVAL", 3600.0)
    store = open_store(fdatasync=disk)
    disk.failures = [errno.EIO] * 1000
    with pytest.raises(StoreUnavailable):
        store.add(new_process())
    before = disk.syncs
    for _ in range(10):
        with pytest.raises(StoreUnavailable):
            store.add(new_process())
    assert disk.syncs == before


def test_all_who_wait_for_a_sync_that_fails_are_told(
    open_store: Opener, disk: Disk, data_dir: Path
) -> None:
    store = open_store(fdatasync=disk)
    journal, first = data_dir / "journal.jsonl", disk.syncs + 1
    disk.begins = lambda: disk.syncs > first or journal.read_bytes().count(b'"op":"add"') == 8
    disk.failures = [errno.EIO] * 1000
    results = race(*[partial(store.add, new_process(f"p{number}")) for number in range(8)])
    assert [type(result) for result in results] == [StoreUnavailable] * 8


def test_bytes_that_the_kernel_lost_are_not_called_safe(
    open_store: Opener, disk: Disk, data_dir: Path
) -> None:
    """After a failed sync some file systems give zeros for what they could not write."""
    store = open_store(fdatasync=disk)
    path = data_dir / "journal.jsonl"
    start = path.stat().st_size

    def lose(fd: int) -> None:
        with path.open("r+b") as file:
            file.seek(start)
            file.write(bytes(40))
        raise OSError(errno.EIO, "Input/output error")

    store._access._opened().replica.journal.sync._sync = lose
    with pytest.raises(StoreUnavailable, match="lost by the disk"):
        store.add(new_process())


def test_output_that_cannot_be_synced_is_told_and_made_good(
    open_store: Opener, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(FileStoreOptions(flush_interval=0.02), fdatasync=disk)
    store.add(new_process())
    disk.failures = [errno.EIO] * 1000
    store.append_output("p", chunks("text"))
    wait_until(lambda: "Output is not safe" in caplog.text)
    with pytest.raises(StoreUnavailable, match=r"Can't sync .*/output/"):
        store.append_output("p", chunks("more"))
    assert text_of(store, "p") == "text"
    disk.failures = []
    assert store.append_output("p", chunks("more"), 4) == 8
    wait_until(lambda: disk.has(b"more"))


def test_a_sync_never_holds_the_lock(open_store: Opener) -> None:
    """While one worker syncs another one writes, and this one reads."""
    entered, leave = threading.Event(), threading.Event()

    def slow(fd: int) -> None:
        if armed:
            entered.set()
            assert leave.wait(10)
        os.fdatasync(fd)

    armed = False
    store, other = open_store(fdatasync=slow), open_store()
    armed = True
    thread = threading.Thread(target=store.add, args=[new_process("slow")])
    thread.start()
    assert entered.wait(10)
    assert other.add(new_process("quick")).created
    assert store.get("quick").id == "quick"
    assert store.append_output("quick", [Chunk(content="x")]) == 1
    leave.set()
    thread.join()
