"""``/api/processes/{process_id}/stream``: a process's output, live."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final

import falcon

from pipeline_host.cursors import Kind
from pipeline_host.errors import InvalidInput, NotFound
from pipeline_host.following import begin, begin_at, is_end, read_from
from pipeline_host.host import Host
from pipeline_host_sse.channels import Channels
from pipeline_host_sse.delivered import HEADERS, deliver
from pipeline_host_sse.frames import StatusData
from pipeline_host_sse.openapi import STREAM
from pipeline_host_sse.stream import EventStream

PATH: Final = "/api/processes/{process_id}/stream"
_NUMBER: Final = re.compile("[0-9]{1,18}")
_BOOLEANS: Final = {"true": True, "1": True, "": True, "false": False, "0": False}


class StreamResource:
    """Server-Sent Events (HTML standard, 9.2): all output so far, then more as it is written."""

    openapi: ClassVar[Mapping[str, Any]] = STREAM

    def __init__(self, host: Host) -> None:
        self._host = host
        self._channels = Channels(host.store)
        self._timed = Channels(host.store, times=True)

    def on_get(self, req: falcon.Request, resp: falcon.Response, process_id: str) -> None:
        store = self._host.store
        given = req.get_header("Last-Event-ID") or req.get_param("lastEventId") or ""
        replay = _flag(req, "replay", default=True)
        place = _place(req)
        channels = self._timed if _flag(req, "times", default=False) else self._channels
        try:
            seen = StatusData.of(store.get(process_id))
            after = read_from(given) if given or place is None else place
            batch = store.read_output(process_id, after, 1)
        except NotFound:
            if not is_end(given, store.epoch):
                raise
            resp.status = falcon.HTTP_204
            return
        if given or place is None:
            start = begin(given, store.epoch, batch, replay=replay)
        else:
            start = begin_at(place, batch)
        if start.after is Kind.END:
            resp.status = falcon.HTTP_204
            return
        for name, value in HEADERS:
            resp.set_header(name, value)
        stream = (process_id, batch.incarnation, start, seen)
        if req.method != "HEAD" and deliver(self._host, channels, req.env, *stream):
            return
        resp.stream = EventStream(self._host, channels, req.env, *stream)


def _place(req: falcon.Request) -> int | None:
    """The byte of the output that a client asks to begin with, if it does."""
    value = req.get_param("from")
    if value is None:
        return None
    if not _NUMBER.fullmatch(value):
        raise InvalidInput.field("from", "a number of bytes")
    return int(value)


def _flag(req: falcon.Request, name: str, *, default: bool) -> bool:
    value = req.get_param(name)
    if value is None:
        return default
    if value not in _BOOLEANS:
        raise InvalidInput.field(name, "true or false")
    return _BOOLEANS[value]
