"""The change log as frames of a protocol: what is read and encoded once serves all who follow.

A protocol makes one :class:`ChangeLog` a worker and takes a source from it for each follower::

    log = ChangeLog(host.store, "events", encode=frames.change, resync=frames.resync)
    connection.follow(log.source(workspace), log.newest())
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final, TypeAlias

from pipeline_host.delivery import Reading
from pipeline_host.live import LiveStore
from pipeline_host.messages import matches
from pipeline_host.models import Change
from pipeline_host.store import READ_LIMIT, Unsubscribe

ChangeEncoder: TypeAlias = Callable[[Change], bytes]
ResyncEncoder: TypeAlias = Callable[[int], bytes]

_NEWEST: Final = 2**63 - 1
"""A change number above all: reading from there tells the newest, and nothing else."""
_BATCH: Final = 500
MEMO_SIZE: Final = 1024 * 1024


class ChangeLog:
    """All changes, as one protocol encodes them, for any number of followers in a worker.

    Args:
        protocol: names the encoding; no two logs in a worker have the same.
        encode: the whole frame that tells one change.
        resync: the whole frame which says that some changes up to a number (which it is given)
            are no longer known, so that the follower has to read the lists anew. Told to whoever
            asks for changes after a number that is too old, or that was never given out.
    """

    def __init__(
        self, store: LiveStore, protocol: str, encode: ChangeEncoder, resync: ResyncEncoder
    ) -> None:
        self.store = store
        self.protocol = protocol
        self._encode = encode
        self._resync = resync
        self._memo = _Memo(MEMO_SIZE)
        self._last = 0

    def newest(self) -> int:
        """The number of the newest change: whoever follows from there is told all that comes.

        Raises:
            StoreUnavailable: the change log can't be read now.
        """
        return self.store.changes(_NEWEST, 1).last

    def source(self, workspace: str | None = None) -> ChangeSource:
        """The changes that concern a workspace (``None``: all), to be followed."""
        return ChangeSource(self, workspace)

    def read(self, after: int, workspace: str | None) -> Reading:
        """See :meth:`ChangeSource.read`."""
        memorised = self._memo.get((workspace, after))
        if memorised is not None and self._is_whole(memorised):
            return memorised
        return self._read(after, workspace)

    def _is_whole(self, reading: Reading) -> bool:
        """Whether a reading made earlier is as long as it would be now."""
        return reading.cursor >= self._last or len(reading.data) >= READ_LIMIT

    def _read(self, after: int, workspace: str | None) -> Reading:
        cursor = min(after, _NEWEST)
        frames: list[bytes] = []
        size = 0
        while not frames:
            batch = self.store.changes(cursor, _BATCH)
            self._last = max(self._last, batch.last)
            if batch.resync:
                return Reading(self._resync(batch.last), batch.last, ended=False)
            for change in batch.changes:
                cursor = change.seq
                told = matches(change, workspace)
                if told is not None:
                    frames.append(self._encode(told))
                    size += len(frames[-1])
                if size >= READ_LIMIT:
                    break
            if not batch.changes or cursor >= batch.last:
                break
        reading = Reading(b"".join(frames), cursor, ended=False)
        if frames:
            self._memo.put((workspace, after), reading)
        return reading


@dataclass(frozen=True)
class ChangeSource:
    """A :class:`~pipeline_host.delivery.Source` of changes; its cursor is a change number."""

    log: ChangeLog
    workspace: str | None

    @property
    def key(self) -> Hashable:
        return ("changes", self.log.protocol, self.workspace)

    def read(self, cursor: int) -> Reading:
        """The frames of the changes after the number ``cursor``, in order, about 256 KiB at most.

        The cursor moves on with empty data where no change concerns the workspace.

        Raises:
            StoreUnavailable: the change log can't be read now.
        """
        return self.log.read(cursor, self.workspace)

    def watch(self, wake: Callable[[], None]) -> Unsubscribe:
        """See :meth:`pipeline_host.feed.Feed.watch_changes`."""
        return self.log.store.watch_changes(wake)


class _Memo:
    """The readings made last, by workspace and change number: about ``size`` bytes at most."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._used = 0
        self._lock = threading.Lock()
        self._readings: dict[tuple[str | None, int], Reading] = {}

    def get(self, key: tuple[str | None, int]) -> Reading | None:
        return self._readings.get(key)

    def put(self, key: tuple[str | None, int], reading: Reading) -> None:
        with self._lock:
            old = self._readings.pop(key, None)
            self._readings[key] = reading
            self._used += len(reading.data) - (len(old.data) if old else 0)
            while self._used > self._size:
                dropped = self._readings.pop(next(iter(self._readings)))
                self._used -= len(dropped.data)
