"""The newest changes, in memory, for readers that come back with a change number. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pipeline_host.models import Change, ChangeBatch

WINDOW: Final = 10_000
TEXT_LIMIT: Final = 16 * 1024 * 1024


class ChangeWindow:
    """The changes above :attr:`floor`, one after the other without a gap.

    Args:
        size: how many are kept at least, if there are as many; at times it is up to twice that.
        text_limit: they may hold about this much text, in characters, before fewer are kept.
    """

    def __init__(self, size: int = WINDOW, text_limit: int = TEXT_LIMIT) -> None:
        self._size = size
        self._text_limit = text_limit
        self._changes: list[Change] = []
        self._text = 0
        self.floor = 0

    @property
    def newest(self) -> int:
        """The number of the newest change that is known here."""
        return self.floor + len(self._changes)

    def append(self, change: Change) -> None:
        """Add a change; where some before it are missing, all before it are forgotten."""
        if change.seq != self.newest + 1:
            self._forget(len(self._changes))
            self.floor = change.seq - 1
        self._changes.append(change)
        self._text += _text_of(change)
        if len(self._changes) > 2 * self._size:
            self._forget(len(self._changes) - self._size)
        while self._text > self._text_limit and len(self._changes) > 1:
            self._forget(len(self._changes) // 2)

    def tail(self, count: int) -> Sequence[Change]:
        """The newest ``count`` (at least 1) changes."""
        return self._changes[-count:]

    def after(self, seq: int, limit: int, last: int) -> ChangeBatch:
        """What :meth:`ProcessStore.changes` answers, where ``last`` is the newest number."""
        if seq == last:
            return ChangeBatch(changes=(), last=last)
        if not self.floor <= seq < last or self.newest != last:
            return ChangeBatch(changes=(), last=last, resync=True)
        start = seq - self.floor
        return ChangeBatch(changes=tuple(self._changes[start : start + limit]), last=last)

    def _forget(self, count: int) -> None:
        self._text -= sum(map(_text_of, self._changes[:count]))
        del self._changes[:count]
        self.floor += count


def _text_of(change: Change) -> int:
    if change.process is None:
        return sum(len(removed.id) for removed in change.removed)
    return len(change.process.prompt_preview) + len(change.process.error or "")
