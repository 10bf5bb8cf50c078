"""A journal that was cut off or damaged: what is good is kept, what is not is told."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline_host.errors import NotFound, StoreCorrupt
from pipeline_host.models import ProcessFilter
from pipeline_host.testing.store_base import (
    changes_since,
    chunks,
    new_process,
    newest,
    set_fields,
    text_of,
)
from pipeline_host_filestore import codec
from pipeline_host_filestore.codec import Damage
from pipeline_host_filestore.options import FileStoreOptions
from pipeline_host_filestore.store import FileProcessStore

Opener = Callable[..., FileProcessStore]
QUICK = FileStoreOptions(durability="os")


def ids(store: FileProcessStore) -> list[str]:
    return [process.id for process in store.list(ProcessFilter()).processes]


@pytest.fixture
def written(data_dir: Path, open_store: Opener) -> bytes:
    """A journal with three processes: a, b and c."""
    store = open_store()
    for process_id in "abc":
        store.add(new_process(process_id))
    store.close()
    return (data_dir / "journal.jsonl").read_bytes()


def line_of(journal: bytes, process_id: str) -> tuple[int, int]:
    """Where the record that adds a process begins and ends."""
    at = journal.index(b'"id":"%b"' % process_id.encode())
    return journal.rindex(b"\n", 0, at) + 1, journal.index(b"\n", at) + 1


@pytest.mark.parametrize("cut", [1, 5, 30, 100])
def test_a_torn_end_is_left_until_somebody_writes(
    written: bytes, data_dir: Path, open_store: Opener, caplog: pytest.LogCaptureFixture, cut: int
) -> None:
    path = data_dir / "journal.jsonl"
    start, _ = line_of(written, "c")
    path.write_bytes(written[: len(written) - cut])
    store = open_store()
    assert ids(store) == ["a", "b"]
    assert path.read_bytes() == written[: len(written) - cut]
    with caplog.at_level(logging.WARNING):
        store.add(new_process("d"))
    assert f"{path}: cut off an incomplete record at byte {start}" in caplog.text
    aside = data_dir / "damaged" / f"cut-1-{start}"
    assert aside.read_bytes() == written[start : len(written) - cut]
    assert path.read_bytes()[:start] == written[:start]
    assert ids(open_store()) == ["a", "b", "d"]
    assert [change.seq for change in changes_since(store, 0)] == [1, 2, 3]


def test_damage_in_the_middle_costs_its_record_alone(
    written: bytes, data_dir: Path, open_store: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    path = data_dir / "journal.jsonl"
    start, end = line_of(written, "b")
    path.write_bytes(written[: start + 60] + b"\0" + written[start + 61 :])
    with caplog.at_level(logging.WARNING):
        store = open_store()
        assert ids(store) == ["a", "c"]
    assert store.damage == [Damage(start, end)]
    assert caplog.text.count(f"{path}: bytes {start} to {end} are left out") == 1
    store.add(new_process("d"))
    assert ids(open_store()) == ["a", "c", "d"]


def test_readers_from_before_the_damage_are_told_to_start_anew(
    written: bytes, data_dir: Path, open_store: Opener
) -> None:
    start, _ = line_of(written, "b")
    (data_dir / "journal.jsonl").write_bytes(written[:start] + b"?" + written[start + 1 :])
    store = open_store()
    assert store.changes(0).resync
    assert [change.seq for change in changes_since(store, 2)] == [3]
    assert newest(store) == 3


def test_changes_of_a_process_that_was_lost_are_left_out(
    data_dir: Path, open_store: Opener
) -> None:
    store = open_store()
    store.add(new_process("lost"))
    store.update("lost", set_fields(result="r"))
    store.remove("lost")
    store.add(new_process("kept"))
    store.close()
    path = data_dir / "journal.jsonl"
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"promptPreview":"preview of lost"', b"?" * 33))
    again = open_store()
    assert ids(again) == ["kept"]
    assert len(again.damage) == 3
    assert again.add(new_process("lost")).created


def test_no_output_is_swept_up_while_something_is_damaged(
    data_dir: Path, open_store: Opener
) -> None:
    """What looks left over may be the output of a process whose record is damaged."""
    store = open_store()
    store.add(new_process("lost"))
    store.append_output("lost", chunks("kept"))
    store.close()
    path = data_dir / "journal.jsonl"
    path.write_bytes(path.read_bytes().replace(b"preview of", b"preview?of"))
    store = open_store()
    store.add(new_process("lost"))
    assert text_of(store, "lost") == ""
    assert len(list((data_dir / "output").glob("*/*"))) == 1


def test_a_good_record_that_says_nothing_known_is_left_out(
    written: bytes, data_dir: Path, open_store: Opener
) -> None:
    path = data_dir / "journal.jsonl"
    strange = [
        codec.encode(4, b'{"op":"invented","time":1}'),
        codec.encode(5, b"[]"),
        codec.encode(2, b'{"op":"remove","time":1,"id":"a"}'),
    ]
    path.write_bytes(written + b"".join(strange))
    store = open_store()
    assert ids(store) == ["a", "b", "c"]
    assert len(store.damage) == 3
    store.add(new_process("d"))
    assert ids(open_store()) == ["a", "b", "c", "d"]


def test_a_journal_that_was_cut_off_under_a_running_worker_is_an_error(
    data_dir: Path, open_store: Opener
) -> None:
    store = open_store()
    store.add(new_process("a"))
    path = data_dir / "journal.jsonl"
    path.write_bytes(path.read_bytes()[:100])
    for call in (lambda: store.get("a"), lambda: store.add(new_process("b"))):
        with pytest.raises(StoreCorrupt, match=r"bytes long, but .* were read already"):
            call()


def test_a_long_text_that_was_damaged_since_is_an_error(data_dir: Path, open_store: Opener) -> None:
    store = open_store()
    store.add(new_process("a", full_prompt="needle " * 1000))
    path = data_dir / "journal.jsonl"
    data = path.read_bytes()
    at = data.index(b"needle")
    path.write_bytes(data[:at] + b"N" + data[at + 1 :])
    with pytest.raises(StoreCorrupt, match=r"the record at byte .* is damaged"):
        store.get("a")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(0, 10**6), st.integers(1, 255))
def test_any_changed_byte_costs_at_most_its_own_record(
    tmp_path_factory: pytest.TempPathFactory, written: bytes, place: int, change: int
) -> None:
    """From the header on, whose damage is refused."""
    header_end = written.index(b"\n") + 1
    at = header_end + place % (len(written) - header_end)
    data = written[:at] + bytes([written[at] ^ change]) + written[at + 1 :]
    folder = tmp_path_factory.mktemp("data")
    (folder / "journal.jsonl").write_bytes(data)
    store = FileProcessStore(folder, QUICK)
    hit = next(
        process_id
        for process_id in "abc"
        if line_of(written, process_id)[0] <= at < line_of(written, process_id)[1]
    )
    expected = [process_id for process_id in "abc" if process_id != hit]
    found = ids(store)
    assert found in (expected, ["a", "b", "c"])
    for process_id in expected:
        assert store.get(process_id) == new_process(process_id)
    if found == expected:
        with pytest.raises(NotFound):
            store.get(hit)
    store.close()


def test_a_record_that_is_still_being_written_is_no_damage(
    written: bytes, data_dir: Path, open_store: Opener
) -> None:
    """A reader without the lock looks while a writer's bytes arrive."""
    path = data_dir / "journal.jsonl"
    start, _ = line_of(written, "c")
    path.write_bytes(written[:start])
    store = open_store()
    with path.open("ab") as file:
        for place in range(start, len(written)):
            file.write(written[place : place + 1])
            file.flush()
            assert ids(store) == (["a", "b"] if place < len(written) - 1 else ["a", "b", "c"])
    assert store.damage == []
