"""The journal's file: opening, making, reading on, appending.

It is called ``journal.jsonl`` in every generation, and a compaction puts a new file under that
name. So one ``stat`` of the name tells a reader both how far the open file grew and that it was
replaced: then the name leads to another file. (The count of the open file's names doesn't tell it:
a backup by hard links is another name, and some file systems keep the count while it is open.)
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from pipeline_host.errors import StartupError, StoreCorrupt
from pipeline_host_filestore import codec, operations
from pipeline_host_filestore.codec import Damage, Record
from pipeline_host_filestore.files import OpenFile, append, read_at, sync_folder, write_file
from pipeline_host_filestore.operations import FORMAT, Header
from pipeline_host_filestore.syncer import FileSync, Sync

NAME: Final = "journal.jsonl"
_BLOCK: Final = 4 * 1024 * 1024
_HEADER_LIMIT: Final = 4096


class JournalUnreadable(StartupError, StoreCorrupt):
    """The beginning of a journal says nothing, or nothing that this version understands."""


class Journal:
    """One generation's file, open.

    Attributes:
        position: how far it was read; always the beginning of a line.
        kept_end: where the records end that a compaction made.
        sync: how far it is safe from a loss of power.
        damage: what could not be read, in the order of the file.
        doubtful: reading without the lock stopped at what looks like damage.
    """

    def __init__(self, path: Path, sync: Sync) -> None:
        self.file = OpenFile(path, os.O_RDWR | os.O_APPEND)
        opened = os.fstat(self.file.fd)
        self._name, self._inode, self._device = str(path), opened.st_ino, opened.st_dev
        self.sync = FileSync(self.file, sync, [path.parent])
        record = _first_record(self.file)
        self.header = _header_of(record, path)
        self.position = self.kept_end = record.end
        self.damage: list[Damage] = []
        self.doubtful = False

    def look(self) -> tuple[int, bool]:
        """The file's size, and whether another one has taken its place.

        Raises:
            OSError: nothing is in its place.
        """
        there = os.stat(self._name)  # noqa: PTH116 (with each read; a Path takes longer)
        # No other file can have the inode's number while this one is open.
        if there.st_ino == self._inode and there.st_dev == self._device:
            return there.st_size, False
        return os.fstat(self.file.fd).st_size, True

    def records(self, size: int, *, final: bool) -> Iterator[Record]:
        """Read on to ``size``; :attr:`position` is behind each record when it is given.

        Args:
            final: nobody is writing here now, so that what looks damaged is. Otherwise reading
                stops before that and sets :attr:`doubtful`.
        """
        self.doubtful = False
        block = _BLOCK
        while self.position < size and not self.doubtful:
            data = read_at(self.file, self.position, min(self.position + block, size))
            found = codec.scan(data, self.position)
            if found.end == self.position:
                if self.position + len(data) >= size or not data:
                    return
                block *= 2
                continue
            self.doubtful = bool(found.damage) and not final
            end = found.damage[0].start if self.doubtful else found.end
            for record in found.records:
                if record.start < end:
                    self.position = record.end
                    yield record
            self.position = max(self.position, end)
            if final:
                for damage in found.damage:
                    codec.add_damage(self.damage, damage)

    def append(self, line: bytes) -> None:
        """Write a record behind all others; the journal must have been read to its end.

        Raises:
            StoreUnavailable: it could not be written; nothing of it is there.
        """
        append(self.file, line, self.position)
        self.position += len(line)

    def cut(self) -> None:
        """Take off what follows the last whole line; only under the lock."""
        os.ftruncate(self.file.fd, self.position)


def header_line(epoch: str, generation: int, last: int) -> bytes:
    header = Header(format=FORMAT, epoch=epoch, generation=generation, last=last)
    return codec.encode(0, operations.encode(header))


def create(folder: Path) -> None:
    """Make the first generation; only under the lock.

    Whoever is killed here leaves no journal, or a whole one: never one that is empty.
    """
    temporary = folder / f"{NAME}.new"
    write_file(temporary, header_line(secrets.token_hex(8), generation=1, last=0))
    temporary.rename(folder / NAME)
    sync_folder(folder)


def _first_record(file: OpenFile) -> Record:
    head = read_at(file, 0, _HEADER_LIMIT)
    if not head:
        raise JournalUnreadable(
            f"{file.path}: the header at byte 0 is missing, the file is empty. Put it back from a"
            " copy, or choose another data directory"
        )
    found = codec.scan(head)
    if not found.records or found.records[0].start != 0:
        raise JournalUnreadable(
            f"{file.path}: the header at byte 0 is damaged. Nothing was changed; put the file's"
            " first line back from a copy, or choose another data directory"
        )
    return found.records[0]


def _header_of(record: Record, path: Path) -> Header:
    try:
        header = operations.decode_header(record.payload)
    except msgspec.MsgspecError as error:
        raise JournalUnreadable(
            f"{path}: the record at byte 0 is not the header of a journal ({error})"
        ) from None
    if header.format != FORMAT:
        raise JournalUnreadable(
            f"{path}: the header at byte 0 says format {header.format}, but this version"
            f" reads format {FORMAT}"
        )
    return header
