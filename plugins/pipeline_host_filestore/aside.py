"""The folder for what can't be used and may still be of use to somebody."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pipeline_host_filestore.files import make_folder, write_file

FOLDER: Final = "damaged"


def keep(data_dir: Path, name: str, data: bytes) -> Path:
    """Write a file into it; returns where it is.

    Raises:
        OSError: it can't be written.
        StoreUnavailable: likewise.
    """
    path = _free(data_dir, name)
    write_file(path, data)
    return path


def move(path: Path, data_dir: Path) -> None:
    """Move a file into it. The folder is not synced.

    Raises:
        OSError: it can't be moved.
    """
    path.rename(_free(data_dir, path.name))


def _free(data_dir: Path, name: str) -> Path:
    """A path for ``name``, with a number before it where there is one already."""
    folder = data_dir / FOLDER
    make_folder(folder)
    path, number = folder / name, 1
    while path.exists():
        number += 1
        path = folder / f"{number}-{name}"
    return path
