"""One client's events as the body of a WSGI response, for servers that keep their sockets."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack
from typing import Any, Final

from pipeline_host.change_source import ChangeSource
from pipeline_host.errors import PipelineHostError
from pipeline_host.hangup import watch_hangup
from pipeline_host.host import Host
from pipeline_host_events.frames import HEARTBEAT

log: Final = logging.getLogger(__name__)


class EventStream:
    """Tells one client the changes after a place, for as long as it and the worker live.

    It reads on only when the server asks for more, so that a slow client costs no memory. Nothing
    is subscribed to before the first event, so one that is never begun needs no closing.

    Args:
        environ: of the request, for noticing that the client went away.
        opening: what goes out first.
        cursor: the number of the change after which it begins.
    """

    def __init__(
        self,
        host: Host,
        environ: Mapping[str, Any],
        opening: bytes,
        source: ChangeSource,
        cursor: int,
    ) -> None:
        self._host = host
        self._environ = environ
        self._source = source
        self._cursor = cursor
        self._over = False
        self._wake = threading.Event()
        self._subscriptions = ExitStack()
        self._events = self._run(opening)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._events)

    def close(self) -> None:
        """End all subscriptions; a server calls this when the response ended, however it did."""
        self._events.close()
        self._subscriptions.close()

    def _run(self, opening: bytes) -> Generator[bytes, None, None]:
        with self._subscriptions as subscriptions:
            yield opening
            try:
                subscriptions.callback(self._source.watch(self._wake.set))
                subscriptions.callback(self._host.draining.on_begin(self._stop))
                subscriptions.callback(watch_hangup(self._environ, self._stop))
                yield from self._follow()
            except PipelineHostError as error:
                # The client reconnects and goes on from the last event that it got.
                log.warning("A stream of changes was cut off: %s", error)

    def _stop(self) -> None:
        self._over = True
        self._wake.set()

    def _follow(self) -> Iterator[bytes]:
        heartbeat = self._host.settings.heartbeat
        silent = time.monotonic() + heartbeat
        while not self._over:
            self._wake.clear()
            reading = self._source.read(self._cursor)
            self._cursor = reading.cursor
            if reading.data:
                yield reading.data
            elif self._wake.wait(max(silent - time.monotonic(), 0)):
                continue
            else:
                yield HEARTBEAT
            silent = time.monotonic() + heartbeat
