"""Opening a data directory: made once, kept for ever, refused with a sentence where it can't be."""

from __future__ import annotations

import stat
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline_host.errors import StartupError, StoreCorrupt, StoreUnavailable
from pipeline_host.testing.store_base import chunks, new_process, race
from pipeline_host_filestore import codec, files, journal, opening
from pipeline_host_filestore.access import Access
from pipeline_host_filestore.lock import FileLock
from pipeline_host_filestore.options import FileStoreOptions
from pipeline_host_filestore.store import FileProcessStore

from .scripts import Script

Opener = Callable[..., FileProcessStore]


def test_a_new_directory_is_made_with_its_parents(tmp_path: Path) -> None:
    store = FileProcessStore(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b" / "journal.jsonl").exists()
    store.close()


def test_many_that_start_at_once_make_one_journal(open_store: Opener) -> None:
    stores = race(*[open_store] * 8)
    assert len({store.epoch for store in stores if isinstance(store, FileProcessStore)}) == 1
    assert len(stores) == 8


def test_many_processes_that_start_at_once_make_one_journal(
    script: Callable[..., Script], data_dir: Path
) -> None:
    started = [script("worker.py", data_dir, "epoch") for _ in range(4)]
    epochs = {each.answer() for each in started}
    assert len(epochs) == 1


@pytest.mark.parametrize("with_output", [False, True])
def test_an_empty_journal_is_refused(data_dir: Path, open_store: Opener, with_output: bool) -> None:
    """It never is when it is made, so something emptied it."""
    store = open_store()
    store.add(new_process())
    if with_output:
        store.append_output("p", chunks("x"))
    store.close()
    path = data_dir / "journal.jsonl"
    path.write_bytes(b"")
    with pytest.raises(StartupError, match=r"journal\.jsonl: the header at byte 0 is missing"):
        open_store()
    assert path.read_bytes() == b""


def test_one_that_is_killed_while_it_makes_a_journal_leaves_none_or_a_whole_one(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, open_store: Opener
) -> None:
    """Whatever is done last, a journal that is there has its header."""

    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    path = data_dir / "journal.jsonl"
    for module, name in ((files.os, "write"), (files.os, "fsync"), (journal, "sync_folder")):
        with monkeypatch.context() as patched:
            patched.setattr(module, name, killed)
            with pytest.raises(Killed):
                open_store()
        assert not path.exists() or codec.scan(path.read_bytes()).records
    store = open_store()
    assert store.stats().total_processes == 0


def leave_output(store: FileProcessStore) -> None:
    store.add(new_process())
    store.append_output("p", chunks("x"))


def leave_cursor(store: FileProcessStore) -> None:
    store.save_cursor("webhook.x", 7)


def leave_half_a_compaction(store: FileProcessStore) -> None:
    (store._data_dir / "journal.jsonl.tmp").touch()


@pytest.mark.parametrize("leave", [leave_output, leave_cursor, leave_half_a_compaction])
def test_a_lost_journal_is_not_begun_anew(
    data_dir: Path, open_store: Opener, leave: Callable[[FileProcessStore], None]
) -> None:
    store = open_store()
    leave(store)
    store.close()
    (data_dir / "journal.jsonl").unlink()
    with pytest.raises(StartupError, match=r"journal\.jsonl is missing, but .* was written by"):
        open_store()
    assert not (data_dir / "journal.jsonl").exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"X" + data[1:],
        lambda data: data[:30],
        lambda data: b"not a journal\n" + data,
        lambda data: bytes(len(data)),
        lambda data: data[data.index(b"\n") + 1 :],
    ],
    ids=["changed", "cut", "foreign", "zeros", "no header"],
)
def test_an_unreadable_header_is_refused_and_nothing_overwritten(
    data_dir: Path, open_store: Opener, damage: Callable[[bytes], bytes]
) -> None:
    store = open_store()
    store.add(new_process())
    store.close()
    path = data_dir / "journal.jsonl"
    path.write_bytes(damage(path.read_bytes()))
    before = path.read_bytes()
    with pytest.raises(StartupError, match=r"journal\.jsonl: the .* at byte 0") as refused:
        open_store()
    assert isinstance(refused.value, StoreCorrupt)
    assert path.read_bytes() == before


