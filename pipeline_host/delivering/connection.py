"""A client's connection that was handed over by the server: what waits for it, and its end."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from pipeline_host.delivering.source import Source
from pipeline_host.delivering.topics import Subscription
from pipeline_host.vanishing import unacknowledged

MOST_WAITING: Final = 256 * 1024
"""How many bytes of frames of its own may wait for a client that doesn't read."""
_READ_SIZE: Final = 64 * 1024
log: Final = logging.getLogger(__name__)


class Keeper(Protocol):
    """Who looks after connections, as far as a connection needs to know."""

    def watch_writing(self, connection: Connection, wanted: bool) -> None: ...

    def linger(self, connection: Connection) -> None: ...

    def release(self, connection: Connection) -> None: ...

    def join(self, subscription: Subscription, source: Source, cursor: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class Manner:
    """How a connection is to be treated; one for all connections of a kind.

    Attributes:
        farewell: sent last where the server ends the connection of its own accord.
        heartbeat: sent after ``heartbeat_seconds`` of silence; 0 for never.
    """

    farewell: bytes = b""
    heartbeat: bytes = b""
    heartbeat_seconds: float = 0


class Connection:
    """A client's socket that the dispatcher has taken over; see ``Delivery.take``.

    All that is sent arrives in order, and no frame inside another. To be used in the worker's own
    thread only.

    Attributes:
        closed: it is closed, or closing: nothing can be sent any more.
        socket: non-blocking; closed when the connection is gone.
        rest: what the kernel didn't take yet, from ``position`` on; ``None`` while it takes all.
        stalled: subscriptions that go on once ``rest`` is sent.
    """

    __slots__ = (
        "_frames",
        "_keeper",
        "_manner",
        "_on_close",
        "_position",
        "_waiting",
        "closed",
        "receive",
        "rest",
        "sent_at",
        "socket",
        "stalled",
        "subscriptions",
    )

    def __init__(
        self,
        sock: socket.socket,
        keeper: Keeper,
        manner: Manner,
        receive: Callable[[bytes], None] | None,
        on_close: Callable[[], None] | None,
    ) -> None:
        self.socket = sock
        self.receive = receive
        self.closed = False
        self.rest: bytes | None = None
        self.sent_at = time.monotonic()
        self.subscriptions: list[Subscription] = []
        self.stalled: list[Subscription] = []
        self._keeper = keeper
        self._manner = manner
        self._on_close = on_close
        self._position = 0
        self._frames: list[bytes] | None = None
        self._waiting = 0

    @property
    def farewell(self) -> bytes:
        return self._manner.farewell

    @property
    def heartbeat_seconds(self) -> float:
        return self._manner.heartbeat_seconds

    def follow(
        self,
        source: Source,
        cursor: Any,
        *,
        last: Callable[[], bytes] | None = None,
        then_close: bool = False,
    ) -> Subscription:
        """Send what ``source`` has after ``cursor``, now and as it is written.

        A client that doesn't read stands still at its cursor, and goes on from there.

        Args:
            last: makes what is sent when the source has ended.
            then_close: close the connection after that.

        Raises:
            PipelineHostError: the source can't be watched now.
        """
        subscription = Subscription(self, last, then_close=then_close)
        self._keeper.join(subscription, source, cursor)
        return subscription

    def send(self, frame: bytes) -> None:
        """Send a frame of this connection's own, as soon as may be.

        A client that lets more than :data:`MOST_WAITING` bytes of these wait is dropped.
        """
        if self.closed:
            return
        self._put(frame)
        if self._waiting > MOST_WAITING:
            self.drop()

    def close(self, final: bytes = b"") -> None:
        """Send what waits, then ``final``, then close; whatever comes later isn't sent."""
        if self.closed:
            return
        for subscription in tuple(self.subscriptions):
            subscription.cancel()
        self._put(final)
        if not self.closed:
            self.closed = True
            if self.rest is None:
                self._finish()

    def drop(self) -> None:
        """Close at once; what waits is lost. A second time nothing happens."""
        if self.socket.fileno() < 0:
            return
        self.closed = True
        self._keeper.release(self)
        self.socket.close()
        self.rest = self._frames = self.receive = None
        for subscription in tuple(self.subscriptions):
            subscription.cancel()
        on_close, self._on_close = self._on_close, None
        if on_close is not None:
            try:
                on_close()
            except Exception:
                log.exception("Error at the end of a connection")

    def pulse(self, now: float) -> float | None:
        """Break the silence if it has lasted; returns when to look again, if ever."""
        seconds = self._manner.heartbeat_seconds
        if not seconds or self.closed:
            return None
        if self.sent_at + seconds <= now:
            if self.rest is None:
                self._put(self._manner.heartbeat)
            self.sent_at = now
        return self.sent_at + seconds

    def hold(self, data: bytes, position: int) -> None:
        """Keep what the kernel didn't take, until it takes more."""
        self.rest, self._position = data, position
        self._keeper.watch_writing(self, True)

    def flush(self) -> None:
        """Send what waits, as far as the kernel takes it; then what stood still goes on."""
        while self.rest is not None:
            rest = self.rest
            try:
                self._position += self.socket.send(memoryview(rest)[self._position :])
            except BlockingIOError:
                return
            except OSError:
                self.drop()
                return
            if self._position < len(rest):
                return
            frames, self._frames = self._frames, None
            self.rest, self._position, self._waiting = b"".join(frames) if frames else None, 0, 0
        self._keeper.watch_writing(self, False)
        self.sent_at = time.monotonic()
        if self.closed:
            self._finish()
            return
        while self.stalled:
            self.stalled.pop().go_on()

    def take_in(self) -> None:
        """Read what has arrived, and hand it on; the client's end is the connection's."""
        try:
            data = self.socket.recv(_READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self.hand_on(data)
        else:
            self.drop()

    def hand_on(self, data: bytes) -> None:
        if self.receive is None or self.closed:
            return
        try:
            self.receive(data)
        except Exception:
            log.exception("Error in reading what a client sent")
            self.drop()

    def _put(self, data: bytes) -> None:
        if not data:
            return
        if self.rest is not None:
            self._frames = self._frames or []
            self._frames.append(data)
            self._waiting += len(data)
            return
        try:
            sent = self.socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            return  # it is broken, which is noticed in its turn: nobody here expects the end
        self.sent_at = time.monotonic()
        if sent < len(data):
            self.hold(data, sent)

    def end_if_taken(self) -> None:
        """Close a connection that is closing, once its client's kernel has all of it."""
        if self.closed and self.rest is None and self.receive is None and self._all_taken():
            self.drop()

    def _finish(self) -> None:
        """All is sent. Closing a socket with unread bytes would reset the connection, and the
        client might lose the end: so one that sends is given time to close first. What the
        client's kernel hasn't taken the system would give up minutes after the close: so one that
        pauses is waited for."""
        try:
            if self.receive is None:
                self._discard_received()
                if self._all_taken():
                    self.drop()
                    return
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.drop()
            return
        if self.receive is not None:
            self._keeper.linger(self)

    def _discard_received(self) -> None:
        try:
            while len(self.socket.recv(_READ_SIZE)) == _READ_SIZE:
                pass
        except BlockingIOError:
            pass

    def _all_taken(self) -> bool:
        try:
            return unacknowledged(self.socket) == 0
        except OSError:
            return True
