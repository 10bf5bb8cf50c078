"""Output files: found again from any place, cut where torn, told where damaged."""

from __future__ import annotations

import gc
import logging
import os
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline_host.errors import NotFound, TerminalState
from pipeline_host.models import Chunk, OutputBatch
from pipeline_host.testing.store_base import (
    chunks,
    chunks_of,
    new_process,
    race,
    set_fields,
    text_of,
)
from pipeline_host.testing.waiting import wait_until
from pipeline_host_filestore import codec, seeking
from pipeline_host_filestore.files import OpenFile
from pipeline_host_filestore.options import FileStoreOptions
from pipeline_host_filestore.store import FileProcessStore

Opener = Callable[..., FileProcessStore]


def output_file(data_dir: Path) -> Path:
    """The one output file there is."""
    (path,) = (data_dir / "output").glob("*/*")
    return path


@pytest.fixture
def running(store: FileProcessStore) -> FileProcessStore:
    store.add(new_process())
    return store


@pytest.mark.parametrize("process_id", ["..", "a/b", "50%", "日本", "x" * 200, "con", "."])
def test_no_id_is_a_path(store: FileProcessStore, data_dir: Path, process_id: str) -> None:
    store.add(new_process(process_id))
    store.append_output(process_id, chunks("text"))
    path = output_file(data_dir)
    assert path.parent.parent == data_dir / "output"
    assert path.stem.partition("-")[0].isalnum()
    assert text_of(store, process_id) == "text"


