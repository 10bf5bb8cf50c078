"""The file store passes the contract that every store must pass."""

from __future__ import annotations

from pathlib import Path

from pipeline_host.testing.store import ProcessStoreContract
from pipeline_host_filestore.options import FileStoreOptions
from pipeline_host_filestore.store import FileProcessStore


class TestFileProcessStore(ProcessStoreContract):
    shared = True
    leads = True

    def open_store(self, folder: Path) -> FileProcessStore:
        return FileProcessStore(folder)


class TestCompactingAtEveryTurn(ProcessStoreContract):
    """The same rules hold while the journal is replaced again and again."""

    shared = True
    leads = True

    def open_store(self, folder: Path) -> FileProcessStore:
        return FileProcessStore(folder, FileStoreOptions(durability="os", compact_size=0))
