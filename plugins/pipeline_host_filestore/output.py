"""The output of one process: its file, read and appended to.

Each record is one chunk, numbered with the chunk's offset in the output. Several workers append,
always under the store's lock; reading needs no lock.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from pipeline_host.models import Chunk
from pipeline_host_filestore import codec, operations
from pipeline_host_filestore.codec import Damage, Record
from pipeline_host_filestore.files import OpenFile, append, telling
from pipeline_host_filestore.operations import StoredChunk
from pipeline_host_filestore.seeking import find_record, last_record, scans
from pipeline_host_filestore.syncer import FileSync, Sync

_PLACES: Final = 64


class Tail(NamedTuple):
    """The end of an output file.

    Attributes:
        position: where its last whole line ends, in the file.
        length: how long the output is until there, in bytes of text.
    """

    position: int
    length: int


class OutputLog:
    """One output file, open.

    Args:
        note: takes a sentence for the log; called while locks are held.
        create: make the file where there is none.

    Attributes:
        incarnation: that of the process.

    Raises:
        FileNotFoundError: there is none, and it is not to be made.
    """

    def __init__(
        self,
        path: Path,
        incarnation: int,
        sync: Sync,
        note: Callable[[str], None],
        *,
        create: bool = False,
    ) -> None:
        self.incarnation = incarnation
        self._file = OpenFile(path, os.O_RDWR | os.O_APPEND | (os.O_CREAT if create else 0))
        self.sync = FileSync(self._file, sync, [path.parent, path.parent.parent])
        self._note = note
        self._lock = threading.Lock()
        self._tail = Tail(0, 0)
        self._places: OrderedDict[int, int] = OrderedDict()
        self._damage: set[Damage] = set()

    def tail(self) -> Tail:
        """The end as it is now, whoever appended."""
        with self._lock, telling("read", self._file.path):
            return self._look(os.fstat(self._file.fd).st_size)

    def put_in_order(self) -> Tail:
        """The end as it is now; what follows it is cut off. Only under the store's lock."""
        with self._lock, telling("read", self._file.path):
            size = os.fstat(self._file.fd).st_size
            tail = self._look(size)
            if size > tail.position:
                os.ftruncate(self._file.fd, tail.position)
                self._note(
                    f"{self._file.path}: cut off an incomplete record at byte {tail.position}"
                    f" ({size - tail.position} bytes), which nobody was told is kept"
                )
            return tail

    def append(self, chunks: Sequence[Chunk], tail: Tail) -> Tail:
        """Write chunks in one go behind ``tail``, which :meth:`put_in_order` just gave.

        Raises:
            StoreUnavailable: they could not be written; nothing of them is there.
        """
        data = b"".join(map(_encode, chunks))
        append(self._file, data, tail.position)
        with self._lock:
            self._tail = Tail(tail.position + len(data), chunks[-1].end)
            self._remember(tail.length, tail.position)
            return self._tail

    def read(self, after: int, limit: int, tail: Tail) -> Sequence[Chunk]:
        """The chunks before ``tail`` that end behind the byte ``after``.

        One, if there is any, then more while they are within ``limit`` bytes.
        """
        if after >= tail.length:
            return ()
        with self._lock:
            place = self._places.get(after)
        with telling("read", self._file.path):
            found = [] if place is None else self._read(after, limit, place, tail)
            if not found or found[0].offset != after:
                place = find_record(self._file, after, tail.position)
                found = self._read(after, limit, place, tail)
        return found

    def find_damage(self) -> Sequence[Damage]:
        """The parts that can't be read, in order; for which the whole file is."""
        with telling("read", self._file.path):
            for _ in self._chunks(0, self.tail().position):
                pass
        return sorted(self._damage)

    def _read(self, after: int, limit: int, place: int, tail: Tail) -> list[Chunk]:
        found: list[Chunk] = []
        size = 0
        for chunk, end in self._chunks(place, tail.position):
            if chunk.end <= after:
                continue
            size += chunk.length
            if found and size > limit:
                break
            found.append(chunk)
            with self._lock:
                self._remember(chunk.end, end)
        return found

    def _look(self, size: int) -> Tail:
        known = self._tail
        if size == known.position:
            return known
        if size < known.position:
            # Another worker took back what it could not write as a whole.
            known = Tail(0, 0)
            self._places.clear()
        record, position = last_record(self._file, known.position, size)
        length = known.length
        if record is not None:
            chunk = self._decoded(record)
            length = chunk.end if chunk else record.number
        self._tail = Tail(position, length)
        return self._tail

    def _chunks(self, position: int, end: int) -> Iterator[tuple[Chunk, int]]:
        """The chunks from ``position`` on, each with the place in the file behind it."""
        for found in scans(self._file, position, end):
            for damage in found.damage:
                self._leave_out(damage)
            for record in found.records:
                chunk = self._decoded(record)
                if chunk is not None:
                    yield chunk, record.end

    def _decoded(self, record: Record) -> Chunk | None:
        try:
            return _decode(record)
        except msgspec.MsgspecError:
            self._leave_out(Damage(record.start, record.end))
            return None

    def _leave_out(self, damage: Damage) -> None:
        if damage not in self._damage:
            self._damage.add(damage)
            self._note(
                f"{self._file.path}: bytes {damage.start} to {damage.end} are left out:"
                " no good record"
            )

    def _remember(self, offset: int, position: int) -> None:
        """Know where in the file the chunk at ``offset`` is, for whoever reads on from there."""
        self._places[offset] = position
        self._places.move_to_end(offset)
        while len(self._places) > _PLACES:
            self._places.popitem(last=False)


def _encode(chunk: Chunk) -> bytes:
    stored = StoredChunk(content=chunk.content, time=chunk.time, stream=chunk.stream)
    return codec.encode(chunk.offset, operations.encode(stored))


def _decode(record: Record) -> Chunk:
    stored = operations.decode_chunk(record.payload)
    return Chunk(
        content=stored.content,
        stream=stored.stream,
        offset=record.number,
        length=len(stored.content.encode()),
        time=stored.time,
    )
