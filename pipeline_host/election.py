"""A place in the change log: one worker's own, or one that the worker keeps that leads all others.

A reader of the log asks :meth:`Place.claim` before it reads, and says with :meth:`Place.move` how
far it has come.
"""

from __future__ import annotations

import time
from typing import Final, Protocol

from pipeline_host.store import Lead, LeaderStore

KEEP_EVERY: Final = 1.0
"""At most so much of what was read is read again after a worker was killed, in seconds."""


class Place(Protocol):
    """How far a reader has come.

    Attributes:
        seq: the number of the last change that it is done with.
    """

    seq: int

    def claim(self) -> bool:
        """Whether this worker is the one to go on from here; makes it so where it can."""

    def move(self, seq: int) -> None:
        """Be done with the change of this number."""

    def keep(self, *, at_once: bool = False) -> float | None:
        """Save the place where it is time to; returns when to ask again, in seconds."""

    def leave(self) -> None:
        """Save the place, and let another worker go on."""


class OwnPlace:
    """One worker's own place, gone with the worker."""

    def __init__(self, seq: int) -> None:
        self.seq = seq

    def claim(self) -> bool:
        return True

    def move(self, seq: int) -> None:
        self.seq = seq

    def keep(self, *, at_once: bool = False) -> float | None:
        return None

    def leave(self) -> None:
        pass


class ElectedPlace:
    """The place that all workers have together, moved by the one that leads.

    Args:
        store: elects, and keeps the place.
        name: whose place it is.
        seq: where to begin if nobody ever did; the newest change number from before this worker
            answered any request, so that nothing that a client may have caused is left out.
    """

    def __init__(self, store: LeaderStore, name: str, seq: int) -> None:
        self.seq = seq
        self._store = store
        self._name = name
        self._lead: Lead | None = None
        self._kept = seq
        self._due = 0.0

    def claim(self) -> bool:
        """See :class:`Place`.

        Raises:
            StoreUnavailable: the store can't elect now, or its place can't be read.
        """
        if self._lead is not None and self._lead.held:
            return True
        self._lead = None
        lead = self._store.lead(self._name)
        if lead is None:
            return False
        try:
            self._take_over()
        except BaseException:
            lead.release()
            raise
        self._lead = lead
        return True

    def move(self, seq: int) -> None:
        self.seq = seq
        self.keep()

    def keep(self, *, at_once: bool = False) -> float | None:
        """See :class:`Place`.

        Raises:
            StoreUnavailable: it can't be saved now.
        """
        if self.seq == self._kept:
            return None
        now = time.monotonic()
        if now < self._due and not at_once:
            return self._due - now
        self._due = now + KEEP_EVERY
        self._store.save_cursor(self._name, self.seq)
        self._kept = self.seq
        return None

    def leave(self) -> None:
        lead, self._lead = self._lead, None
        if lead is None:
            return
        try:
            if lead.held:
                self.keep(at_once=True)
        finally:
            lead.release()

    def _take_over(self) -> None:
        seq = self._store.load_cursor(self._name)
        if seq is None:
            self._store.save_cursor(self._name, self.seq)
        else:
            self.seq = seq
        self._kept = self.seq
