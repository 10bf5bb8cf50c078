"""What was dropped and waits to be told, in little memory however much there is of it. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import replace
from typing import Final

from pipeline_host.client.items import Create, Drop, Item, Output, Register, Update, weight

MOST: Final = 1000
"""How many are kept one by one."""

REASONS: Final = 100
"""For so many reasons what has no room is told apart."""

VARIOUS: Final = "for various reasons"

HELD: Final = 1024 * 1024
"""How many bytes of what they say are kept."""


class Untold:
    """First in, first out; what has no room is put together with others like it, and counted.

    Args:
        most: beyond so many, all of one reason are one; beyond :data:`REASONS` more, all are one.
        held: beyond so many bytes, those of one process, kind and reason are one, without content.
    """

    def __init__(self, most: int = MOST, held: int = HELD) -> None:
        self._most = most
        self._room = held
        self._drops: OrderedDict[Hashable, tuple[Drop, int]] = OrderedDict()
        self._next = 0

    def put(self, drop: Drop) -> bool:
        """Keep one; whether there is one more to tell because of it.

        Its error loses its traceback: the frames there hold what the caller gave.
        """
        if drop.error is not None:
            _lighten(drop.error)
        key, kept, taken = self._placed(drop)
        known = self._drops.get(key)
        if known is not None:
            before = known[0]
            count, size = before.count + drop.count, before.output_bytes + drop.output_bytes
            whose = before.process_id if before.process_id == drop.process_id else None
            kept = replace(before, process_id=whose, count=count, output_bytes=size)
            taken = 0
        self._drops[key] = kept, taken
        self._room -= taken
        return known is None

    def pop(self) -> Drop:
        """The oldest.

        Raises:
            KeyError: there is none.
        """
        _, (drop, taken) = self._drops.popitem(last=False)
        self._room += taken
        return drop

    def _placed(self, drop: Drop) -> tuple[Hashable, Drop, int]:
        """What it is put together with, how it is kept, and what that takes."""
        if len(self._drops) >= self._most:
            one = replace(drop, item=None, error=None)
            if len(self._drops) < self._most + REASONS or one.reason in self._drops:
                return one.reason, one, 0
            return VARIOUS, replace(one, reason=VARIOUS), 0
        taken = 0 if drop.item is None else weight(drop.item)
        if drop.item is None or taken <= self._room or not self._drops:
            self._next += 1
            return self._next, drop, taken
        kind = drop.item.kind
        return (drop.process_id, kind, drop.reason), replace(drop, item=_bare(drop.item)), 0


def _lighten(error: Exception) -> None:
    error.__traceback__ = error.__context__ = error.__cause__ = None


def _bare(item: Item) -> Item:
    """What it was, without what it said."""
    match item:
        case Output():
            return replace(item, chunks=())
        case Update():
            return replace(item, changes={})
        case Create():
            return replace(item, process={})
        case Register():
            return replace(item, workspace={})
    return item
