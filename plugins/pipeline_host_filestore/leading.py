"""Electing one worker by a lock for each name, and keeping its cursor in a file beside it.

The kernel takes the lock back from a process that dies, so a lead can't outlive who has it.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pipeline_host.errors import StoreUnavailable
from pipeline_host_filestore.files import OpenFile, append, make_folder, telling
from pipeline_host_filestore.lock import FileLock

FOLDER: Final = "sinks"
_DIGITS: Final = 16
"""Those of the greatest number that JSON carries exactly."""
_log: Final = logging.getLogger(__name__)


class FileLead:
    """See :class:`pipeline_host.store.Lead`."""

    def __init__(self, lock: FileLock) -> None:
        self._lock: FileLock | None = lock

    @property
    def held(self) -> bool:
        return self._lock is not None

    def release(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()


class Leading:
    """The leads and cursors of a data directory; see :class:`pipeline_host.store.LeaderStore`."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / FOLDER
        self._mutex = threading.Lock()
        self._leads: list[FileLead] | None = []

    def lead(self, name: str) -> FileLead | None:
        with self._mutex:
            if self._leads is None:
                raise StoreUnavailable("The store is closed")
            path = self._folder / f"{name}.lock"
            with telling("open", path):
                make_folder(self._folder)
                lock = FileLock(path, 0)
            if not lock.try_take():
                return None
            lead = FileLead(lock)
            self._leads = [one for one in self._leads if one.held] + [lead]
            return lead

    def load(self, name: str) -> int | None:
        return _read(self._cursor(name))

    def cursors(self) -> Iterator[tuple[Path, int]]:
        """All cursors that were saved, and the file of each.

        Raises:
            StoreUnavailable: one can't be read.
        """
        for path in self._folder.glob("*.cursor"):
            number = _read(path)
            if number is not None:
                yield path, number

    def save(self, name: str, seq: int) -> None:
        """Replace the file in one step. It isn't synced: an older cursor only repeats something."""
        path = self._cursor(name)
        new = path.with_suffix(".new")
        with telling("write", new):
            make_folder(self._folder)
            append(OpenFile(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), b"%d" % seq, 0)
            new.replace(path)

    def close(self) -> None:
        """Let others have every lead."""
        with self._mutex:
            leads, self._leads = self._leads, None
        for lead in leads or ():
            lead.release()

    def _cursor(self, name: str) -> Path:
        return self._folder / f"{name}.cursor"


def _read(path: Path) -> int | None:
    with telling("read", path):
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            return None
    if not text.isdigit() or len(text) > _DIGITS:
        _log.warning("%s: expected a change number; it is left out of account", path)
        return None
    return int(text)
