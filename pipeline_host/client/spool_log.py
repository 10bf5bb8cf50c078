"""The format of a spool file: what is written, and what a reader makes of it. Pure.

A file is a row of records, each its length, the CRC-32 of its content, and the content in JSON. The
first says what the file is: ``{"spool": 1, "server": URL}``. The others tell what happened to
*tickets*, numbers that stand for one request each:

- ``["put", ticket, item]``: it waits;
- ``["add", ticket, item]``: this was merged into it;
- ``["sent", ticket, offset]``: it may have been sent; output begins at ``offset``;
- ``["done", ticket]``: it was settled, one way or the other.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pipeline_host.client.items import Item, from_json

VERSION: Final = 1
_HEAD: Final = struct.Struct(">II")


@dataclass(slots=True)
class Kept:
    """A request that waits in a file.

    Attributes:
        parts: the items that were merged into one request.
        sent: it may have been sent.
        offset: where its output begins then.
    """

    parts: list[Item]
    sent: bool = False
    offset: int | None = None


def pack(value: object) -> bytes:
    """One record.

    Raises:
        ValueError: it can't be told in JSON.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    content = text.encode()
    return _HEAD.pack(len(content), zlib.crc32(content)) + content


def header(server: str) -> bytes:
    """The first record of a file for this server."""
    return pack({"spool": VERSION, "server": server})


def unpack(data: bytes) -> Iterator[tuple[Any, int]]:
    """The records from the beginning on, up to the first that isn't whole; each with its end.

    Zeros, which a power cut may leave, are none: their length and their CRC would fit each other.
    """
    place = 0
    while len(data) - place >= _HEAD.size:
        length, checksum = _HEAD.unpack_from(data, place)
        place += _HEAD.size
        content = data[place : place + length]
        place += length
        if not length or len(content) < length or zlib.crc32(content) != checksum:
            return
        try:
            record = json.loads(content)
        except ValueError:
            return
        yield record, place


def torn(data: bytes, end: int) -> bool:
    """Whether what follows the last whole record is a record that was cut short, or nothing.

    That is what a killed writer leaves behind; anything else is damage.
    """
    rest = data[end:]
    if len(rest) < _HEAD.size:
        return True
    length, _ = _HEAD.unpack_from(rest)
    return bool(len(rest) - _HEAD.size < length)


def is_for(value: object, server: str) -> bool:
    """Whether the first record says that the file is a spool, for this server."""
    return value == {"spool": VERSION, "server": server}


def replay(records: Iterator[tuple[Any, int]], end: int) -> tuple[dict[int, Kept], int]:
    """What waits after ``records``, in the order it was put there, and where they end.

    Where one is whole and yet none of ours, it and what follows it are left out.

    Args:
        records: what :func:`unpack` gives, without the first.
        end: where that one ends.
    """
    waiting: dict[int, Kept] = {}
    for record, here in records:
        try:
            _apply(record, waiting)
        except ValueError:
            break
        end = here
    return waiting, end


def _apply(record: Any, waiting: dict[int, Kept]) -> None:
    match record:
        case ["put", int(ticket), dict(item)]:
            waiting[ticket] = Kept([from_json(item)])
        case ["add", int(ticket), dict(item)]:
            if ticket in waiting:
                waiting[ticket].parts.append(from_json(item))
        case ["sent", int(ticket), offset]:
            if ticket in waiting:
                waiting[ticket].sent, waiting[ticket].offset = True, offset
        case ["done", int(ticket)]:
            waiting.pop(ticket, None)
        case _:
            raise ValueError(f"no record of a spool: {record!r}")
