"""The folder for what can't be used and may still be of use to somebody."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

from pipeline_host_filestore.files import OpenFile, make_folder, write_file

FOLDER: Final = "damaged"


def keep(data_dir: Path, name: str, data: bytes) -> Path:
    """Write a file into it, unless it is there already; returns where it is.

    Raises:
        OSError: it can't be written; nothing of it is there.
        StoreUnavailable: likewise.
    """
    for path in _paths(data_dir, name):
        if not path.exists():
            break
        if path.stat().st_size == len(data) and path.read_bytes() == data:
            # Whoever wrote it may have been killed before it was synced.
            file = OpenFile(path, os.O_RDONLY)
            os.fsync(file.fd)
            return path
    try:
        write_file(path, data)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def move(path: Path, data_dir: Path) -> None:
    """Move a file into it. The folder is not synced.

    Raises:
        OSError: it can't be moved.
    """
    path.rename(next(free for free in _paths(data_dir, path.name) if not free.exists()))


def _paths(data_dir: Path, name: str) -> Iterator[Path]:
    """Where ``name`` may be: at its own path, or with a number before it."""
    folder = data_dir / FOLDER
    make_folder(folder)
    yield folder / name
    for number in count(2):
        yield folder / f"{number}-{name}"
