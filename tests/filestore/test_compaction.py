"""Compaction: the journal gets small, and nobody notices anything else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline_host.errors import NotFound, StorageFull
from pipeline_host.models import ProcessFilter, Workspace
from pipeline_host.testing.store_base import (
    changes_since,
    chunks,
    new_process,
    newest,
    race,
    set_fields,
    text_of,
)
from pipeline_host.testing.waiting import wait_until
from pipeline_host_filestore import compaction, files, pacing
from pipeline_host_filestore.compaction import Compactor
from pipeline_host_filestore.files import OpenFile
from pipeline_host_filestore.lock import FileLock
from pipeline_host_filestore.options import FileStoreOptions
from pipeline_host_filestore.settling import Settler
from pipeline_host_filestore.store import FileProcessStore

Opener = Callable[..., FileProcessStore]
NEVER = FileStoreOptions(compact_size=10**12, durability="os")
SMALL = FileStoreOptions(compact_size=4096, durability="os")


def generation(store: FileProcessStore) -> int:
    with store._access.reading() as replica:
        return replica.journal.header.generation


def compact(store: FileProcessStore) -> None:
    assert store._compactor.compact(force=True)


def fill(store: FileProcessStore) -> None:
    """Processes with long and short texts in all stages, and some that are gone."""
    store.register_workspace(Workspace(id="w", name="one", root_path="/1"))
    store.register_workspace(Workspace(id="v", name="two", root_path="/2"))
    for number in range(20):
        process_id = f"p{number}"
        store.add(new_process(process_id, workspace="w", full_prompt="prompt " * (number * 40)))
        if number % 2:
            store.update(process_id, set_fields(result="result " * number * 30))
        if number % 3:
            store.update(process_id, set_fields(status="completed", metadata={"n": number}))
        if number % 5 == 0:
            store.remove(process_id)


def everything(store: FileProcessStore) -> tuple[object, ...]:
    page = store.list(ProcessFilter(limit=1000))
    return (
        page,
        [store.get(process.id) for process in page.processes],
        store.stats(),
        store.workspaces(),
        newest(store),
        store.epoch,
    )


def test_all_is_as_it_was_for_who_compacted_who_reads_on_and_who_opens_later(
    open_store: Opener, data_dir: Path
) -> None:
    store, reader = open_store(NEVER), open_store(NEVER)
    fill(store)
    assert everything(reader) == everything(store)
    late = open_store(NEVER)
    late_knows = everything(late)
    fill_more = [("q", "x" * 3000), ("r", "short")]
    for process_id, prompt in fill_more:
        store.add(new_process(process_id, full_prompt=prompt))
    before = everything(store)
    size = (data_dir / "journal.jsonl").stat().st_size
    compact(store)
    assert (data_dir / "journal.jsonl").stat().st_size < size
    for opened in (store, reader, late, open_store(NEVER)):
        assert everything(opened) == before
        assert generation(opened) == 2
    assert late_knows != before


def test_fingerprints_and_incarnations_are_kept(open_store: Opener) -> None:
    store = open_store(NEVER)
    store.add(new_process())
    store.append_output("p", chunks("before"))
    store.update("p", set_fields(result="r"))
    incarnation = store.read_output("p").incarnation
    compact(store)
    for opened in (store, open_store(NEVER)):
        assert not opened.add(new_process()).created
        assert opened.read_output("p").incarnation == incarnation
        assert text_of(opened, "p") == "before"


def test_a_backup_by_hard_links_keeps_nobody_at_the_old_file(
    open_store: Opener, data_dir: Path, tmp_path: Path
) -> None:
    store, reader = open_store(NEVER), open_store(NEVER)
    store.add(new_process("before"))
    (tmp_path / "backup.jsonl").hardlink_to(data_dir / "journal.jsonl")
    compact(store)
    store.add(new_process("after"))
    reader.add(new_process("of the other"))
    expected = {"before", "after", "of the other"}
    for opened in (store, reader, open_store(NEVER)):
        assert {process.id for process in opened.list(ProcessFilter()).processes} == expected
        assert generation(opened) == 2


def test_changes_go_on_and_the_newest_are_still_told(
    open_store: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "KEPT_CHANGES", 10)
    store, reader = open_store(NEVER), open_store(NEVER)
    fill(store)
    every = changes_since(reader, 0)
    compact(store)
    later = open_store(NEVER)
    store.add(new_process("next"))
    assert changes_since(reader, 0)[: len(every)] == every
    assert [change.seq for change in changes_since(reader, every[-1].seq)] == [every[-1].seq + 1]
    assert changes_since(later, every[-11].seq)[:10] == every[-10:]
    assert later.changes(every[-12].seq).resync


def test_as_many_changes_are_kept_as_are_promised(open_store: Opener) -> None:
    """Ten thousand, also after a compaction and a restart; docs/protocol.md says so."""
    store = open_store(NEVER)
    store.add(new_process())
    for number in range(10_100):
        store.update("p", set_fields(exit_code=number))
    compact(store)
    later = open_store(NEVER)
    assert len(changes_since(later, newest(store) - 10_000)) == 10_000


def test_long_changes_do_not_make_a_journal_larger(open_store: Opener, data_dir: Path) -> None:
    """Each tells the preview, though a record of the journal doesn't repeat it."""
    store = open_store(NEVER)
    store.add(new_process(prompt_preview="é" * 3000))
    for number in range(4000):
        store.update("p", set_fields(exit_code=number))
    compact(store)
    assert (data_dir / "journal.jsonl").stat().st_size < 8 * 1024 * 1024
    later = open_store(NEVER)
    kept = changes_since(later, newest(store) - compaction.LEAST_CHANGES)
    assert len(kept) == compaction.LEAST_CHANGES
    assert later.changes(newest(store) - 2000).resync