def test_files_are_for_their_owner_alone(running: FileProcessStore, data_dir: Path) -> None:
    running.append_output("p", chunks("secret"))
    for path in [data_dir, *data_dir.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_any_place_is_found(running: FileProcessStore, open_store: Opener) -> None:
    rng = random.Random(7)
    written = [rng.choice("aé日🧪") * rng.choice([1, 3, 50, 5000]) for _ in range(400)]
    for content in written:
        running.append_output("p", chunks(content))
    every = chunks_of(running, "p")
    assert "".join(chunk.content for chunk in every) == "".join(written)
    for store in (running, open_store()):
        for _ in range(200):
            after = rng.randrange(every[-1].end)
            (found,) = store.read_output("p", after, 1).chunks
            assert found.offset <= after < found.end
            assert found in every


def test_a_record_is_found_among_records_of_any_size(tmp_path: Path) -> None:
    rng = random.Random(11)
    numbers = sorted(rng.sample(range(10**6), 300))
    path = tmp_path / "records"
    with path.open("wb") as file:
        for number in numbers:
            filler = "x" * rng.choice([1, 10, 1000, 20_000])
            file.write(codec.encode(number, b'{"x":"%b"}' % filler.encode()))
    opened = OpenFile(path, os.O_RDONLY)
    size = path.stat().st_size
    for wanted in [0, *numbers, *(number - 1 for number in numbers[1:]), 10**6]:
        start = seeking.find_record(opened, wanted, size)
        read = [record for scan in seeking.scans(opened, start, size) for record in scan.records]
        expected = max((number for number in numbers if number <= wanted), default=numbers[0])
        assert expected in [record.number for record in read]
        assert start == 0 or read[0].number <= wanted


def test_what_another_opening_wrote_is_taken_up(
    running: FileProcessStore, open_store: Opener
) -> None:
    other = open_store()
    for turn in range(5):
        assert running.append_output("p", chunks("ab")) == 4 * turn + 2
        assert other.append_output("p", chunks("é")) == 4 * turn + 4
        assert running.read_output("p", 4 * turn + 2).chunks[0].content == "é"
    other.append_output("p", chunks("x" * 300_000))
    assert running.append_output("p", chunks("end")) == 300_023


def test_a_torn_record_is_never_read_and_cut_before_the_next(
    running: FileProcessStore,
    data_dir: Path,
    open_store: Opener,
    caplog: pytest.LogCaptureFixture,
) -> None:
    running.append_output("p", chunks("one", "two"))
    path = output_file(data_dir)
    whole = path.read_bytes()
    line = codec.encode(6, b'{"content":"torn","time":1}')
    for cut in (1, 8, 20, len(line) - 1):
        path.write_bytes(whole + line[:cut])
        other = open_store()
        for store in (running, other):
            assert text_of(store, "p") == "onetwo"
            assert store.read_output("p", 6).chunks == ()
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert other.append_output("p", chunks("."), 6) == 7
        assert str(path) in caplog.text
        assert f"byte {len(whole)}" in caplog.text
        assert text_of(running, "p") == "onetwo."


def test_damage_in_the_middle_costs_its_chunk_alone(
    running: FileProcessStore,
    data_dir: Path,
    open_store: Opener,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for content in ("one ", "two ", "three "):
        running.append_output("p", chunks(content))
    path = output_file(data_dir)
    data = path.read_bytes()
    at = data.index(b"two ")
    path.write_bytes(data[:at] + b"T" + data[at + 1 :])
    store = open_store()
    with caplog.at_level(logging.WARNING):
        batch = store.read_output("p")
    assert [(chunk.content, chunk.offset) for chunk in batch.chunks] == [
        ("one ", 0),
        ("three ", 8),
    ]
    assert batch.end == 14
    assert [chunk.content for chunk in store.read_output("p", 4).chunks] == ["three "]
    assert str(path) in caplog.text
    line_start = data[:at].rindex(b"\n") + 1
    assert f"bytes {line_start} to " in caplog.text
    assert store.append_output("p", chunks("four"), 14) == 18


def test_output_taken_back_by_another_worker_is_forgotten(
    running: FileProcessStore, data_dir: Path
) -> None:
    """As a worker does that could not write all of an append."""
    running.append_output("p", chunks("kept"))
    path = output_file(data_dir)
    size = path.stat().st_size
    running.append_output("p", chunks("taken back"))
    assert running.read_output("p", 4).chunks[0].content == "taken back"
    os.truncate(path, size)
    assert running.read_output("p").end == 4
    assert running.append_output("p", chunks("instead"), 4) == 11
    assert text_of(running, "p") == "keptinstead"


def test_a_sealed_read_has_all_output(running: FileProcessStore, open_store: Opener) -> None:
    other = open_store()
    assert not other.read_output("p").sealed
    running.append_output("p", chunks("text"))
    running.update("p", set_fields(status="completed"))
    batch = other.read_output("p")
    assert (batch.sealed, batch.end) == (True, 4)


@pytest.mark.parametrize("compacted", [False, True])
@pytest.mark.parametrize("left", [0, 1, 2, None])
def test_an_end_that_was_lost_is_missed(
    running: FileProcessStore, data_dir: Path, open_store: Opener, left: int | None, compacted: bool
) -> None:
    """The file has lost its last chunks, or is gone; the process says how much there was."""
    places = []
    for content in ("one ", "twö ", "three"):
        places.append(output_file(data_dir).stat().st_size if places else 0)
        running.append_output("p", chunks(content))
    running.update("p", set_fields(status="completed"))
    if compacted:
        running._compactor.compact(force=True)
    running.close()
    path = output_file(data_dir)
    if left is None:
        path.unlink()
    else:
        os.truncate(path, places[left] + 5 * (left == 2))
    store = open_store()
    batch = store.read_output("p")
    assert (batch.end, batch.sealed) == (14, True)
    assert "".join(chunk.content for chunk in batch.chunks) == ["", "one ", "one twö "][left or 0]
    kept = batch.chunks[-1].end if batch.chunks else 0
    assert store.read_output("p", kept).chunks == ()
    (problem,) = store.examine()
    what = f"the last {14 - kept} are" if kept else "all of it is"
    assert problem == (
        f"{path}: the output of process p was 14 bytes long when it ended; {what} missing"
    )


def test_of_an_end_that_an_older_journal_does_not_tell_nothing_is_missed(
    running: FileProcessStore, data_dir: Path, open_store: Opener
) -> None:
    running.append_output("p", chunks("text"))
    running.update("p", set_fields(status="completed"))
    running.close()
    path = data_dir / "journal.jsonl"
    *before, last = codec.scan(path.read_bytes()).records
    assert last.payload.endswith(b',"output":4}')
    older = codec.encode(last.number, last.payload.replace(b',"output":4}', b"}"))
    path.write_bytes(path.read_bytes()[: before[-1].end] + older)
    store = open_store()
    assert store.read_output("p").end == 4
    assert store.examine() == ()


def test_output_that_races_the_end_is_in_its_length(
    running: FileProcessStore, open_store: Opener
) -> None:
    """What another worker was told is kept, until it is refused, is what there was at the end."""
    other = open_store()
    told = 0

    def write() -> None:
        nonlocal told
        with suppress(TerminalState):
            for _ in range(2000):
                told = other.append_output("p", chunks("x"))

    def end() -> None:
        wait_until(lambda: told > 20)
        running.update("p", set_fields(status="completed"))

    race(write, end)
    with running._access.reading() as replica:
        at_the_end = replica.state.index["p"].output
    assert at_the_end == told == running.read_output("p").end


def test_a_process_whose_output_cannot_be_read_can_end(
    running: FileProcessStore, data_dir: Path, open_store: Opener
) -> None:
    running.append_output("p", chunks("text"))
    path = output_file(data_dir)
    running.close()
    path.unlink()
    path.mkdir()
    store = open_store(FileStoreOptions(durability="os"))
    assert store.update("p", set_fields(status="failed")).status == "failed"
    path.rmdir()
    assert store.read_output("p").end == 0


def test_a_read_that_meets_a_remove_never_tells_of_an_empty_end(
    running: FileProcessStore, open_store: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process goes between the look at its status and the opening of its file."""
    running.append_output("p", chunks("text"))
    running.update("p", set_fields(status="completed"))
    other = open_store()
    existing = other._outputs.existing

    def remove_first(entry: object) -> object:
        monkeypatch.undo()
        running.remove("p")
        return existing(entry)  # type: ignore[arg-type]

    monkeypatch.setattr(other._outputs, "existing", remove_first)
    with pytest.raises(NotFound):
        other.read_output("p")


def test_files_of_removed_processes_are_deleted(
    running: FileProcessStore, data_dir: Path, open_store: Opener
) -> None:
    other = open_store()
    for process_id in "pabc":
        other.add(new_process(process_id, status="running"))
        other.append_output(process_id, chunks("x"))
    running.remove("a")
    running.update("b", set_fields(status="failed"))
    running.clear(["failed"])
    running.update("c", set_fields(status="failed"))
    running.prune(max_count=0)
    assert output_file(data_dir).exists()
    assert text_of(other, "p") == "x"


def test_files_left_by_a_killed_worker_are_swept_up(
    running: FileProcessStore,
    data_dir: Path,
    open_store: Opener,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    running.append_output("p", chunks("left over"))
    left = output_file(data_dir)
    monkeypatch.setattr(running._outputs, "delete", lambda entries: None)
    running.remove("p")
    running.add(new_process())
    running.append_output("p", chunks("kept"))
    store = open_store()
    assert not left.exists()
    assert text_of(store, "p") == "kept"
    newer = left.with_name(left.name.replace("-1.", "-99."))
    newer.write_bytes(b"of a process that this worker hasn't heard of")
    store._compactor.sweep()
    assert newer.exists()


def test_no_more_files_are_open_than_allowed(open_store: Opener) -> None:
    store = open_store(FileStoreOptions(open_outputs=3, durability="os"))
    before = len(open_files())
    for number in range(30):
        store.add(new_process(f"p{number}"))
        store.append_output(f"p{number}", chunks(f"of {number}"))
    assert len(open_files()) <= before + 3
    for number in range(30):
        assert text_of(store, f"p{number}") == f"of {number}"
        assert store.append_output(f"p{number}", chunks("!")) == len(f"of {number}!")


def test_closing_lets_go_of_every_file(open_store: Opener) -> None:
    gc.collect()
    before = open_files()
    store = open_store()
    store.add(new_process())
    store.append_output("p", chunks("x"))
    stop = store.listen(None, lambda: None)
    store.close()
    stop()
    store.close()
    assert set(open_files()) <= set(before)


def open_files() -> list[str]:
    """What this process has open, but for the folder that tells it."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            found.append(str(descriptor.readlink()))
    return sorted(path for path in found if not path.startswith("/proc/"))


def test_a_read_gives_whole_chunks_as_written(running: FileProcessStore) -> None:
    running.append_output("p", [Chunk(content="é", stream="stderr"), Chunk(content="x")])
    batch: OutputBatch = running.read_output("p", 1)
    assert [(chunk.content, chunk.stream) for chunk in batch.chunks] == [
        ("é", "stderr"),
        ("x", None),
    ]
