"""One file of the queue on disk; its format is in :mod:`pipeline_host.client.spool_log`."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

from pipeline_host.client.items import Item, to_json
from pipeline_host.client.spool_log import Kept, header, is_for, pack, replay, torn, unpack

SUFFIX: Final = ".spool"
_NEW: Final = ".new"
WORTHWHILE: Final = 1024 * 1024
"""A file of fewer bytes isn't written anew."""

log = logging.getLogger("pipeline_host.client")


class SpoolFile:
    """One file, locked, whose records may be added to. Not safe to use from several threads.

    Attributes:
        path: where it is.
        waiting: what waited in it when it was taken over, by ticket.
    """

    def __init__(self, path: Path, server: str, descriptor: int, end: int) -> None:
        self.path = path
        self._server = server
        self.waiting: Mapping[int, Kept] = {}
        self._descriptor = descriptor
        self._end = end
        self._head = end
        self._next = 1
        self._sizes: dict[int, int] = {}
        self._live = 0
        self._kept = 0
        self._new: Rewrite | None = None
        self._told = False

    @classmethod
    def create(cls, folder: Path, server: str) -> Self:
        """A new file in ``folder``, which is made if it isn't there.

        Raises:
            OSError: it can't be written.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = _locked_new(folder)
        path = Path(name).with_suffix(SUFFIX)
        first = header(server)
        os.write(descriptor, first)
        Path(name).rename(path)
        return cls(path, server, descriptor, len(first))

    @classmethod
    def take_over(cls, path: Path, server: str) -> Self | None:
        """The file of a client that has gone; None where it hasn't, or the file isn't ours to send.

        Raises:
            OSError: it can't be read.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            taken = _lock(descriptor, path) and cls._read(path, descriptor, server)
        except BaseException:
            os.close(descriptor)
            raise
        if not taken:
            os.close(descriptor)
            return None
        return taken

    @classmethod
    def _read(cls, path: Path, descriptor: int, server: str) -> Self | None:
        data = _content(descriptor)
        records = unpack(data)
        first, head = next(records, (None, 0))
        if first is None:
            damaged = path.rename(path.with_suffix(".damaged"))
            log.warning("a spool file was damaged; nothing of it could be read: %s", damaged)
        if not is_for(first, server):
            return None
        file = cls(path, server, descriptor, head)
        file.waiting, end = replay(records, head)
        file._end = end
        if not torn(data, end):
            copy = path.with_suffix(".damaged")
            shutil.copyfile(path, copy)
            log.warning("a spool file was damaged; what could be read of it is sent: %s", copy)
        os.ftruncate(descriptor, end)
        file._sizes = dict.fromkeys(file.waiting, 0)  # until the outbox knows better
        file._next = max(file.waiting, default=0) + 1
        return file

    @property
    def empty(self) -> bool:
        """Whether nothing waits in it."""
        return not self._sizes

    @property
    def worth_rewriting(self) -> bool:
        """Whether most of a large file is about what doesn't wait any more, or was overwritten.

        It also has to have doubled since that was tried, or it would be written again and again.
        """
        large = self._end > WORTHWHILE and self._descriptor >= 0 and self._new is None
        return large and self._end > max(4 * self._live, 2 * self._kept)

    def put(self, item: Item) -> int:
        """Keep an item; its ticket."""
        ticket = self._next
        self._next += 1
        self.resize(ticket, self._append(["put", ticket, to_json(item)]))
        return ticket

    def add(self, ticket: int, item: Item, size: int) -> None:
        """Keep an item that was merged into that of a ticket, which takes ``size`` bytes now."""
        self._append(["add", ticket, to_json(item)])
        self.resize(ticket, size)

    def resize(self, ticket: int, size: int) -> None:
        """What is of a ticket takes about ``size`` bytes."""
        self._live += size - self._sizes.get(ticket, 0)
        self._sizes[ticket] = size

    def sent(self, ticket: int, offset: int | None = None) -> None:
        """It may have been sent from now on; its output begins at ``offset``."""
        self._append(["sent", ticket, offset])

    def done(self, ticket: int) -> None:
        """It was settled."""
        size = self._sizes.pop(ticket, None)
        if size is None:
            return
        self._live -= size
        if self._sizes or self._end < WORTHWHILE // 16 or self._new is not None:
            self._append(["done", ticket])
        else:
            self._end = self._kept = self._head
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._end)

    def rewrite(self) -> Rewrite:
        """Begin a new file; what is written here from now on is copied to it at the end.

        Raises:
            OSError: no file can be made.
        """
        self._kept = self._end
        self._new = Rewrite(self.path.parent, self._server, self._end)
        return self._new

    def postpone(self) -> None:
        """Don't write it anew before it has doubled."""
        self._kept = self._end

    def replace(self, new: Rewrite) -> None:
        """Go on in the new file, unless this one was closed meanwhile.

        Raises:
            OSError: it can't be written; this one is still used.
        """
        if self._descriptor < 0:
            self.give_up(new)
            return
        tail = os.pread(self._descriptor, self._end - new.since, new.since)
        _write(new.descriptor, tail, new.end)
        new.path.rename(self.path)
        old, self._descriptor = self._descriptor, new.descriptor
        self._end, self._kept = new.end + len(tail), new.end
        self._new = None
        os.close(old)

    def give_up(self, new: Rewrite) -> None:
        """Stay with this file."""
        self._new = None
        new.abandon()

    def close(self) -> None:
        """Let go of it; it is deleted where nothing waits in it."""
        if self._descriptor < 0:
            return
        if self.empty:
            with suppress(OSError):
                self.path.unlink()
        self._let_go()

    def abandon(self) -> None:
        """In a forked child: close it without a change, as the parent holds it.

        What it is written anew to as well: it may have become the parent's file meanwhile.
        """
        if self._new is not None and self._new.descriptor != self._descriptor:
            os.close(self._new.descriptor)
        self._new = None
        self._let_go()

    def _let_go(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def _append(self, value: Any) -> int:
        """Write a record; how long it is, or 0 where the disk doesn't take it."""
        if self._descriptor < 0:
            return 0
        record = pack(value)
        try:
            _write(self._descriptor, record, self._end)
        except OSError as error:
            # A record cut short would hide those behind it.
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._end)
            if not self._told:
                self._told = True
                log.warning("%s can't be written (%s): what waits is in memory", self.path, error)
            return 0
        self._told = False
        self._end += len(record)
        return len(record)


