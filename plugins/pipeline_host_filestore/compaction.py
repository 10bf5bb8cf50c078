"""Writing the next generation of the journal: the state as it is, then what was written since.

Readers and writers go on meanwhile. Only at the end, for a small rest and the renaming, is the
store's lock held; no record is left behind, because nobody appends then, and no two workers
compact at once, because that has a lock of its own.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from pipeline_host.models import Change, Workspace
from pipeline_host_filestore import aside, codec, journal, operations
from pipeline_host_filestore.access import Access
from pipeline_host_filestore.background import Background
from pipeline_host_filestore.codec import Damage
from pipeline_host_filestore.files import OpenFile, append, read_at
from pipeline_host_filestore.index import Entry
from pipeline_host_filestore.journal import Journal
from pipeline_host_filestore.lock import FileLock
from pipeline_host_filestore.native import native
from pipeline_host_filestore.operations import KeptChange, KeptProcess, KeptWorkspace
from pipeline_host_filestore.outputs import OutputLogs
from pipeline_host_filestore.pacing import Pace
from pipeline_host_filestore.replica import Replica
from pipeline_host_filestore.syncer import Sync
from pipeline_host_filestore.texts import Texts
from pipeline_host_filestore.window import WINDOW

KEPT_CHANGES: Final = WINDOW
LEAST_CHANGES: Final = 1000
LEAST_ROOM: Final = 4 * 1024 * 1024
LOCK: Final = "compact.lock"
TEMPORARY: Final = f"{journal.NAME}.tmp"
RETRY_AFTER: Final = 60.0
_PART: Final = 1024 * 1024
_SMALL: Final = 64 * 1024
_log: Final = logging.getLogger(__name__)


class Stopped(Exception):
    """The store is being closed."""


class _Snapshot(NamedTuple):
    """The state at one moment, and how far the journal went then."""

    journal: Journal
    position: int
    last: int
    entries: Sequence[Entry]
    workspaces: Sequence[Workspace]
    changes: Sequence[Change]
    damage: Sequence[Damage]
    texts: Texts


class Compactor(Background):
    """Compacts a data directory's journal when it is worth it, on a thread of its own.

    Args:
        least: the size below which it never is, in bytes.
    """

    def __init__(
        self, data_dir: Path, access: Access, outputs: OutputLogs, sync: Sync, least: int
    ) -> None:
        failed = "The journal could not be compacted, which is tried again"
        super().__init__("pipeline-host-compactor", RETRY_AFTER, failed)
        self._data_dir = data_dir
        self._access = access
        self._outputs = outputs
        self._sync = sync
        self._least = least

    def wanted(self, replica: Replica) -> bool:
        """Whether it is worth it, and not just tried in vain."""
        return replica.worth_compacting(self._least) and self.ready

    def compact(self, *, force: bool = False) -> bool:
        """Compact now, if it is worth it (or forced) and no other worker does.

        Raises:
            OSError: the new file can't be written; nothing has changed.
            PipelineHostError: the journal can't be read, or written to.
        """
        own = FileLock(self._data_dir / LOCK, timeout=0)
        if not own.try_take():
            return False
        try:
            with self._access.reading() as replica:
                worth_it = force or replica.worth_compacting(self._least)
                snapshot = _snapshot(replica) if worth_it else None
            if snapshot is None:
                return False
            self._save_damage(snapshot)
            self._write(snapshot, self._data_dir / TEMPORARY)
            self.sweep()
        finally:
            own.release()
        return True

    def sweep(self) -> None:
        """Delete output files whose processes are gone, unless one may only seem to be."""
        if next((self._data_dir / aside.FOLDER).glob("*journal-*"), None):
            return
        with self._access.reading() as replica:
            damaged = replica.damage
            entries = list(replica.state.index.entries())
            last = replica.state.last
        if not damaged:
            self._outputs.sweep(entries, last)

    def _work(self) -> None:
        with suppress(Stopped):
            self.compact()

    def _write(self, snapshot: _Snapshot, temporary: Path) -> None:
        file = OpenFile(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        try:
            self._fill(snapshot, file)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def _fill(self, snapshot: _Snapshot, file: OpenFile) -> None:
        size = self._write_kept(snapshot, file)
        copied, end = snapshot.position, snapshot.position
        while True:
            native(self._sync, file.fd)
            with self._access.reading() as replica:
                end = replica.journal.position
            if end == copied:
                break
            size = _copy(snapshot.journal, copied, end, file, size)
            small, copied = end - copied <= _SMALL, end
            if small:
                native(self._sync, file.fd)
                break
        with self._access.writing() as replica:
            # Here all others wait. What came since the last sync is next to nothing.
            end = replica.journal.position
            if end > copied:
                _copy(snapshot.journal, copied, end, file, size)
                self._sync(file.fd)
            file.path.rename(self._data_dir / journal.NAME)

    def _write_kept(self, snapshot: _Snapshot, file: OpenFile) -> int:
        """Write header and kept records; returns the size of the file."""
        size = 0
        lines: list[bytes] = []
        pace = Pace()
        for line in _kept_lines(snapshot):
            lines.append(line)
            if pace.over:
                size = _flush(lines, file, size)
                pace.pause()
                if self._stopping:
                    raise Stopped
        return _flush(lines, file, size)

    def _save_damage(self, snapshot: _Snapshot) -> None:
        """Keep what could not be read, for whoever can make something of it."""
        for damage in snapshot.damage:
            name = f"journal-{snapshot.journal.header.generation}-{damage.start}"
            data = read_at(snapshot.journal.file, damage.start, damage.end)
            path = aside.keep(self._data_dir, name, data)
            _log.warning("A damaged part of the journal is now in %s", path)


def _snapshot(replica: Replica) -> _Snapshot:
    state = replica.state
    return _Snapshot(
        journal=replica.journal,
        position=replica.journal.position,
        last=state.last,
        entries=list(state.index.entries()),
        workspaces=list(state.workspaces.values()),
        changes=list(state.window.tail(KEPT_CHANGES)),
        damage=replica.damage,
        texts=replica.texts.apart(),
    )


def _kept_lines(snapshot: _Snapshot) -> Iterator[bytes]:
    header = snapshot.journal.header
    yield journal.header_line(header.epoch, header.generation + 1, snapshot.last)
    for workspace in snapshot.workspaces:
        yield codec.encode(0, operations.encode(KeptWorkspace(workspace=workspace)))
    yield from map(_change_line, _worth_keeping(snapshot))
    for entry in snapshot.entries:
        kept = KeptProcess(
            version=entry.version,
            fingerprint=entry.fingerprint,
            process=snapshot.texts.whole(entry),
            output=entry.output,
        )
        yield codec.encode(entry.incarnation, operations.encode(kept))


def _worth_keeping(snapshot: _Snapshot) -> Sequence[Change]:
    """The newest changes. Long ones must not make a journal larger than it was: beyond a least
    number they are kept only while they come to no more than half of it, in bytes.
    """
    room = max(snapshot.position // 2, LEAST_ROOM)
    count, pace = 0, Pace()
    for change in reversed(snapshot.changes):
        room -= len(_change_line(change))
        if room < 0 and count >= LEAST_CHANGES:
            break
        count += 1
        pace.pause()
    return snapshot.changes[len(snapshot.changes) - count :]


def _change_line(change: Change) -> bytes:
    return codec.encode(change.seq, operations.encode(KeptChange(change=change)))


def _flush(lines: list[bytes], file: OpenFile, size: int) -> int:
    data = b"".join(lines)
    lines.clear()
    append(file, data, size)
    return size + len(data)


def _copy(source: Journal, start: int, end: int, file: OpenFile, size: int) -> int:
    for begin in range(start, end, _PART):
        size = _flush([read_at(source.file, begin, min(begin + _PART, end))], file, size)
    return size
