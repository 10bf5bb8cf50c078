"""One client's stream, as the body of a WSGI response."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack
from typing import Any, Final

from pipeline_host.cursors import Kind
from pipeline_host.errors import PipelineHostError
from pipeline_host.following import Start
from pipeline_host.hangup import watch_hangup
from pipeline_host.host import Host
from pipeline_host_sse.channels import Channel, Channels
from pipeline_host_sse.frames import HEARTBEAT, OPENING, StatusData

log: Final = logging.getLogger(__name__)
_JOINED: Final = 256 * 1024
"""About how many bytes of events go out at once, when there are many."""


class EventStream:
    """Tells one client the output of a process from a place on, then how the process ended.

    It reads on only when the server asks for more, so that a slow client costs no memory. Nothing
    is subscribed to before the first event, so one that is never begun needs no closing.

    Args:
        environ: of the request, for noticing that the client went away.
        seen: how the process was when the request was looked at.
    """

    def __init__(
        self,
        host: Host,
        channels: Channels,
        environ: Mapping[str, Any],
        process_id: str,
        incarnation: int,
        start: Start,
        seen: StatusData,
    ) -> None:
        self._host = host
        self._channels = channels
        self._environ = environ
        self._process_id = process_id
        self._incarnation = incarnation
        self._start = start
        self._seen = seen
        self._offset = start.offset
        self._over = False
        self._wake = threading.Event()
        self._subscriptions = ExitStack()
        self._events = self._run()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._events)

    def close(self) -> None:
        """End all subscriptions; a server calls this when the response ended, however it did."""
        self._events.close()
        self._subscriptions.close()

    def _run(self) -> Generator[bytes, None, None]:
        with self._subscriptions:
            yield OPENING
            try:
                yield from self._follow(self._subscribe())
            except PipelineHostError as error:
                # The client reconnects and goes on from the last event that it got.
                log.warning("The stream of %s was cut off: %s", self._process_id, error)

    def _subscribe(self) -> Channel:
        enter = self._subscriptions
        channel = enter.enter_context(
            self._channels.join(self._process_id, self._incarnation, self._wake.set)
        )
        enter.callback(self._host.draining.on_begin(self._stop))
        enter.callback(watch_hangup(self._environ, self._stop))
        return channel

    def _stop(self) -> None:
        self._over = True
        self._wake.set()

    def _follow(self, channel: Channel) -> Iterator[bytes]:
        if self._start.missing is not None:
            yield channel.frames.gap(self._start.missing, self._offset)
        if self._start.after is Kind.CHUNK:
            yield from self._output(channel)
            if self._over:
                return
            yield self._end(channel, channel.ending(self._seen))
        else:
            yield channel.frames.done(self._process_id, self._offset)

    def _output(self, channel: Channel) -> Iterator[bytes]:
        """All output from here on, until the process has ended or the stream is over."""
        silent = time.monotonic() + self._host.settings.heartbeat
        while not self._over:
            self._wake.clear()
            events, ended = self._read(channel)
            if events:
                yield events
            elif ended:
                return
            elif self._wake.wait(max(silent - time.monotonic(), 0)):
                continue
            else:
                yield HEARTBEAT
            silent = time.monotonic() + self._host.settings.heartbeat

    def _read(self, channel: Channel) -> tuple[bytes, bool]:
        """What there is now, and whether that was all."""
        parts: list[bytes] = []
        size = 0
        while size < _JOINED:
            piece = channel.read(self._offset)
            if not piece.events:
                return b"".join(parts), piece.state != "open"
            parts.append(piece.events)
            size += len(piece.events)
            self._offset = piece.offset
        return b"".join(parts), False

    def _end(self, channel: Channel, data: StatusData) -> bytes:
        frames = channel.frames
        return frames.status(data, self._offset) + frames.done(self._process_id, self._offset)