class Rewrite:
    """A new file for what still waits, to be written while others use the old one.

    Attributes:
        since: from where on the old file's records are still to be copied.
    """

    def __init__(self, folder: Path, server: str, since: int) -> None:
        self.descriptor, name = _locked_new(folder)
        self.path = Path(name)
        self.since = since
        self.end = 0
        self._server = server

    def write(self, waiting: Iterable[tuple[int, Item, bool, int | None]]) -> None:
        """Write what waits: ticket, item, whether it may have been sent, and its offset then.

        Raises:
            OSError: it can't be written.
        """
        self._append(header(self._server))
        for ticket, item, sent, offset in waiting:
            self._append(pack(["put", ticket, to_json(item)]))
            if sent:
                self._append(pack(["sent", ticket, offset]))
        os.fsync(self.descriptor)

    def abandon(self) -> None:
        """Delete it."""
        self.path.unlink(missing_ok=True)
        os.close(self.descriptor)

    def _append(self, record: bytes) -> None:
        _write(self.descriptor, record, self.end)
        self.end += len(record)


def _locked_new(folder: Path) -> tuple[int, str]:
    """A new file that is ours already when others can see it under a spool's name."""
    while True:
        made = f"{time.time_ns():020}-"
        descriptor, name = tempfile.mkstemp(prefix=made, suffix=_NEW, dir=folder)
        if _lock(descriptor, Path(name)):
            return descriptor, name
        os.close(descriptor)  # somebody took it for one that was left behind


def sweep(folder: Path) -> None:
    """Delete new files that were never finished, since whoever wrote them was killed."""
    for path in folder.glob(f"*{_NEW}"):
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                if _lock(descriptor, path):
                    path.unlink()
            finally:
                os.close(descriptor)


def _lock(descriptor: int, path: Path) -> bool:
    """Take the lock; False where somebody has it, or the file isn't at ``path`` any more.

    A file that was deleted or replaced meanwhile may still have another name, such as a backup's.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except (BlockingIOError, FileNotFoundError):
        return False


def _content(descriptor: int) -> bytes:
    with os.fdopen(os.dup(descriptor), "rb") as file:
        file.seek(0)
        return file.read()


def _write(descriptor: int, data: bytes, place: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, place)
        view, place = view[written:], place + written
