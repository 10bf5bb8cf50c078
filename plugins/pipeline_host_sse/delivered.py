"""One client's stream where the server hands its connection over: a source, and its end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Mapping
from contextlib import ExitStack
from typing import Any, Final

from pipeline_host.cursors import Kind
from pipeline_host.delivery import Reading, Subscription, stream_head
from pipeline_host.errors import PipelineHostError
from pipeline_host.following import Start
from pipeline_host.host import Host
from pipeline_host.store import Unsubscribe
from pipeline_host_sse.channels import Channels
from pipeline_host_sse.frames import HEARTBEAT, OPENING, Frames, StatusData

log: Final = logging.getLogger(__name__)

HEADERS: Final = (
    ("Content-Type", "text/event-stream"),
    ("Cache-Control", "no-cache"),
    ("X-Accel-Buffering", "no"),
)


class OutputSource:
    """A process's output as a source of events; its cursor is a byte offset."""

    __slots__ = ("_channels", "_incarnation", "_process_id")

    def __init__(self, channels: Channels, process_id: str, incarnation: int) -> None:
        self._channels = channels
        self._process_id = process_id
        self._incarnation = incarnation

    @property
    def key(self) -> Hashable:
        return ("output", "sse", self._process_id, self._incarnation, self._channels.times)

    def read(self, cursor: int) -> Reading:
        piece = self._channels.opened(self._process_id, self._incarnation).read(cursor)
        return Reading(piece.events, piece.offset, not piece.events and piece.state != "open")

    def watch(self, wake: Callable[[], None]) -> Unsubscribe:
        joined = ExitStack()
        joined.enter_context(self._channels.join(self._process_id, self._incarnation, wake))
        return joined.close


class Ending:
    """Makes the last events of one client's stream, from where it is then."""

    __slots__ = ("_channels", "_incarnation", "_process_id", "_seen", "subscription")

    def __init__(
        self, channels: Channels, process_id: str, incarnation: int, seen: StatusData
    ) -> None:
        self._channels = channels
        self._process_id = process_id
        self._incarnation = incarnation
        self._seen = seen
        self.subscription: Subscription | None = None

    def __call__(self) -> bytes:
        assert self.subscription is not None
        offset = self.subscription.cursor
        channel = self._channels.opened(self._process_id, self._incarnation)
        frames = channel.frames
        status = frames.status(channel.ending(self._seen), offset)
        return status + frames.done(self._process_id, offset)


def deliver(
    host: Host,
    channels: Channels,
    environ: Mapping[str, Any],
    process_id: str,
    incarnation: int,
    start: Start,
    seen: StatusData,
) -> bool:
    """Have a client's stream delivered, if the server hands the connection over.

    Raises:
        TooManyStreams: there are as many as may be.
    """
    frames = Frames(host.store.epoch, incarnation)
    opening = stream_head(HEADERS) + OPENING
    if start.missing is not None:
        opening += frames.gap(start.missing, start.offset)
    connection = host.delivery.take(
        environ, opening, heartbeat=HEARTBEAT, heartbeat_seconds=host.settings.heartbeat
    )
    if connection is None:
        return False
    if start.after is not Kind.CHUNK:
        connection.close(frames.done(process_id, start.offset))
        return True
    source = OutputSource(channels, process_id, incarnation)
    ending = Ending(channels, process_id, incarnation, seen)
    try:
        ending.subscription = connection.follow(source, start.offset, last=ending, then_close=True)
    except PipelineHostError as error:
        log.warning("The stream of %s was cut off: %s", process_id, error)
        connection.close()
    return True
