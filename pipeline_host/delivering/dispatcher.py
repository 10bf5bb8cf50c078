"""The dispatcher of one worker.

One greenlet writes, one notices what arrives, one keeps time, and one looks whether all are there.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Hashable
from typing import Any, Final

import gevent
import gevent.event
import gevent.monkey

from pipeline_host.delivering.connection import Connection, Manner
from pipeline_host.delivering.source import Source
from pipeline_host.delivering.topics import Subscription, Topic
from pipeline_host.vanishing import LOOK, Doubt, silence

log: Final = logging.getLogger(__name__)

SLICE: Final = 0.005
"""Seconds of work after which everybody else in the worker has a turn."""
_LINGER: Final = 0.5
_READ: Final = 1
_EVENTS: Final = 512
_GLANCE: Final = 0.01
_NEVER: Final = float("inf")


class Turns:
    """Divides the work of one greenlet into slices, so that the rest of the worker goes on.

    After each slice the event loop polls once. (``gevent.sleep(0)`` may come back without a poll,
    so that requests would wait; a short sleep lasts a millisecond.)
    """

    def __init__(self) -> None:
        self._always = os.eventfd(1, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._hub = gevent.get_hub()
        self._watcher = self._hub.loop.io(self._always, _READ)
        self._end = 0.0

    def begin(self) -> None:
        self._end = time.monotonic() + SLICE

    def pause(self) -> None:
        """Let the others run, if the slice is over."""
        if time.monotonic() >= self._end:
            self._hub.wait(self._watcher)
            self.begin()

    def close(self) -> None:
        self._watcher.stop()
        self._watcher.close()
        os.close(self._always)


class Dispatcher:
    """Serves all connections that were handed over in this worker.

    Attributes:
        connections: by descriptor; what isn't in here is nobody's any more.
        lag: seconds from the last doorbell until its followers were served.
    """

    def __init__(self) -> None:
        self.connections: dict[int, Connection] = {}
        self.lag = 0.0
        self._look_at = _NEVER
        self._topics: dict[Hashable, Topic] = {}
        self._queue: deque[Topic] = deque()
        self._bell = gevent.event.Event()
        self._beats = gevent.event.Event()
        self._lingering: deque[tuple[float, Connection]] = deque()
        # gevent takes epoll away, since waiting on it would block; this one is only polled.
        self._epoll: select.epoll = gevent.monkey.get_original("select", "epoll")()
        self._anybody = gevent.event.Event()
        runs: list[Callable[[Turns], None]] = [
            self._write,
            self._notice,
            self._keep_time,
            self._look_after_all,
        ]
        self._turns = [Turns() for _ in runs]
        self._greenlets = [
            gevent.spawn(run, turns) for run, turns in zip(runs, self._turns, strict=True)
        ]

    def add(
        self,
        sock: socket.socket,
        manner: Manner,
        receive: Callable[[bytes], None] | None,
        on_close: Callable[[], None] | None,
    ) -> Connection:
        connection = Connection(sock, self, manner, receive, on_close)
        self._epoll.register(sock.fileno(), _mask(connection, False))
        self.connections[sock.fileno()] = connection
        self._anybody.set()
        if manner.heartbeat_seconds:
            self._look_by(connection.sent_at + manner.heartbeat_seconds)
        return connection

    def soon(self, do: Callable[[bytes], None], data: bytes) -> None:
        """Do something once whoever takes a connection is ready for it."""
        gevent.spawn(do, data)

    def drain(self) -> None:
        """End all connections in good order, as far as their clients take it."""
        for connection in tuple(self.connections.values()):
            connection.close(connection.farewell)

    def wait_empty(self, seconds: float) -> bool:
        """Wait until no connection is left, at most so long; whether that is so."""
        end = time.monotonic() + seconds
        while self.connections and time.monotonic() < end:
            gevent.sleep(_GLANCE)
        return not self.connections

    def close(self) -> None:
        for connection in tuple(self.connections.values()):
            connection.drop()
        gevent.killall(self._greenlets)
        for turns in self._turns:
            turns.close()
        self._epoll.close()

    # What a connection asks of its keeper.

    def watch_writing(self, connection: Connection, wanted: bool) -> None:
        self._epoll.modify(connection.socket.fileno(), _mask(connection, wanted))

    def linger(self, connection: Connection) -> None:
        end = time.monotonic() + _LINGER
        self._lingering.append((end, connection))
        self._look_by(end)

    def _look_by(self, due: float) -> None:
        if due < self._look_at:
            self._beats.set()

    def release(self, connection: Connection) -> None:
        """Before its socket is closed, as the number may be another's right after."""
        number = connection.socket.fileno()
        del self.connections[number]
        self._epoll.unregister(number)

    def join(self, subscription: Subscription, source: Source, cursor: Any) -> None:
        key = source.key
        topic = self._topics.get(key)
        if topic is None:
            new = Topic(source, self)
            new.unwatch = source.watch(new.ring)
            topic = self._topics.setdefault(key, new)
            if topic is not new:  # another one was faster while the watch began
                new.unwatch()
        connection = subscription.connection
        if not connection.closed:
            connection.subscriptions.append(subscription)
            topic.join(subscription, cursor)
        elif topic.is_idle:
            self.forget(topic)

    # What a topic asks of those who keep it.

    def serve_soon(self, topic: Topic) -> None:
        self._queue.append(topic)
        self._bell.set()

    def forget(self, topic: Topic) -> None:
        if self._topics.get(topic.source.key) is topic:
            del self._topics[topic.source.key]
            if topic.unwatch is not None:
                topic.unwatch()

    # The greenlets.

    def _write(self, turns: Turns) -> None:
        while True:
            self._bell.wait()
            self._bell.clear()
            turns.begin()
            while self._queue:
                self._serve(self._queue.popleft(), turns)

    def _serve(self, topic: Topic, turns: Turns) -> None:
        rung_at = topic.rung_at
        try:
            topic.serve(turns.pause)
        except Exception:
            log.exception("Error in serving %s", topic.source.key)
        self.lag = time.monotonic() - rung_at
        turns.pause()

    def _notice(self, turns: Turns) -> None:
        hub = gevent.get_hub()
        watcher = hub.loop.io(self._epoll.fileno(), _READ)
        try:
            while True:
                hub.wait(watcher)
                turns.begin()
                self._handle_all(turns)
        finally:
            watcher.stop()
            watcher.close()

    def _handle_all(self, turns: Turns) -> None:
        # Looked up at once: a number may be closed and reused while others are handled.
        found = [
            (self.connections.get(number), events)
            for number, events in self._epoll.poll(0, _EVENTS)
        ]
        for connection, events in found:
            if connection is None or connection.socket.fileno() < 0:
                continue
            try:
                _handle(connection, events)
            except Exception:
                log.exception("Error in handling a connection")
            turns.pause()

    def _keep_time(self, turns: Turns) -> None:
        while True:
            turns.begin()
            now = time.monotonic()
            end = self._end_lingering(now)
            beat, shortest = self._beat(now, turns)
            # All are looked at no more often than it takes to be punctual.
            self._look_at = min(max(beat, now + shortest / 16), max(end, now + _GLANCE))
            seconds = max(self._look_at - time.monotonic(), 0)
            self._beats.wait(None if self._look_at == _NEVER else seconds)
            self._beats.clear()

    def _beat(self, now: float, turns: Turns) -> tuple[float, float]:
        """Break every silence; returns when the next one is due, and the shortest that may be."""
        due = shortest = _NEVER
        for connection in tuple(self.connections.values()):
            again = connection.pulse(now)
            if again is not None:
                due = min(due, again)
                shortest = min(shortest, connection.heartbeat_seconds)
                turns.pause()
        return due, shortest

    def _end_lingering(self, now: float) -> float:
        while self._lingering:
            end, connection = self._lingering[0]
            if end > now:
                return end
            self._lingering.popleft()
            connection.drop()
        return _NEVER

    def _look_after_all(self, turns: Turns) -> None:
        """End the connections whose clients have vanished, or have taken the last of it."""
        doubts: dict[Connection, Doubt] = {}
        while True:
            if not self.connections:
                self._anybody.clear()
                self._anybody.wait()
            gevent.sleep(LOOK)
            turns.begin()
            doubts = self._look_once(doubts, turns)

    def _look_once(self, before: dict[Connection, Doubt], turns: Turns) -> dict[Connection, Doubt]:
        """Look at each; returns what is doubted now. (A call of its own, so that none is held.)"""
        doubts = {}
        for connection in tuple(self.connections.values()):
            if doubt := _look_after(connection, before.get(connection)):
                doubts[connection] = doubt
            turns.pause()
        return doubts


def _look_after(connection: Connection, doubt: Doubt | None) -> Doubt | None:
    """Look whether a client is still there; the doubt that is left."""
    if connection.socket.fileno() < 0:
        return None
    try:
        connection.end_if_taken()
        silent = silence(connection.socket)
    except OSError:  # closed, or broken, which is noticed in its turn
        return None
    if silent is None:
        return None
    doubt = doubt or Doubt()
    if doubt.look(silent):
        connection.drop()
        return None
    return doubt


def _mask(connection: Connection, writing: bool) -> int:
    reading = select.EPOLLRDHUP if connection.receive is None else select.EPOLLIN
    return reading | (select.EPOLLOUT if writing else 0)


def _handle(connection: Connection, events: int) -> None:
    if connection.receive is None:
        if events & ~select.EPOLLOUT:
            connection.drop()
            return
    elif events & ~select.EPOLLOUT:
        connection.take_in()
    if events & select.EPOLLOUT and connection.socket.fileno() >= 0:
        connection.flush()
