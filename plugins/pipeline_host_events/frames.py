"""The events as bytes, and the cursors that are their ids: pure functions.

Framing follows the HTML standard's section on Server-Sent Events, with line feeds alone. No value
can start a line of its own: ``data`` is JSON, in which line ends are escaped, and an ``id`` holds
only letters, digits and a dot.
"""

from __future__ import annotations

import re
from typing import Final

from pipeline_host.messages import encode
from pipeline_host.models import Change

HEARTBEAT: Final = b"event: heartbeat\ndata: {}\n\n"
OPENING: Final = b": events\n\n"
"""A comment, so that whatever lies between lets the head of the response through."""

_LIMIT: Final = 2**63
_CURSOR: Final = re.compile(r"([0-9A-Za-z]{1,32})\.(0|[1-9][0-9]{0,18})")


class Frames:
    """The events of one set of data.

    Args:
        epoch: names it, see :attr:`pipeline_host.store.ProcessStore.epoch`.
    """

    def __init__(self, epoch: str) -> None:
        self._epoch = epoch
        self._prefix = f"id: {epoch}.".encode("ascii")

    def change(self, change: Change) -> bytes:
        """The event that tells a change: named as its message's type, with that message."""
        kind = change.kind.encode("ascii")
        return b"%b%d\nevent: %b\ndata: %b\n\n" % (self._prefix, change.seq, kind, encode(change))

    def welcome(self, seq: int) -> bytes:
        """Says where a stream begins that is to tell what comes after the change ``seq``."""
        return b"%b%d\nevent: welcome\ndata: {}\n\n" % (self._prefix, seq)

    def resync(self, seq: int) -> bytes:
        """Says that changes up to ``seq`` were missed for good."""
        return b"%b%d\nevent: resync\ndata: {}\n\n" % (self._prefix, seq)

    def parse(self, cursor: str) -> int | None:
        """The change number of which ``cursor`` is the id; ``None`` for any other text."""
        found = _CURSOR.fullmatch(cursor)
        if found is None or found[1] != self._epoch or int(found[2]) >= _LIMIT:
            return None
        return int(found[2])
