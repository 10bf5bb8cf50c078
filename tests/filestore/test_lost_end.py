"""A journal that lost its end, or an older copy of it: no number is given a second time."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline_host.errors import StoreCorrupt
from pipeline_host.models import ProcessFilter
from pipeline_host.testing.store_base import (
    changes_since,
    chunks,
    new_process,
    newest,
    race,
    set_fields,
    text_of,
)
from pipeline_host_filestore import codec
from pipeline_host_filestore.options import FileStoreOptions
from pipeline_host_filestore.replica import Replica
from pipeline_host_filestore.store import FileProcessStore

Opener = Callable[..., FileProcessStore]


@pytest.fixture
def incarnation(data_dir: Path, open_store: Opener) -> int:
    """That of ``b``, whose record the journal lost; ``a`` is still in it."""
    store = open_store()
    store.add(new_process("a"))
    store.append_output("a", chunks("of a"))
    older = (data_dir / "journal.jsonl").read_bytes()
    store.add(new_process("b"))
    store.append_output("b", chunks("old output of b"))
    lost = store.read_output("b").incarnation
    store.update("b", set_fields(status="completed"))
    store.close()
    (data_dir / "journal.jsonl").write_bytes(older)
    return lost


def ids(store: FileProcessStore) -> list[str]:
    return [process.id for process in store.list(ProcessFilter()).processes]


def test_a_new_process_does_not_get_the_output_of_one_that_was_lost(
    incarnation: int, data_dir: Path, open_store: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        store = open_store()
        assert ids(store) == ["a"]
    assert f"there was a change {incarnation}: its end is lost" in caplog.text
    store.add(new_process("b", prompt_preview="another one"))
    assert text_of(store, "b") == ""
    assert store.read_output("b").incarnation > incarnation
    assert text_of(store, "a") == "of a"
    (aside,) = (data_dir / "damaged").iterdir()
    assert b"old output of b" in aside.read_bytes()
    (problem,) = store.examine()
    assert problem.startswith(f"{aside}: the output of a process that the journal lost")


def test_readers_of_what_was_lost_are_told_to_start_anew(
    incarnation: int, open_store: Opener
) -> None:
    reader_saw = incarnation + 1
    store = open_store()
    for number in range(5):
        assert store.changes(reader_saw).resync
        store.add(new_process(f"n{number}"))
    after = newest(store) - 5
    assert [change.seq for change in changes_since(store, after)] == list(
        range(after + 1, after + 6)
    )


def test_it_is_done_once(incarnation: int, open_store: Opener, data_dir: Path) -> None:
    stores = [one for one in race(*[open_store] * 4) if isinstance(one, FileProcessStore)]
    assert len(stores) == 4
    stores[0].add(new_process("c"))
    expected = newest(stores[0])
    for store in (*stores, open_store()):
        assert newest(store) == expected
        assert ids(store) == ["a", "c"]
    assert len(list((data_dir / "damaged").iterdir())) == 1


def test_a_kill_halfway_is_made_up_for(
    incarnation: int, open_store: Opener, data_dir: Path
) -> None:
    """The output was put aside already, but no number was left out as yet."""
    (path,) = (data_dir / "output").glob(f"*/*-{incarnation}.jsonl")
    (data_dir / "damaged").mkdir()
    path.rename(data_dir / "damaged" / path.name)
    store = open_store()
    store.add(new_process("c"))
    assert store.read_output("c").incarnation > incarnation


def test_a_cursor_of_a_sink_tells_of_it_too(data_dir: Path, open_store: Opener) -> None:
    """It would pass over as many changes as were lost."""
    store = open_store()
    older = (data_dir / "journal.jsonl").read_bytes()
    for name in "abc":
        store.add(new_process(name))
    store.save_cursor("webhook.x", newest(store))
    store.close()
    (data_dir / "journal.jsonl").write_bytes(older)
    store = open_store()
    store.add(new_process("d"))
    cursor = store.load_cursor("webhook.x")
    assert cursor == 3
    assert store.changes(cursor).resync


def test_it_outlives_a_compaction(incarnation: int, open_store: Opener) -> None:
    store = open_store(FileStoreOptions(compact_size=10**12))
    store.add(new_process("c"))
    expected = newest(store)
    assert store._compactor.compact(force=True)
    for opened in (store, open_store()):
        assert newest(opened) == expected
        assert opened.changes(incarnation).resync


@pytest.mark.parametrize("digits", [16, 17, 20, 30, 5000])
def test_a_number_that_no_change_can_have_is_left_out_of_account(
    data_dir: Path, open_store: Opener, caplog: pytest.LogCaptureFixture, digits: int
) -> None:
    """Numbers went on above it, where no record is read: all that was written then was lost."""
    store = open_store()
    store.add(new_process("a"))
    store.save_cursor("webhook.x", 1)
    store.close()
    path = data_dir / "sinks" / "webhook.x.cursor"
    path.write_bytes(b"9" * digits)
    store = open_store()
    assert f"{path}: " in caplog.text
    store.add(new_process("b"))
    assert newest(store) == 2
    assert ids(open_store()) == ["a", "b"]


def test_an_output_file_with_such_a_number_is_left_where_it_is(
    data_dir: Path, open_store: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store()
    store.add(new_process("a"))
    store.append_output("a", chunks("x"))
    store.close()
    (path,) = (data_dir / "output").glob("*/*.jsonl")
    strange = path.with_name(path.name.replace("-1.jsonl", f"-{'9' * 19}.jsonl"))
    strange.touch()
    store = open_store()
    store.add(new_process("b"))
    assert newest(store) == 2
    assert f"{strange}: {'9' * 19} can't be the number of a change" in caplog.text
    assert strange.exists()


def test_numbers_do_not_go_on_where_json_would_round_them(store: FileProcessStore) -> None:
    with store._access.writing() as replica:
        with pytest.raises(ValueError, match="up to 9007199254740992"):
            replica.skip(2**53 + 1)
        replica.skip(2**53)


def test_what_leaves_numbers_out_is_a_record_that_every_version_reads(
    incarnation: int, open_store: Opener, data_dir: Path
) -> None:
    """One that left it out would go on below, and what it wrote would be left out after that."""
    known = (b"header", b"add", b"update", b"remove", b"clear", b"workspace")
    open_store().add(new_process("c"))
    records = codec.scan((data_dir / "journal.jsonl").read_bytes()).records
    for record in records:
        assert record.payload.startswith(tuple(b'{"op":"%b"' % name for name in known))
    assert records[-2].number > incarnation
    assert records[-1].number == records[-2].number + 1


@pytest.fixture
def swapped(data_dir: Path, open_store: Opener) -> tuple[FileProcessStore, FileProcessStore, Path]:
    """Two that are open while an older copy takes the journal's place, and where that is now."""
    store, reader = open_store(), open_store()
    journal = data_dir / "journal.jsonl"
    store.add(new_process("a"))
    (data_dir / "copy").write_bytes(journal.read_bytes())
    store.add(new_process("b"))
    store.append_output("b", chunks("of b"))
    assert ids(reader) == ["a", "b"]
    newest_one = journal.rename(data_dir / "newest")
    (data_dir / "copy").rename(journal)
    return store, reader, newest_one


