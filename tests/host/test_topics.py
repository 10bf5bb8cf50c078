"""Where followers stand while a piece is on its way to many of them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Hashable
from contextlib import ExitStack
from typing import Any

from pipeline_host.delivering.connection import Connection, Manner
from pipeline_host.delivering.source import Reading, Source
from pipeline_host.delivering.topics import Subscription, Topic

COUNT = 100


class Once:
    """A source of one piece."""

    key: Hashable = "once"

    def read(self, cursor: int) -> Reading:
        return Reading(b"piece", 1, False) if cursor == 0 else Reading(b"", cursor, False)

    def watch(self, wake: Callable[[], None]) -> Callable[[], None]:
        return lambda: None


class Keeper:
    """Keeps one topic, and serves it when the test says so."""

    def __init__(self) -> None:
        self.topic = Topic(Once(), self)

    def join(self, subscription: Subscription, source: Source, cursor: Any) -> None:
        subscription.connection.subscriptions.append(subscription)
        self.topic.join(subscription, cursor)

    def serve_soon(self, topic: Topic) -> None: ...
    def forget(self, topic: Topic) -> None: ...
    def watch_writing(self, connection: Connection, wanted: bool) -> None: ...
    def linger(self, connection: Connection) -> None: ...
    def release(self, connection: Connection) -> None: ...


def test_one_whose_turn_is_still_to_come_stands_before_the_piece() -> None:
    """So that whoever stops to follow in the middle, and goes on elsewhere, misses nothing."""
    keeper = Keeper()
    seen: list[tuple[bool, int]] = []
    with ExitStack() as ending:
        pairs = [socket.socketpair() for _ in range(COUNT)]
        for pair in pairs:
            for one in pair:
                one.setblocking(False)
                ending.callback(one.close)
        connections = [Connection(ours, keeper, Manner(), None, None) for ours, _ in pairs]
        subscriptions = [one.follow(keeper.topic.source, 0) for one in connections]

        def pause() -> None:
            if seen:
                return
            for subscription, (_, theirs) in zip(subscriptions, pairs, strict=True):
                seen.append((has_got(theirs), subscription.cursor))
                subscription.cancel()
                assert subscription.cursor == seen[-1][1]

        keeper.topic.serve(pause)
    assert len(seen) == COUNT
    assert {got for got, _ in seen} == {True, False}
    assert all(got == (cursor == 1) for got, cursor in seen)


def has_got(sock: socket.socket) -> bool:
    try:
        return sock.recv(100) == b"piece"
    except BlockingIOError:
        return False
