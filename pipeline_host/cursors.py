"""The opaque cursor by which a client says how far it has followed a process: pure functions.

``Zk3.12.c4096`` is the place after byte 4096 of the output of incarnation 12 in the data set
(epoch) ``Zk3``; ``s`` instead of ``c`` is after the status that follows the output, ``e`` after
the end of the stream.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

import msgspec

_LIMIT: Final = 2**63
_NUMBER: Final = r"(0|[1-9][0-9]{0,18})"
_CURSOR: Final = re.compile(rf"([0-9A-Za-z]{{1,32}})\.{_NUMBER}\.([cse]){_NUMBER}")


class Kind(Enum):
    """What a client has seen last: a piece of output, the status, or the end."""

    CHUNK = "c"
    STATUS = "s"
    END = "e"


class Cursor(msgspec.Struct, frozen=True):
    """A place in the stream of one process.

    Attributes:
        epoch: names the set of data, see :attr:`ProcessStore.epoch`.
        incarnation: which of the processes that had this id one after the other.
        offset: how many UTF-8 bytes of the output lie before it.
    """

    epoch: str
    incarnation: int
    offset: int
    kind: Kind = Kind.CHUNK

    def __str__(self) -> str:
        return f"{self.epoch}.{self.incarnation}.{self.kind.value}{self.offset}"


def parse(text: str) -> Cursor | None:
    """The cursor that ``text`` is, exactly as it was given out; ``None`` for any other text."""
    found = _CURSOR.fullmatch(text)
    if found is None:
        return None
    incarnation, offset = int(found[2]), int(found[4])
    if incarnation >= _LIMIT or offset >= _LIMIT:
        return None
    return Cursor(found[1], incarnation, offset, Kind(found[3]))
