"""The one format of all files of this store: numbered JSON records, one a line. Pure functions.

A line is ``LLLLLLLL CCCCCCCC NUMBER {json}`` and a line feed: the length in bytes and the CRC-32C
of ``NUMBER {json}``, each as eight lower-case hexadecimal digits, then that. JSON holds no line
feed, so whatever is damaged, the next line feed is a place to go on reading from.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import google_crc32c

_FRAME: Final = re.compile(rb"([0-9a-f]{8}) ([0-9a-f]{8}) ([0-9]{1,20}) ")
_PREFIX: Final = 18
_LINE_FEED: Final = 0x0A


class Record(NamedTuple):
    """One good record; it lies in ``start:end`` of its file."""

    number: int
    payload: bytes
    start: int
    end: int


class Damage(NamedTuple):
    """Bytes ``start:end`` of a file that are no good record."""

    start: int
    end: int


class Scan(NamedTuple):
    """What a part of a file holds.

    Attributes:
        records: the good ones, in order.
        damage: what lies between them; neighbours are one.
        end: where the last whole line ends. What follows is incomplete: a record that is just
            being written, or one whose writer was killed.
    """

    records: list[Record]
    damage: list[Damage]
    end: int


def encode(number: int, payload: bytes) -> bytes:
    """The line that holds ``payload`` (JSON without line feeds) under ``number``."""
    body = b"%d %b" % (number, payload)
    return b"%08x %08x %b\n" % (len(body), google_crc32c.value(body), body)


def scan(data: bytes, offset: int = 0) -> Scan:
    """Read all records of ``data``, which begins at ``offset`` of its file."""
    found = Scan([], [], 0)
    position = 0
    while position < len(data):
        record = _record_at(data, position, offset)
        if record is not None:
            position = record.end - offset
            found.records.append(record)
            if data[position - 1] != _LINE_FEED:
                add_damage(found.damage, Damage(record.end - 1, record.end))
            continue
        line_feed = data.find(b"\n", position)
        if line_feed < 0:
            break
        add_damage(found.damage, Damage(offset + position, offset + line_feed + 1))
        position = line_feed + 1
    return found._replace(end=offset + position)


def add_damage(known: list[Damage], new: Damage) -> None:
    """Add to a list of damage in the order of the file; joins what touches."""
    if known and known[-1].end == new.start:
        known[-1] = Damage(known[-1].start, new.end)
    else:
        known.append(new)


def _record_at(data: bytes, position: int, offset: int) -> Record | None:
    """The record that begins at ``position``, if it is whole and its checksum holds.

    Its last byte should be a line feed, but is not looked at: the record is good without.
    """
    frame = _FRAME.match(data, position)
    if frame is None:
        return None
    begin = position + _PREFIX
    end = begin + int(frame[1], 16)
    if end >= len(data) or end < frame.end():
        return None
    if google_crc32c.value(data[begin:end]) != int(frame[2], 16):
        return None
    payload = data[frame.end() : end]
    return Record(int(frame[3]), payload, offset + position, offset + end + 1)
