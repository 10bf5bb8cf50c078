"""Finding the records of a state that is known already in the journal's next generation.

A compaction makes that file while workers go on, and each of them goes over to it on its own. The
new file's end is small and found from behind, so going over takes no time: new records are read
from there, and long texts of older ones from the old file. Where their records lie in the new one
is found afterwards, slice by slice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from pipeline_host_filestore import codec, operations
from pipeline_host_filestore.codec import Record
from pipeline_host_filestore.files import read_at
from pipeline_host_filestore.index import Entry, Index, Place
from pipeline_host_filestore.journal import Journal
from pipeline_host_filestore.pacing import Pace
from pipeline_host_filestore.seeking import scans

_BLOCK: Final = 64 * 1024


class Missing(Exception):
    """A record isn't where it should be: the journal must be loaded."""


def end_of_known(journal: Journal, last: int) -> int:
    """Where the records of changes above ``last`` begin; read from the back.

    Args:
        journal: just opened.

    Raises:
        Missing: something is damaged there.
    """
    head = journal.position
    size, _ = journal.look()
    block = _BLOCK
    while True:
        begin = max(head, size - block)
        data = read_at(journal.file, begin, size)
        skip = data.find(b"\n") + 1 if begin > head else 0
        found = codec.scan(data[skip:], begin + skip)
        if found.damage:
            raise Missing
        known = [record.end for record in found.records if _is_known(record, last)]
        if known or begin == head:
            return known[-1] if known else head
        block *= 2


def _is_known(record: Record, last: int) -> bool:
    return record.number <= last or record.payload.startswith(operations.KEPT)


class Relocation:
    """Gives the entries of an index their places in a new journal, a little at a time.

    Only the frames of the records are read, so it takes a fraction of the time of loading.

    Args:
        journal: the new one, just opened.
        end: where the records of the changes end that the index has taken by now.
        last: the number of the newest of these.
    """

    def __init__(self, journal: Journal, end: int, last: int) -> None:
        self._journal = journal
        self._scans = scans(journal.file, journal.position, end)
        # Plain pairs of start and end, which cost the garbage collector less than places.
        self._kept: dict[int, tuple[int, int]] = {}
        self._later: dict[int, tuple[int, int]] = {}
        self._kept_end = journal.position
        self._last = last
        self._ids: Iterator[str] | None = None

    def go_on(self, index: Index, pace: Pace) -> bool:
        """Work until the slice is over, a little at least; whether all is done.

        Raises:
            Missing: a record is.
            OSError: the file can't be read.
        """
        while True:
            if self._ids is None:
                self._scan_on(index)
            elif not self._move_on(self._ids, index):
                self._journal.kept_end = self._kept_end
                return True
            if pace.over:
                return False

    def _scan_on(self, index: Index) -> None:
        found = next(self._scans, None)
        if found is None:
            self._ids = iter(index.ids())
            return
        if found.damage:
            raise Missing
        for record in found.records:
            place = (record.start, record.end)
            if not record.payload.startswith(operations.KEPT):
                self._later[record.number] = place
                continue
            self._kept_end = record.end
            if record.payload.startswith(operations.KEPT_PROCESS):
                self._kept[record.number] = place

    def _move_on(self, ids: Iterator[str], index: Index) -> bool:
        """Move the next entry, if it is still there; whether there was one."""
        process_id = next(ids, None)
        if process_id is None:
            return False
        entry = index.get(process_id)
        if entry is not None:
            index.relocate(self._moved(entry))
        return True

    def _moved(self, entry: Entry) -> Entry:
        """Records up to the header's ``last`` have become one kept record, others were copied."""
        if entry.incarnation > self._last:
            return entry
        try:
            first = self._place(entry.incarnation, entry.incarnation)
            large = {
                name: at
                if at.generation == first.generation
                else self._place(at.number, entry.incarnation)
                for name, at in entry.large.items()
            }
        except KeyError:
            raise Missing from None
        return replace(entry, size=first.end - first.start, large=large)

    def _place(self, number: int, incarnation: int) -> Place:
        """Where what the record ``number`` of a process held is now."""
        header = self._journal.header
        if number > header.last:
            return Place(number, *self._later[number], header.generation)
        return Place(incarnation, *self._kept[incarnation], header.generation)
