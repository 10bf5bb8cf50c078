"""What a client is told of changes: what it asked for, or everything where it said nothing."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline_host_websocket.session import Session

from .frames_of_clients import text

NEWEST = 7


class Connection:
    """A connection on which ``unread`` has arrived already."""

    def __init__(self, unread: bytes) -> None:
        self.closed = False
        self.followed: list[tuple[str | None, int]] = []
        self._unread = unread
        self.session: Any = None

    def send(self, frame: bytes) -> None:
        pass

    def take_in(self) -> None:
        if self._unread:
            self.session.receive(self._unread)

    def follow(self, source: str | None, cursor: int) -> Any:
        self.followed.append((source, cursor))
        return SimpleNamespace(cursor=cursor, cancel=lambda: None)


@pytest.fixture
def hub() -> Any:
    changes = SimpleNamespace(newest=lambda: NEWEST, source=lambda workspace: workspace)
    clock = SimpleNamespace(add=lambda session: None, discard=lambda session: None)
    return SimpleNamespace(changes=changes, clock=clock)


def started(hub: Any, unread: bytes) -> list[tuple[str | None, int]]:
    """What a client follows once the time in which it could say what it wants is over."""
    connection: Any = Connection(unread)
    connection.session = Session(hub)
    connection.session.open(connection)
    connection.session.start()
    connection.session.closed()
    return list(connection.followed)


def test_one_that_said_nothing_is_told_everything_since_it_came(hub: Any) -> None:
    assert started(hub, b"") == [(None, NEWEST)]


def test_what_has_arrived_counts_though_it_is_read_late(hub: Any) -> None:
    said = text(json.dumps({"type": "subscribe", "workspaceId": "w", "since": 3}))
    assert started(hub, said) == [("w", 3)]