def test_it_happens_by_itself_when_most_is_garbage(open_store: Opener, data_dir: Path) -> None:
    store = open_store(SMALL)
    store.add(new_process())
    for number in range(200):
        store.update("p", set_fields(result=f"result {number}"))
    wait_until(lambda: generation(store) > 1)
    size = (data_dir / "journal.jsonl").stat().st_size
    assert size < 200 * 300
    assert store.get("p").result == "result 199"


def test_it_does_not_happen_where_nothing_is_garbage(open_store: Opener) -> None:
    store = open_store(SMALL)
    for number in range(100):
        store.add(new_process(f"p{number}"))
    store._compactor.close()
    assert generation(store) == 1


def test_two_that_compact_at_once_do_it_once(open_store: Opener, data_dir: Path) -> None:
    store = open_store(NEVER)
    fill(store)
    other = FileLock(data_dir / "compact.lock", 0)
    assert other.try_take()
    assert not store._compactor.compact(force=True)
    other.release()
    assert generation(store) == 1


def test_one_that_was_killed_halfway_leaves_nothing_behind(
    open_store: Opener, data_dir: Path
) -> None:
    store = open_store(NEVER)
    (data_dir / "journal.jsonl.tmp").write_bytes(b"half of a journal" * 1000)
    fill(store)
    before = everything(store)
    compact(store)
    assert everything(open_store(NEVER)) == before
    assert not (data_dir / "journal.jsonl.tmp").exists()


