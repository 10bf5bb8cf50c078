"""Reading a process's output once for all in this worker who follow it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Literal, NamedTuple, TypeAlias

from msgspec.structs import replace

from pipeline_host.errors import NotFound
from pipeline_host.following import advance
from pipeline_host.live import LiveStore
from pipeline_host_sse.frames import Frames, StatusData

CACHE_SIZE: Final = 8 * 1024 * 1024

Key: TypeAlias = tuple[str, int, int]
State: TypeAlias = Literal["open", "ended", "removed"]


class Piece(NamedTuple):
    """What follows an offset: events and the offset after them; without any, how it stands."""

    events: bytes
    offset: int
    state: State = "open"


class PieceCache:
    """The pieces used last, by process, incarnation and offset: at most ``size`` bytes of events.

    Output is only ever added to, so that a piece stays true.
    """

    def __init__(self, size: int = CACHE_SIZE) -> None:
        self._size = size
        self._used = 0
        self._lock = threading.Lock()
        self._pieces: OrderedDict[Key, Piece] = OrderedDict()

    @property
    def used(self) -> int:
        """The bytes of events that it holds."""
        return self._used

    def get(self, key: Key) -> Piece | None:
        with self._lock:
            piece = self._pieces.get(key)
            if piece is not None:
                self._pieces.move_to_end(key)
            return piece

    def put(self, key: Key, piece: Piece) -> None:
        with self._lock:
            old = self._pieces.pop(key, None)
            self._pieces[key] = piece
            self._used += len(piece.events) - (len(old.events) if old else 0)
            while self._used > self._size:
                _, dropped = self._pieces.popitem(last=False)
                self._used -= len(dropped.events)


class Channel:
    """One process's output, for one or many followers that are each at a place of their own."""

    def __init__(
        self,
        store: LiveStore,
        process_id: str,
        incarnation: int,
        cache: PieceCache,
        *,
        times: bool = False,
    ) -> None:
        self._store = store
        self._process_id = process_id
        self._incarnation = incarnation
        self._cache = cache
        self.frames = Frames(store.epoch, incarnation, times=times)
        self.followers: dict[object, Callable[[], None]] = {}
        self._lock = threading.Lock()
        self._rung = False
        self._rings = 0
        self._ended: tuple[int, StatusData] | None = None
        self._tail: Piece | None = None
        self._watch = store.watch_output(process_id, self._ring)

    def read(self, offset: int) -> Piece:
        """What follows ``offset``, in a piece of moderate size.

        Raises:
            PipelineHostError: the output can't be read now.
        """
        key = (self._process_id, self._incarnation, offset)
        with self._lock:
            cached = self._cache.get(key)
            if cached is not None:
                return cached
            if self._rung:
                self._rung, self._tail = False, None
            if self._tail is not None and self._tail.offset == offset:
                return self._tail
            piece = self._read(offset)
            if not piece.events:
                self._tail = piece
            elif len(self.followers) > 1:
                self._cache.put(key, piece)
            return piece

    def ending(self, seen: StatusData) -> StatusData:
        """How the process ended; ``seen`` is how it was found earlier.

        Raises:
            PipelineHostError: the store can't be read now.
        """
        rings = self._rings
        if self._ended is not None and self._ended[0] == rings:
            return self._ended[1]  # as many may ask at once
        try:
            process = self._store.get(self._process_id)
            if self._store.read_output(self._process_id, 0, 1).incarnation == self._incarnation:
                self._ended = rings, StatusData.of(process)
                return self._ended[1]
        except NotFound:
            pass
        status = self._watch.last_status(seen.status)
        last = seen if seen.status == status else StatusData(status=status)
        return replace(last, removed=True)

    def close(self) -> None:
        self._watch()

    def _ring(self) -> None:
        self._rung = True
        self._rings += 1
        for wake in tuple(self.followers.values()):
            wake()

    def _read(self, offset: int) -> Piece:
        try:
            batch = self._store.read_output(self._process_id, offset)
        except NotFound:
            return Piece(b"", offset, "removed")
        if batch.incarnation != self._incarnation:
            return Piece(b"", offset, "removed")
        events, end = advance(self.frames, offset, batch)
        if end > offset:
            return Piece(events, end)
        return Piece(b"", offset, "ended" if batch.sealed else "open")


class Channels:
    """The channels of one worker: opened with the first follower, closed with the last.

    Args:
        times: whether their events tell when each piece of output was written.
    """

    def __init__(self, store: LiveStore, *, times: bool = False) -> None:
        self.times = times
        self._store = store
        self._cache = PieceCache()
        self._lock = threading.Lock()
        self._channels: dict[tuple[str, int], Channel] = {}

    def __len__(self) -> int:
        return len(self._channels)

    def opened(self, process_id: str, incarnation: int) -> Channel:
        """The channel that somebody follows."""
        return self._channels[(process_id, incarnation)]

    @contextmanager
    def join(
        self, process_id: str, incarnation: int, wake: Callable[[], None]
    ) -> Iterator[Channel]:
        """Follow a process: ``wake`` is called whenever there may be more to read.

        Raises:
            StoreUnavailable: the store can't be read now.
        """
        name, follower = (process_id, incarnation), object()
        with self._lock:
            channel = self._channels.get(name)
            if channel is None:
                channel = Channel(
                    self._store, process_id, incarnation, self._cache, times=self.times
                )
                self._channels[name] = channel
            channel.followers[follower] = wake
        try:
            yield channel
        finally:
            with self._lock:
                del channel.followers[follower]
                if not channel.followers:
                    del self._channels[name]
            if not channel.followers:
                channel.close()
