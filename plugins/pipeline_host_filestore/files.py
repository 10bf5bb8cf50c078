"""Open files that several threads and greenlets use, and what an error of one means."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pipeline_host.errors import StorageFull, StoreUnavailable

FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class OpenFile:
    """A file descriptor that is closed when the last user has let go of it.

    So nobody can be left with a number that meanwhile stands for another file.
    """

    def __init__(self, path: Path, flags: int) -> None:
        self.path = path
        self.fd = os.open(path, flags | os.O_CLOEXEC, FILE_MODE)

    def __del__(self) -> None:
        if hasattr(self, "fd"):
            os.close(self.fd)


def read_at(file: OpenFile, start: int, end: int) -> bytes:
    """The bytes ``start:end`` of a file, fewer only if it ends before."""
    parts = []
    while start < end:
        part = os.pread(file.fd, end - start, start)
        if not part:
            break
        parts.append(part)
        start += len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def append(file: OpenFile, data: bytes, end: int) -> None:
    """Write ``data`` at the end of a file, which is at ``end``, as a whole or not at all.

    Raises:
        StorageFull: there is no room for it.
        StoreUnavailable: it can't be written for another reason.
    """
    try:
        written = os.write(file.fd, data)
        if written == len(data):
            return
        failure = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        failure = error
    _cut_back(file, end)
    raise unavailable("write to", file.path, failure) from failure


def unavailable(action: str, path: Path, error: OSError) -> StoreUnavailable:
    """The error that tells a client that ``action`` on a file failed."""
    reason = error.strerror or str(error)
    if error.errno in _FULL:
        return StorageFull(f"The disk is full: can't {action} {path} ({reason})")
    return StoreUnavailable(f"Can't {action} {path}: {reason}")


@contextmanager
def telling(action: str, path: Path) -> Iterator[None]:
    """Turn the kernel's refusal of an action on a file into an error for a client.

    Raises:
        StoreUnavailable: instead of an ``OSError``.
    """
    try:
        yield
    except OSError as error:
        raise unavailable(action, path, error) from error


def sync_folder(folder: Path) -> None:
    """Make names that were made in a folder survive a loss of power."""
    handle = OpenFile(folder, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(handle.fd)


def make_folder(folder: Path) -> None:
    """Make a folder for its owner alone, whose parent is there; it may be there already."""
    folder.mkdir(mode=FOLDER_MODE, exist_ok=True)


def _cut_back(file: OpenFile, end: int) -> None:
    try:
        os.ftruncate(file.fd, end)
    except OSError:
        # What was written stays as an incomplete line: the next writer cuts it, readers wait.
        return


def write_file(path: Path, data: bytes) -> None:
    """Write a whole file and sync it."""
    file = OpenFile(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    append(file, data, 0)
    os.fsync(file.fd)