def test_one_that_fails_changes_nothing(
    open_store: Opener, data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    failing = False

    def sync(fd: int) -> None:
        if failing:
            raise OSError(28, "No space left on device")

    store = open_store(SMALL, fdatasync=sync)
    store.add(new_process())
    failing = True
    for number in range(100):
        store.update("p", set_fields(result=f"result {number}"))
    wait_until(lambda: "could not be compacted" in caplog.text)
    store.update("p", set_fields(result="last"))
    assert generation(store) == 1
    assert store.get("p").result == "last"
    assert not (data_dir / "journal.jsonl.tmp").exists()
    assert caplog.text.count("could not be compacted") == 1


def test_one_that_failed_meanwhile_is_not_repeated_at_once(
    open_store: Opener, data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def sync(fd: int) -> None:
        raise OSError(28, "No space left on device")

    store = open_store(NEVER)
    store.add(new_process())
    for number in range(100):
        store.update("p", set_fields(result=f"result {number}"))
    compactor = Compactor(data_dir, store._access, store._outputs, sync, least=1)
    with store._access.reading() as replica:
        assert compactor.wanted(replica)
    for _ in range(2):
        compactor.start()
        wait_until(lambda: not (compactor._thread and compactor._thread.is_alive()))
    assert caplog.text.count("could not be compacted") == 1


def test_what_could_not_be_read_is_kept_aside(open_store: Opener, data_dir: Path) -> None:
    store = open_store(NEVER)
    for process_id in ("a", "damaged", "b"):
        store.add(new_process(process_id))
    store.append_output("damaged", chunks("kept"))
    store.close()
    path = data_dir / "journal.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"id":"damaged"', b'"id":"Damaged"'))
    store = open_store(NEVER)
    (damage,) = store.damage
    compact(store)
    assert store.damage == []
    saved = data_dir / "damaged" / f"journal-1-{damage.start}"
    assert b'"id":"Damaged"' in saved.read_bytes()
    assert len(list((data_dir / "output").glob("*/*"))) == 1
    assert [process.id for process in store.list(ProcessFilter()).processes] == ["a", "b"]


@pytest.mark.parametrize("full", [False, True], ids=["stopped", "full disk"])
def test_compactions_in_vain_keep_what_could_not_be_read_once(
    open_store: Opener, data_dir: Path, monkeypatch: pytest.MonkeyPatch, full: bool
) -> None:
    """Each try added a copy of the damage, also where the disk was full already."""
    store = open_store(NEVER)
    for process_id in ("a", "damaged", "b"):
        store.add(new_process(process_id))
    store.close()
    path = data_dir / "journal.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"id":"damaged"', b'"id":"Damaged"'))
    store = open_store(NEVER)

    def fail(file: OpenFile, data: bytes, end: int) -> None:
        raise StorageFull("The disk is full")

    monkeypatch.setattr(files if full else compaction, "append", fail)
    for _ in range(3):
        with pytest.raises(StorageFull):
            compact(store)
    assert len(list((data_dir / "damaged").iterdir())) == (0 if full else 1)
    monkeypatch.undo()
    compact(store)
    (saved,) = (data_dir / "damaged").iterdir()
    assert b'"id":"Damaged"' in saved.read_bytes()


@pytest.fixture
def slow_reader(open_store: Opener, monkeypatch: pytest.MonkeyPatch) -> FileProcessStore:
    """A store that goes over to a new file as slowly as can be: by hand, one thing at a time."""
    monkeypatch.setattr(Settler, "start", lambda self: None)
    monkeypatch.setattr(pacing, "SLICE", 0.0)
    return open_store(NEVER)


def test_all_is_answered_while_a_reader_goes_over(
    open_store: Opener, slow_reader: FileProcessStore
) -> None:
    """Long texts lie partly in the old file then; and others go on writing."""
    store = open_store(NEVER)
    fill(store)
    assert everything(slow_reader) == everything(store)
    compact(store)
    slices = 0
    while slices == 0 or slow_reader._access._settle():
        process_id = f"p{slices % 20}"
        if slices % 3 == 0:
            store.add(new_process(f"n{slices}", full_prompt="new " * 1000))
        elif process_id in {process.id for process in store.list(ProcessFilter()).processes}:
            store.update(process_id, set_fields(result="late " * 1000 * (slices % 2)))
        if slices == 9:
            store.remove("p9")
        assert everything(slow_reader) == everything(store)
        slices += 1
    assert slices > 16
    assert generation(slow_reader) == 2
    assert everything(open_store(NEVER)) == everything(slow_reader) == everything(store)
    with slow_reader._access.reading() as replica, store._access.reading() as other:
        assert not replica.relocating
        assert list(replica.texts.files) == [2]
        assert replica.state.index.bytes == sum(
            entry.size for entry in replica.state.index.entries()
        )
        assert replica.journal.kept_end > other.journal.position // 4


@pytest.mark.parametrize("slices", [0, 1, 5, 12])
def test_a_reader_that_goes_over_may_meet_the_next_generation(
    open_store: Opener, slow_reader: FileProcessStore, slices: int
) -> None:
    store = open_store(NEVER)
    fill(store)
    assert everything(slow_reader) == everything(store)
    for turn in range(3):
        compact(store)
        store.update("p1", set_fields(result=f"{turn} " * 2000))
        assert everything(slow_reader) == everything(store)
        for _ in range(slices):
            slow_reader._access._settle()
    while slow_reader._access._settle():
        pass
    assert everything(slow_reader) == everything(store)
    compact(slow_reader)
    assert everything(open_store(NEVER)) == everything(store)


def test_one_that_goes_over_can_compact(open_store: Opener, slow_reader: FileProcessStore) -> None:
    store = open_store(NEVER)
    fill(store)
    assert everything(slow_reader) == everything(store)
    compact(store)
    assert everything(slow_reader) == everything(store)
    slow_reader._access._settle()
    compact(slow_reader)
    assert everything(slow_reader) == everything(store) == everything(open_store(NEVER))
    assert generation(store) == 3


def test_damage_in_the_next_generation_is_met_by_reading_it_all(
    open_store: Opener, slow_reader: FileProcessStore, data_dir: Path
) -> None:
    store = open_store(NEVER)
    fill(store)
    assert everything(slow_reader) == everything(store)
    compact(store)
    slow_reader.stats()
    path = data_dir / "journal.jsonl"
    data = path.read_bytes()
    at = data.rindex(b'"id":"p1"')
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b'"iD')
    while slow_reader._access._settle():
        pass
    with pytest.raises(NotFound):
        slow_reader.get("p1")
    assert len(slow_reader.damage) == 1
    assert slow_reader.get("p19").full_prompt == store.get("p19").full_prompt


def test_a_reader_that_missed_a_generation_reads_anew(open_store: Opener) -> None:
    store, sleeper = open_store(NEVER), open_store(NEVER)
    fill(store)
    assert everything(sleeper) == everything(store)
    for turn in range(3):
        store.add(new_process(f"turn {turn}", full_prompt="long " * 1000))
        compact(store)
    store.remove("p1")
    assert everything(sleeper) == everything(store)
    assert changes_since(sleeper, 0) == changes_since(store, 0)
    with pytest.raises(NotFound):
        sleeper.get("p1")


def test_writers_and_readers_go_on_meanwhile(open_store: Opener) -> None:
    """Three openings write and read while the journal is replaced again and again."""
    stores = [open_store(FileStoreOptions(compact_size=0, durability="os")) for _ in range(3)]
    done = threading.Event()
    generations = set()

    def write(number: int) -> None:
        store = stores[number]
        for turn in range(60):
            process_id = f"{number}-{turn}"
            store.add(new_process(process_id, full_prompt=process_id * 400))
            store.update(process_id, set_fields(result=process_id * 300))
            assert store.get(process_id).full_prompt == process_id * 400
            store.append_output(process_id, chunks(process_id))
            if turn % 3 == 0:
                store.remove(process_id)

    def read() -> None:
        seen = 0
        while not done.is_set():
            changes = changes_since(stores[0], seen)
            assert [change.seq for change in changes] == list(
                range(seen + 1, seen + len(changes) + 1)
            )
            seen += len(changes)
            for process in stores[1].list(ProcessFilter(limit=20)).processes:
                assert process.full_prompt == process.id * 400
                assert process.result in (None, process.id * 300)
            generations.add(generation(stores[2]))

    reader = threading.Thread(target=read)
    reader.start()
    race(*[lambda number=number: write(number) for number in range(3)])
    done.set()
    reader.join()
    expected = {f"{number}-{turn}" for number in range(3) for turn in range(60) if turn % 3}
    for store in (*stores, open_store(NEVER)):
        page = store.list(ProcessFilter(limit=1000))
        assert {process.id for process in page.processes} == expected
        assert all(text_of(store, process.id) == process.id for process in page.processes)
        assert store.damage == []
        assert newest(store) == 3 * (60 + 60 + 20)
    assert len(generations) > 1
