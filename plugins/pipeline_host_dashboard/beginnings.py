"""When processes stopped waiting: known from the change log alone, as far back as it goes.

A process tells when it was started and when it ended. That it was queued until a moment between the
two is a change, and changes are kept for a while.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from pipeline_host.models import Change
from pipeline_host.store import ProcessStore

KEPT: Final = 50_000


class Beginnings:
    """Reads on in the change log when it is asked; safe for threads and greenlets.

    Args:
        store: whose changes are read.
        kept: for how many processes the moment is kept; the oldest is dropped first.
    """

    def __init__(self, store: ProcessStore, kept: int = KEPT) -> None:
        self._store = store
        self._kept = kept
        self._lock = threading.Lock()
        self._seq: int | None = None
        self._queued: set[str] = set()
        self._began: OrderedDict[str, int] = OrderedDict()

    def read(self) -> tuple[Mapping[str, int], int]:
        """Until when each process waited that was seen to wait, in milliseconds since 1970.

        Then it began to run, or was cancelled. Beside it the number of the last change read.
        """
        with self._lock:
            seq = oldest_known(self._store) if self._seq is None else self._seq
            while True:
                batch = self._store.changes(seq)
                if batch.resync:
                    seq = oldest_known(self._store)
                    continue
                for change in batch.changes:
                    self._take(change)
                    seq = change.seq
                self._seq = seq
                if not batch.changes:
                    return self._began, seq

    def _take(self, change: Change) -> None:
        for removed in change.removed:
            self._queued.discard(removed.id)
            self._began.pop(removed.id, None)
        process = change.process
        if process is None:
            return
        if process.status == "queued":
            self._queued.add(process.id)
        elif process.id in self._queued:
            self._queued.discard(process.id)
            if process.status in ("running", "cancelled"):
                self._began[process.id] = change.timestamp
                if len(self._began) > self._kept:
                    self._began.popitem(last=False)


def oldest_known(store: ProcessStore) -> int:
    """The smallest number after which a store still knows every change."""
    low, high = 0, store.changes(0, 1).last
    while low < high:
        middle = (low + high) // 2
        if store.changes(middle, 1).resync:
            low = middle + 1
        else:
            high = middle
    return low
