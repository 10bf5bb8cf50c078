"""AcmeStore keeps the rules of a store, and a few of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from acme_store import AcmeStore
from acme_store.plugin import AcmeOptions, open_store

from pipeline_host.errors import StartupError, StorageFull, StoreCorrupt, StoreUnavailable
from pipeline_host.hookspecs import StoreContext
from pipeline_host.models import Chunk, Process, ProcessFilter
from pipeline_host.testing import ProcessStoreContract
from pipeline_host.wire import parse_process


class TestAcmeStore(ProcessStoreContract):
    leads = True

    def open_store(self, folder: Path) -> AcmeStore:
        return AcmeStore(folder / "acme.sqlite3")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[AcmeStore]:
    with closing(AcmeStore(tmp_path / "acme.sqlite3")) as store:
        yield store


def process(process_id: str) -> Process:
    return parse_process(
        {
            "id": process_id,
            "promptPreview": "a preview",
            "status": "running",
            "startTime": "2026-11-22T07:00:00Z",
        }
    )


@pytest.fixture
def forgetful(tmp_path: Path) -> Iterator[AcmeStore]:
    with closing(AcmeStore(tmp_path / "acme.sqlite3", changes_kept=3)) as store:
        yield store


def test_readers_that_come_too_late_are_told_so(forgetful: AcmeStore) -> None:
    for number in range(5):
        forgetful.add(process(f"p{number}"))
    late = forgetful.changes(1)
    assert (late.changes, late.last, late.resync) == ((), 5, True)
    in_time = forgetful.changes(2)
    assert ([change.seq for change in in_time.changes], in_time.resync) == ([3, 4, 5], False)


def test_the_path_can_be_set(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.db"
    with closing(open_store(StoreContext(tmp_path, AcmeOptions(path=str(elsewhere))))) as store:
        store.add(process("p"))
    assert elsewhere.is_file()


def test_the_default_is_in_the_data_directory(tmp_path: Path) -> None:
    open_store(StoreContext(tmp_path, AcmeOptions())).close()
    assert (tmp_path / "acme.sqlite3").is_file()


def test_where_it_is_only_looked_for_it_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="there are no data here"):
        open_store(StoreContext(tmp_path, AcmeOptions(), examining=True))
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "acme.sqlite3"
    path.write_text("this is no database " * 100)
    with pytest.raises(StartupError, match="can't open"):
        open_store(StoreContext(tmp_path, AcmeOptions()))
    assert path.read_text().startswith("this is no database")


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="missing"):
        open_store(StoreContext(tmp_path / "missing", AcmeOptions()))


def test_a_full_disk_is_told_and_what_is_stored_stays_readable(store: AcmeStore) -> None:
    store.add(process("p"))
    connection = store._database._connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageFull, match="full"):
        store.append_output("p", [Chunk(content="x" * 100_000)])
    assert store.get("p") == process("p")
    assert store.read_output("p").end == 0
    connection.execute(f"PRAGMA max_page_count = {pages + 1000}")
    assert store.append_output("p", [Chunk(content="x" * 100_000)]) == 100_000


def test_a_file_that_another_program_holds_is_told(store: AcmeStore, tmp_path: Path) -> None:
    store._database._connection.execute("PRAGMA busy_timeout = 0")
    with closing(sqlite3.connect(tmp_path / "acme.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="can't be used now"):
            store.add(process("p"))
        assert store.list(ProcessFilter()).total == 0
    assert store.add(process("p")).created


def test_a_damaged_file_is_told_and_never_read_as_empty(tmp_path: Path) -> None:
    path = tmp_path / "acme.sqlite3"
    with closing(AcmeStore(path)) as store:
        for number in range(50):
            store.add(process(f"p{number}"))
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xa5" * (len(data) - 4096)
    path.write_bytes(data)
    with pytest.raises(StoreCorrupt, match="damaged"), closing(AcmeStore(path)) as store:
        store.list(ProcessFilter())
