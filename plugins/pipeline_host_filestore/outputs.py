"""The output files of all processes: where they lie, which are open, which are left over."""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from pipeline_host.errors import StoreUnavailable
from pipeline_host_filestore.files import make_folder, telling, unavailable
from pipeline_host_filestore.index import Entry
from pipeline_host_filestore.output import OutputLog
from pipeline_host_filestore.pacing import Pace
from pipeline_host_filestore.syncer import Sync
from pipeline_host_filestore.watching import Target

FOLDER: Final = "output"
_NAME: Final = re.compile(r"(?:[0-9]+-)?[0-9a-f]{32}-([0-9]{1,19})\.jsonl")


def stem(process_id: str) -> str:
    """How the name of a process's output file begins, made so that no id can be a path."""
    return hashlib.blake2b(process_id.encode(), digest_size=16).hexdigest()


def shard(folder: Path, process_id: str) -> Path:
    """The folder that a process's output file is in."""
    return folder / stem(process_id)[:2]


def incarnation_of(path: Path) -> int | None:
    """That of the process whose output a file is; ``None`` if it is none."""
    name = _NAME.fullmatch(path.name)
    return int(name[1]) if name else None


class OutputLogs:
    """Opens output files and keeps the most recently used ones open.

    Args:
        folder: the one that holds all of them.
        limit: how many are kept open, but for those that wait to be synced.
        note: takes a sentence for the log; called while locks are held.
    """

    def __init__(self, folder: Path, limit: int, sync: Sync, note: Callable[[str], None]) -> None:
        self.folder = folder
        self._limit = limit
        self._sync = sync
        self._note = note
        self._lock = threading.Lock()
        self._open: OrderedDict[str, OutputLog] = OrderedDict()

    def path(self, entry: Entry) -> Path:
        name = f"{stem(entry.process.id)}-{entry.incarnation}.jsonl"
        return shard(self.folder, entry.process.id) / name

    def target(self, process_id: str) -> Target:
        """What to watch to hear of a process's output, whether it has any as yet or not.

        Raises:
            StoreUnavailable: the folder can't be made.
        """
        folder = shard(self.folder, process_id)
        with telling("make", folder):
            self._make_folders(folder)
        return Target(folder, stem(process_id))

    def check(self, process_id: str) -> None:
        """Refuse to write where syncing has failed and still does.

        Raises:
            StoreUnavailable: it does.
        """
        log = self._open.get(process_id)
        if log is not None:
            log.sync.check()

    def existing(self, entry: Entry) -> OutputLog | None:
        """The output of a process, if it ever had any.

        Raises:
            StoreUnavailable: it can't be opened.
        """
        try:
            return self._get(entry, create=False)
        except FileNotFoundError:
            return None

    def length(self, entry: Entry) -> int | None:
        """How long the output of a process is, in bytes of text; ``None`` if it can't be read."""
        try:
            log = self.existing(entry)
            return log.tail().length if log else 0
        except StoreUnavailable:
            return None

    def writable(self, entry: Entry) -> OutputLog:
        """The output of a process, made if it never had any.

        Raises:
            StoreUnavailable: it can't be opened or made.
        """
        try:
            return self._get(entry, create=True)
        except FileNotFoundError:
            folder = shard(self.folder, entry.process.id)
            with telling("make", folder):
                self._make_folders(folder)
                return self._get(entry, create=True)

    def forget(self, entries: Iterable[Entry]) -> None:
        """Let go of the open files of processes that are gone."""
        with self._lock:
            for entry in entries:
                self._open.pop(entry.process.id, None)

    def forget_all(self) -> None:
        with self._lock:
            self._open.clear()

    def delete(self, entries: Iterable[Entry]) -> None:
        """Delete the files of processes that are gone; one that can't be is left to a sweep."""
        for entry in entries:
            _unlink(self.path(entry), self._note)

    def sweep(self, entries: Iterable[Entry], last: int) -> None:
        """Delete the files of processes that are gone, left by a worker that was killed.

        Args:
            entries: those of all processes.
            last: the newest change number that they take account of.
        """
        pace = Pace()
        living = set()
        for entry in entries:
            living.add(entry.incarnation)
            pace.pause()
        for path in self.files():
            pace.pause()
            incarnation = incarnation_of(path)
            if incarnation is not None and incarnation <= last and incarnation not in living:
                _unlink(path, self._note)

    def files(self) -> Iterator[Path]:
        """All output files there are; those of one folder are looked up together."""
        for folder in self.folder.glob("??"):
            yield from folder.glob("*.jsonl")

    def _get(self, entry: Entry, *, create: bool) -> OutputLog:
        process_id = entry.process.id
        with self._lock:
            log = self._open.get(process_id)
            if log is not None and log.incarnation == entry.incarnation:
                self._open.move_to_end(process_id)
                return log
            path = self.path(entry)
            try:
                log = OutputLog(path, entry.incarnation, self._sync, self._note, create=create)
            except FileNotFoundError:
                raise
            except OSError as error:
                raise unavailable("open", path, error) from error
            self._open[process_id] = log
            self._make_room()
            return log

    def _make_folders(self, folder: Path) -> None:
        make_folder(self.folder)
        make_folder(folder)

    def _make_room(self) -> None:
        for process_id in list(self._open)[: max(0, len(self._open) - self._limit)]:
            if self._open[process_id].sync.settled:
                del self._open[process_id]


def _unlink(path: Path, note: Callable[[str], None]) -> None:
    try:
        path.unlink()
    except FileNotFoundError:
        return
    except OSError as error:
        note(f"Can't delete {path}: {error.strerror}")
