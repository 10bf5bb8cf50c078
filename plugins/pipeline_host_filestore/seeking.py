"""Finding a record in a long file of records without reading all of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipeline_host_filestore import codec
from pipeline_host_filestore.codec import Record, Scan
from pipeline_host_filestore.files import OpenFile, read_at

_BLOCK: Final = 64 * 1024
_FIRST_BLOCK: Final = 4 * 1024
_NEAR: Final = 2 * 1024
_GLANCE: Final = 512


def scans(file: OpenFile, start: int, end: int) -> Iterator[Scan]:
    """Read ``start:end``, which begins with a line, part by part; each part is whole lines."""
    block = _FIRST_BLOCK
    while start < end:
        data = read_at(file, start, min(start + block, end))
        found = codec.scan(data, start)
        if found.end > start:
            yield found
            start = found.end
            block = min(2 * block, _BLOCK)
        elif start + len(data) >= end or not data:
            return
        else:
            block *= 2


def last_record(file: OpenFile, start: int, end: int) -> tuple[Record | None, int]:
    """The last good record in ``start:end``, which begins with a line; read from the back.

    Returns:
        The record, and where the last whole line (good or not) ends.
    """
    block = _BLOCK
    while True:
        begin = max(start, end - block)
        data = read_at(file, begin, end)
        skip = data.find(b"\n") + 1 if begin > start else 0
        found = codec.scan(data[skip:], begin + skip)
        if found.records or begin == start:
            return (found.records[-1] if found.records else None), found.end
        block *= 2


def find_record(file: OpenFile, number: int, end: int) -> int:
    """Where to begin to read on, so as to meet the last record of at most ``number``.

    It is the beginning of a line, and not far before that record.

    Args:
        file: its records are in the order of their numbers.
        end: where its last whole line ends.
    """
    low, high = 0, end
    while high - low > _NEAR:
        middle = (low + high) // 2
        record = _first_record(file, middle, end)
        if record is None or record.start >= high or record.number > number:
            high = middle
        else:
            low = record.start
    return low


def _first_record(file: OpenFile, start: int, end: int) -> Record | None:
    """The first good record that begins at ``start`` (above 0) or later."""
    block = _GLANCE
    begin = start - 1
    while True:
        data = read_at(file, begin, min(begin + block, end))
        found = codec.scan(data[data.find(b"\n") + 1 :], begin + data.find(b"\n") + 1)
        if b"\n" in data and found.records:
            return found.records[0]
        if begin + block >= end:
            return None
        block *= 2
