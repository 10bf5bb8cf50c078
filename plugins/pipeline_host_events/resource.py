"""``/api/events``: what happens to processes, live."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import falcon

from pipeline_host.change_source import ChangeLog, ChangeSource
from pipeline_host.delivery import stream_head
from pipeline_host.errors import InvalidInput, PipelineHostError
from pipeline_host.host import Host
from pipeline_host_events.frames import HEARTBEAT, OPENING, Frames
from pipeline_host_events.openapi import EVENTS
from pipeline_host_events.stream import EventStream

PATH: Final = "/api/events"
HEADERS: Final = (
    ("Content-Type", "text/event-stream"),
    ("Cache-Control", "no-cache"),
    ("X-Accel-Buffering", "no"),
)


class EventsResource:
    """Server-Sent Events (HTML standard, 9.2): each change of a process as it is made."""

    openapi: ClassVar[Mapping[str, Any]] = EVENTS

    def __init__(self, host: Host) -> None:
        self._host = host
        self._frames = frames = Frames(host.store.epoch)
        self._changes = ChangeLog(host.store, "events", frames.change, frames.resync)

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        given = req.get_header("Last-Event-ID") or _param(req, "lastEventId")
        source = self._changes.source(_param(req, "workspace"))
        first, cursor = self._begin(given)
        opening = OPENING + first
        if req.method != "GET" or not self._take(req, opening, source, cursor):
            resp.set_headers(HEADERS)
            resp.stream = EventStream(self._host, req.env, opening, source, cursor)

    def _take(self, req: falcon.Request, opening: bytes, source: ChangeSource, cursor: int) -> bool:
        """Answer by delivery, without a greenlet for each client, if the server allows."""
        connection = self._host.delivery.take(
            req.env,
            stream_head(HEADERS) + opening,
            heartbeat=HEARTBEAT,
            heartbeat_seconds=self._host.settings.heartbeat,
        )
        if connection is None:
            return False
        try:
            connection.follow(source, cursor)
        except PipelineHostError:
            connection.close()
            raise
        return True

    def _begin(self, given: str | None) -> tuple[bytes, int]:
        """The first event, if any, and the number of the change after which the stream begins.

        A cursor of these data that is too old or from the future is told apart when the change
        log is read from there.
        """
        if given:
            seq = self._frames.parse(given)
            if seq is not None:
                return b"", seq
        newest = self._changes.newest()
        return (self._frames.resync if given else self._frames.welcome)(newest), newest


def _param(req: falcon.Request, name: str) -> str | None:
    """A parameter of the query; empty counts as not given."""
    values = req.get_param_as_list(name) or []
    if len(values) > 1:
        raise InvalidInput.field(name, "one value, but it is given twice")
    return values[0] or None if values else None
