"""A reader of ``/api/events`` for tests: strict where the standard is lenient."""

from __future__ import annotations

import http.client
import json
import socket
import struct
from collections.abc import Iterator
from itertools import islice
from types import TracebackType
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

TIMEOUT: Final = 20.0


class Event(NamedTuple):
    id: str
    name: str
    data: Any


class Events:
    """One connection to ``/api/events``; iterating gives the events, without heartbeats.

    Args:
        after: sent as the header ``Last-Event-ID``.
        query: parameters of the URL.
    """

    def __init__(self, port: int, after: str = "", *, method: str = "GET", **query: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
        resume = f"Last-Event-ID: {after}\r\n" if after else ""
        self.socket.sendall(
            f"{method} /api/events?{urlencode(query)} HTTP/1.1\r\n"
            f"Host: localhost\r\n{resume}\r\n".encode("latin-1")
        )
        self._response = http.client.HTTPResponse(self.socket, method=method)
        self._response.begin()
        self.status = self._response.status
        self.headers = {name.lower(): value for name, value in self._response.getheaders()}
        self._events = self.all()

    def lines(self) -> Iterator[str]:
        """All lines, as they come, up to the end of the response."""
        while line := self._response.readline():
            assert line.endswith(b"\n"), line
            assert b"\r" not in line, line
            yield line[:-1].decode()

    def all(self) -> Iterator[Event]:
        """All events, heartbeats too."""
        fields: dict[str, str] = {}
        for line in self.lines():
            if line.startswith(":"):
                continue
            if line:
                name, _, value = line.partition(": ")
                assert name in ("id", "event", "data"), line
                assert name not in fields, line
                fields[name] = value
            elif fields:
                event = Event(fields.get("id", ""), fields["event"], json.loads(fields["data"]))
                assert bool(event.id) == (event.name != "heartbeat"), event
                yield event
                fields = {}
        assert not fields, f"cut off in the middle of an event: {fields}"

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        return next(event for event in self._events if event.name != "heartbeat")

    def take(self, count: int) -> list[Event]:
        taken = list(islice(self, count))
        assert len(taken) == count, f"ended after {taken}"
        return taken

    def take_if_open(self) -> list[Event]:
        """The next event; none if the connection ended, however it did."""
        try:
            return list(islice(self, 1))
        except OSError:
            return []

    def read(self) -> bytes:
        """The whole body of an answer that ends."""
        return self._response.read()

    def close(self) -> None:
        self._response.close()
        self.socket.close()

    def reset(self) -> None:
        """Break the connection, so that the server gets an error instead of an end."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def __enter__(self) -> Events:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def subject_of(event: Event) -> str:
    """What happened to what, in short: ``added a``, ``updated a completed``, ``cleared a b``."""
    data = event.data
    match event.name:
        case "process-added":
            return f"added {data['process']['id']}"
        case "process-updated":
            return f"updated {data['process']['id']} {data['process']['status']}"
        case "process-removed":
            return f"removed {data['processId']}"
        case "processes-cleared":
            return " ".join(["cleared", *sorted(data["processIds"])])
        case "workspace-registered":
            return f"registered {data['workspace']['id']}"
    return event.name