def test_another_format_is_refused(data_dir: Path, open_store: Opener) -> None:
    data_dir.mkdir()
    header = b'{"op":"header","format":2,"epoch":"e","generation":1,"last":0}'
    (data_dir / "journal.jsonl").write_bytes(codec.encode(0, header))
    with pytest.raises(StartupError, match="says format 2, but this version reads format 1"):
        open_store()


def test_a_file_is_no_data_directory(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    for data_dir in (path, path / "below"):
        with pytest.raises(StartupError, match="can't be used: it is not a directory"):
            FileProcessStore(data_dir)


def test_a_journal_that_is_a_directory_is_refused(data_dir: Path, open_store: Opener) -> None:
    (data_dir / "journal.jsonl").mkdir(parents=True)
    with pytest.raises(StartupError, match=r"journal\.jsonl can't be read: Is a directory"):
        open_store()


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (PermissionError(13, "Permission denied"), r"user \d+ may not write there"),
        (OSError(30, "Read-only file system"), "its file system is read-only"),
        (OSError(28, "No space left on device"), "No space left on device"),
    ],
)
def test_why_a_directory_cannot_be_written_is_said(
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: OSError,
    sentence: str,
) -> None:
    """The kernel's refusals, which root doesn't meet with a plain ``chmod``."""

    def refuse(*_: object) -> FileLock:
        raise error

    monkeypatch.setattr(opening, "FileLock", refuse)
    with pytest.raises(StartupError, match=f"Data directory {data_dir} can't be used: {sentence}"):
        FileProcessStore(data_dir)


def test_a_directory_of_somebody_else_is_refused(
    script: Callable[..., Script], data_dir: Path
) -> None:
    data_dir.mkdir()
    data_dir.chmod(stat.S_IRUSR | stat.S_IXUSR)
    answer = script("worker.py", data_dir, "refused").answer()
    assert answer.startswith(f"Data directory {data_dir} can't be used: user ")
    assert answer.endswith(" may not write there")


def test_a_lock_that_is_held_for_ever_is_an_error_in_time(
    store: FileProcessStore, data_dir: Path, open_store: Opener
) -> None:
    options = FileStoreOptions(lock_timeout=0.05)
    impatient = open_store(options)
    with FileLock(data_dir / "lock", 1).held():
        with pytest.raises(StoreUnavailable, match=r"has held the lock for 0\.05 s"):
            impatient.add(new_process())
        with pytest.raises(StartupError, match="has held the lock"):
            open_store(options)
        assert impatient.stats().total_processes == 0
    assert impatient.add(new_process()).created


def test_a_closed_store_says_so(store: FileProcessStore) -> None:
    store.close()
    for call in (lambda: store.get("p"), lambda: store.add(new_process()), store.stats):
        with pytest.raises(StoreUnavailable, match="The store is closed"):
            call()


def test_a_reader_may_end_while_the_store_is_closed(store: FileProcessStore) -> None:
    class Closing(Access):
        """Another thread closes it between any two looks at it."""

        @property
        def _state(self) -> object:
            state, self.kept = self.kept, None
            return state

        @_state.setter
        def _state(self, state: object) -> None:
            self.kept = state

    closing = Closing(*store._access._opened(), deque())
    closing._unlocked()
    with pytest.raises(StoreUnavailable, match="The store is closed"):
        closing._opened()


def test_other_data_in_its_place_is_noticed(
    store: FileProcessStore, data_dir: Path, tmp_path: Path
) -> None:
    other = FileProcessStore(tmp_path / "other")
    other.close()
    (tmp_path / "other" / "journal.jsonl").replace(data_dir / "journal.jsonl")
    with pytest.raises(StoreCorrupt, match="other data lies here now"):
        store.get("p")


def test_a_journal_that_is_gone_is_an_error_not_emptiness(
    store: FileProcessStore, data_dir: Path
) -> None:
    store.add(new_process())
    (data_dir / "journal.jsonl").unlink()
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match=r"Can't read .*journal"):
            store.stats()