def test_an_older_copy_is_refused_while_workers_run(
    swapped: tuple[FileProcessStore, FileProcessStore, Path], data_dir: Path, open_store: Opener
) -> None:
    """They would have given out its numbers again, and what they had acknowledged was gone."""
    *stores, _ = swapped
    journal = (data_dir / "journal.jsonl").read_bytes()
    for store in stores * 2:
        with pytest.raises(StoreCorrupt, match="an older copy lies here now; restart the server"):
            store.add(new_process("c"))
        with pytest.raises(StoreCorrupt, match="an older copy"):
            store.get("b")
    assert (data_dir / "journal.jsonl").read_bytes() == journal
    restarted = open_store()
    restarted.add(new_process("c"))
    assert restarted.read_output("c").incarnation > 1_000_000
    # It went on above all numbers, so the others can go on with it.
    for store in stores:
        assert ids(store) == ["a", "c"]
        assert store.changes(2).resync


def test_the_newest_may_be_put_back(
    swapped: tuple[FileProcessStore, FileProcessStore, Path], data_dir: Path
) -> None:
    *stores, newest_one = swapped
    for store in stores:
        with pytest.raises(StoreCorrupt, match="an older copy"):
            store.stats()
    newest_one.rename(data_dir / "journal.jsonl")
    for number, store in enumerate(stores):
        store.add(new_process(f"n{number}"))
        assert text_of(store, "b") == "of b"
    assert newest(stores[0]) == newest(stores[1]) == 4


def test_an_older_copy_is_read_once(
    swapped: tuple[FileProcessStore, FileProcessStore, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, *_ = swapped
    loaded = []
    load = Replica._load
    monkeypatch.setattr(
        Replica, "_load", lambda *args, **kwargs: (loaded.append(1), load(*args, **kwargs))
    )
    for _ in range(3):
        with pytest.raises(StoreCorrupt, match="an older copy"):
            store.stats()
    assert len(loaded) == 1


def test_very_much_output_that_was_lost_is_put_aside_at_once(
    data_dir: Path,
    open_store: Opener,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A sync for each file, while all others wait for the lock, kept the server from starting."""
    store = open_store()
    older = (data_dir / "journal.jsonl").read_bytes()
    for number in range(50):
        store.add(new_process(f"p{number}"))
        store.append_output(f"p{number}", chunks("x"))
    store.close()
    (data_dir / "journal.jsonl").write_bytes(older)
    synced = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(fd), fsync(fd)))
    open_store()
    assert len(list((data_dir / "damaged").iterdir())) == 50
    assert 1 <= len(synced) < 5
    assert caplog.text.count("The output of 50 lost processes is now in") == 1
