"""The bounded queue of what waits to be sent. Pure: no I/O, no threads, no clock."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Final

from pipeline_host.client.entry import OVERHEAD, Entry, Shelf
from pipeline_host.client.items import (
    Cancel,
    Create,
    Item,
    Output,
    Remove,
    is_end,
    lane,
    overtakes,
    weight,
)

MAX_QUEUE: Final = 500
MAX_BYTES: Final = 128 * 1024 * 1024
MEMORY_LIMIT: Final = 64 * 1024 * 1024

NEAR: Final = 64
"""How many entries an item may overtake to be merged into one."""

FULL: Final = "the queue was full, and this was the oldest in it that could be left out"
UNCREATED: Final = "the queue was full, and the creation of its process was left out"


@dataclass(frozen=True, slots=True)
class Put:
    """What became of an item.

    Attributes:
        entry: where it is now; None where nothing has to be sent.
        new: the entry was made for it.
        needless: entries that need not be sent any more, since their process is to be removed.
        lost: entries that were dropped because the queue was full, each with the reason.
    """

    entry: Entry | None
    new: bool
    needless: tuple[Entry, ...] = ()
    lost: tuple[tuple[Entry, str], ...] = ()


class Outbox:
    """First in, first out, and in order for each process; neighbours of one process are merged.

    Output and updates that leave the status alone count as neighbours across one another.
    What is on its way is frozen: nothing is merged into it, and it is never the one dropped.

    Args:
        max_items: how many entries may wait; None for no limit.
        max_bytes: how much they may take; None for no limit.
        shelf: where output goes when more than ``memory_limit`` bytes wait in memory.
    """

    def __init__(
        self,
        max_items: int | None = MAX_QUEUE,
        max_bytes: int | None = MAX_BYTES,
        shelf: Shelf | None = None,
        memory_limit: int | None = None,
    ) -> None:
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._shelf = shelf
        self._memory_limit = MEMORY_LIMIT if memory_limit is None else memory_limit
        self._all: OrderedDict[int, Entry] = OrderedDict()
        self._lanes: dict[str, deque[Entry]] = {}
        self._next = 0
        self.in_memory = 0
        """How much of it waits in memory, in bytes, about."""
        self.bytes = 0
        """How much waits, in bytes, about."""

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._all.values())

    def waits(self, name: str) -> bool:
        """Whether anything of this lane waits."""
        return name in self._lanes

    def begins_anew(self, name: str) -> bool:
        """Whether a creation or a removal waits in this lane, so that what follows is another's."""
        return any(isinstance(e.first, Create | Remove) for e in self._lanes.get(name, ()))

    def output_bytes(self) -> int:
        """How much output waits, in bytes."""
        outputs = (entry for entry in self._all.values() if isinstance(entry.first, Output))
        return sum(entry.size - OVERHEAD for entry in outputs)

    def put(self, item: Item) -> Put:
        """Add an item."""
        needless: tuple[Entry, ...] = ()
        if isinstance(item, Remove):
            needless, unknown = self._supersede(item)
            if unknown:
                return Put(None, False, needless)
        last = self._neighbour(item)
        before = last.size if last else 0
        if last is not None and last.merge(item):
            self._resize(last.size - before)
            return Put(last, False, needless, self._make_room())
        if last is not None:
            self._relieve(last)
        entry = self._append(item)
        return Put(entry, True, needless, self._make_room(entry))

    def restore(self, parts: Sequence[Item], *, frozen: bool, offset: int | None) -> Entry:
        """Add an entry that was merged of these; nothing is dropped for it, see :meth:`trim`.

        Raises:
            ValueError: they can't have been merged.
        """
        last = self._neighbour(parts[0])
        if last is not None:
            self._relieve(last)
        entry = self._append(parts[0])
        before = entry.size
        if not all(entry.merge(part) for part in parts[1:]):
            self.settle(entry)
            raise ValueError(f"{parts!r} can't be one request")
        self._resize(entry.size - before)
        entry.frozen, entry.offset = frozen, offset
        return entry

    def trim(self) -> tuple[tuple[Entry, str], ...]:
        """Drop what is too much; each entry with the reason."""
        return self._make_room()

    def take(self, blocked: Container[str] = ()) -> Entry | None:
        """The oldest entry that may be sent now, frozen from now on; None where there is none.

        It stays until it is settled. The next ones of its lane have to wait for that.

        Args:
            blocked: lanes that can't be sent now, such as those of which one is on its way.
        """
        for entry in self._all.values():
            if entry.lane not in blocked and self._lanes[entry.lane][0] is entry:
                if entry.shelved:
                    self.in_memory += entry.size
                entry.freeze()
                return entry
        return None

    def settle(self, entry: Entry) -> None:
        """Forget an entry that was sent or dropped; nothing happens if it is no longer here."""
        if self._all.pop(entry.number, None) is None:
            return
        entries = self._lanes[entry.lane]
        entries.remove(entry)
        if not entries:
            del self._lanes[entry.lane]
        self.bytes -= entry.size
        if entry.shelved:
            entry.item  # noqa: B018  # so that the shelf has it back
        else:
            self.in_memory -= entry.size

    def orphans(self, name: str) -> tuple[Entry, ...]:
        """Take out what waits in a lane for a process that there won't be, and return it.

        That is everything up to the process's removal or another creation.
        """
        found = []
        for entry in tuple(self._lanes.get(name, ())):
            if entry.frozen:
                continue
            if isinstance(entry.first, Create | Remove):
                break
            found.append(entry)
            self.settle(entry)
        return tuple(found)

    def _append(self, item: Item) -> Entry:
        entry = Entry(lane(item), self._next, item, weight(item) + OVERHEAD)
        self._next += 1
        self._all[entry.number] = entry
        self._lanes.setdefault(entry.lane, deque()).append(entry)
        self._resize(entry.size)
        return entry

    def _neighbour(self, item: Item) -> Entry | None:
        """The last of its lane, but for what it may overtake; None where there is none near."""
        entries = islice(reversed(self._lanes.get(lane(item), ())), NEAR)
        return next((each for each in entries if not overtakes(item, each.first)), None)

    def _resize(self, difference: int) -> None:
        self.bytes += difference
        self.in_memory += difference

    def _relieve(self, entry: Entry) -> None:
        """Move an entry's output out of memory, where that is short; nothing can join it then."""
        short = self._shelf is not None and self.in_memory > self._memory_limit
        if short and self._shelf is not None and entry.shelve(self._shelf):
            self.in_memory -= entry.size

    def _supersede(self, item: Remove) -> tuple[tuple[Entry, ...], bool]:
        """Take out what waits for a process that is to be removed.

        Returns:
            What was taken out, and whether no server can know the process.
        """
        entries = tuple(self._lanes.get(lane(item), ()))
        waiting = [entry for entry in entries if not entry.frozen]
        creates = [entry.first for entry in waiting if isinstance(entry.first, Create)]
        # Whoever runs the process has to be told of a cancel, also where nobody will see it.
        needless = tuple(e for e in waiting if creates or not isinstance(e.first, Cancel))
        for entry in needless:
            self.settle(entry)
        sent = len(waiting) < len(entries) or any(isinstance(e.first, Remove) for e in waiting)
        return needless, not sent and any(create.fresh for create in creates)

    def _make_room(self, new: Entry | None = None) -> tuple[tuple[Entry, str], ...]:
        """Drop what is too much; ``new`` was just put, and is no older than anything."""
        lost: list[tuple[Entry, str]] = []
        while self._too_much() and (oldest := self._oldest_waiting()) is not None:
            victim = self._first_after(oldest, new) or oldest
            self.settle(victim)
            lost.append((victim, FULL))
            if isinstance(victim.first, Create):
                lost.extend((orphan, UNCREATED) for orphan in self.orphans(victim.lane))
        return tuple(lost)

    def _too_much(self) -> bool:
        return (self._max_items is not None and len(self._all) > self._max_items) or (
            self._max_bytes is not None and self.bytes > self._max_bytes
        )

    def _oldest_waiting(self) -> Entry | None:
        return next((entry for entry in self._all.values() if not entry.frozen), None)

    def _first_after(self, entry: Entry, new: Entry | None) -> Entry | None:
        """What may go before the creation of its process, without which it is of no use.

        That is not its end: a process that was created would be running for ever.
        """
        if not isinstance(entry.first, Create):
            return None
        entries = self._lanes[entry.lane]
        following = islice(entries, entries.index(entry) + 1, None)
        its = takewhile(lambda each: not isinstance(each.first, Create | Remove), following)
        return next((each for each in its if each is not new and not is_end(each.first)), None)
