"""A reader of event streams for tests: strict where the standard is lenient."""

from __future__ import annotations

import http.client
import json
import socket
import struct
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final, NamedTuple
from urllib.parse import quote

TIMEOUT: Final = 20.0


class Event(NamedTuple):
    id: str
    name: str
    data: Any


class Stream:
    """One connection to ``/api/processes/{id}/stream``.

    Args:
        last_event_id: sent as the header of that name.
        query: of the URL.
    """

    def __init__(
        self,
        port: int,
        process_id: str,
        last_event_id: str = "",
        query: str = "",
        method: str = "GET",
    ) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
        path = f"/api/processes/{quote(process_id, safe='')}/stream{query and '?' + query}"
        resume = f"Last-Event-ID: {last_event_id}\r\n" if last_event_id else ""
        self.socket.sendall(
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{resume}\r\n".encode("latin-1")
        )
        self._response = http.client.HTTPResponse(self.socket, method=method)
        self._response.begin()
        self.status = self._response.status
        self.headers = {name.lower(): value for name, value in self._response.getheaders()}

    def lines(self) -> Iterator[str]:
        """All lines, as they come, up to the end of the response."""
        while line := self._response.readline():
            assert line.endswith(b"\n"), line
            assert b"\r" not in line, line
            yield line[:-1].decode()

    def events(self, *, heartbeats: bool = False) -> Iterator[Event]:
        """All events, as they come, up to the end of the response."""
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
                if heartbeats or event.name != "heartbeat":
                    yield event
                fields = {}
        assert not fields, f"cut off in the middle of an event: {fields}"

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

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def text_of(events: list[Event]) -> str:
    return "".join(event.data["content"] for event in events if event.name == "chunk")


def names_of(events: list[Event]) -> list[str]:
    return [event.name for event in events]
