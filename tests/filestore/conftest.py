from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline_host_filestore.options import FileStoreOptions
from pipeline_host_filestore.store import FileProcessStore

from .scripts import Script


@pytest.fixture
def script() -> Iterator[Callable[..., Script]]:
    """Starts a script of this folder: ``script(name, *args)``."""
    started: list[Script] = []

    def start(name: str, *args: str | Path) -> Script:
        started.append(Script(name, *args))
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def open_store(data_dir: Path) -> Iterator[Callable[..., FileProcessStore]]:
    """Opens the store of ``data_dir``; what is left open is closed after the test."""
    opened: list[FileProcessStore] = []

    def open_it(options: FileStoreOptions | None = None, **kwargs: Any) -> FileProcessStore:
        opened.append(FileProcessStore(data_dir, options, **kwargs))
        return opened[-1]

    yield open_it
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: Callable[..., FileProcessStore]) -> FileProcessStore:
    return open_store()
