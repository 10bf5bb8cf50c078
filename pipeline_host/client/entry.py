"""One request that waits in the queue, and what may still be merged into it. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from pipeline_host.client.batch import MAX_BATCH, Chunk, joined
from pipeline_host.client.items import Item, Output, merged, weight

OVERHEAD: Final = 500
"""What an entry or a chunk takes beside its content, in bytes, about."""

MANY_PARTS: Final = 256
"""After how many small pieces of output they are joined."""


class Shelf(Protocol):
    """Where output waits that memory has no room for."""

    def keep(self, item: Output) -> Callable[[], Output] | None:
        """Put it there; what gives it back, once. None where there is no room."""


@dataclass(slots=True, eq=False)
class Entry:
    """One request that waits: an item, and what was merged into it since.

    Attributes:
        lane: what is sent in order with it.
        number: its place among all.
        size: what it takes of the queue, in bytes.
        frozen: it is on its way, or may have been: it stays as it is, and is never left out.
        offset: where its output begins in the process's, as far as it was sent.
        home: whatever keeps it on disk, and ``ticket`` its name there.
    """

    lane: str
    number: int
    first: Item
    size: int
    frozen: bool = False
    offset: int | None = None
    home: object = None
    ticket: int = 0
    _chunks: list[Chunk] = field(default_factory=list)
    _unjoined: int = 0
    _shelved: Callable[[], Output] | None = None

    @property
    def shelved(self) -> bool:
        """Whether its output isn't in memory."""
        return self._shelved is not None

    @property
    def item(self) -> Item:
        """All of it as one request."""
        if self._shelved is not None:
            self.first, self._shelved = self._shelved(), None
        if self._chunks and isinstance(self.first, Output):
            chunks = (*self.first.chunks, *self._chunks)
            self.first = Output(self.first.process_id, tuple(joined(chunks)))
            self._chunks, self._unjoined = [], 0
        return self.first

    def merge(self, item: Item) -> bool:
        """Take ``item`` in, if both can be one request; whether that was so."""
        if self.frozen or self._shelved is not None:
            return False
        if isinstance(item, Output) and isinstance(self.first, Output):
            return self._merge_output(item)
        one = merged(self.first, item)
        if one is None:
            return False
        self.first = one
        self.size = weight(one) + OVERHEAD
        return True

    def freeze(self) -> None:
        """It is about to be sent: have all of it in memory, and as it is."""
        self.first = self.item
        self.frozen = True

    def shelve(self, shelf: Shelf) -> bool:
        """Move its output out of memory; whether that was possible."""
        item = self.item
        if self.frozen or not isinstance(item, Output):
            return False
        self._shelved = shelf.keep(item)
        if self._shelved is None:
            return False
        self.first = Output(item.process_id, ())
        return True

    def _merge_output(self, item: Output) -> bool:
        # Joining at each write would copy what is there again and again.
        length = weight(item)
        if self.size - OVERHEAD + length > MAX_BATCH:
            return False
        self.size += length
        self._chunks.extend(item.chunks)
        self._unjoined += len(item.chunks)
        if self._unjoined >= MANY_PARTS:
            self._chunks, self._unjoined = joined(self._chunks), 0
        return True
