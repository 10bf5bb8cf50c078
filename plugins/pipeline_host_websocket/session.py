"""One client of ``/ws``: what it said, and what it is therefore told."""

from __future__ import annotations

import time
import uuid
from functools import partial
from typing import Final

from pipeline_host.change_source import ChangeLog
from pipeline_host.cursors import Kind
from pipeline_host.delivery import Connection, Subscription
from pipeline_host.errors import NotFound, PipelineHostError
from pipeline_host.following import begin, read_from
from pipeline_host.host import Host
from pipeline_host.messages import encode
from pipeline_host.times import now_ms
from pipeline_host_websocket.clock import Clock, Options
from pipeline_host_websocket.frames import PING_FRAME, close_frame, text_frame
from pipeline_host_websocket.messages import (
    PONG_FRAME,
    RESYNC_FRAME,
    AnyCommand,
    Done,
    Follow,
    Ping,
    Subscribe,
    Unfollow,
    Welcome,
    frame,
    parse,
)
from pipeline_host_websocket.protocol import Answer, End, Message, Protocol
from pipeline_host_websocket.sources import OutputSource, OutputSources

_GOING_AWAY: Final = 1001
_INTERNAL_ERROR: Final = 1011
FAREWELL: Final = close_frame(_GOING_AWAY, "connect again")


class Hub:
    """What the clients of one worker have in common."""

    def __init__(self, host: Host, options: Options) -> None:
        self.store = host.store
        self.changes = ChangeLog(
            host.store,
            "websocket",
            encode=lambda change: text_frame(encode(change)),
            resync=lambda seq: RESYNC_FRAME,
        )
        self.outputs = OutputSources(host.store)
        self.clock = Clock(options)


class Session:
    """One client, from the handshake on.

    Attributes:
        heard: when a message, a ping or a pong came last, on the monotonic clock, in seconds.
        asked: when it was sent a ping since then, on the same clock; None if it wasn't.
    """

    __slots__ = (
        "_changes",
        "_connection",
        "_followed",
        "_hub",
        "_protocol",
        "_since",
        "asked",
        "heard",
    )

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._since = hub.changes.newest()
        self._protocol = Protocol()
        self._connection: Connection | None = None
        self._changes: Subscription | None = None
        self._followed: dict[str, Subscription] | None = None
        self.heard = time.monotonic()
        self.asked: float | None = None

    def open(self, connection: Connection) -> None:
        """Welcome the client. It is told of all changes from now on, if it wants nothing else."""
        self._connection = connection
        connection.send(frame(Welcome(client_id=str(uuid.uuid4()), timestamp=now_ms())))
        if not connection.closed:
            self._hub.clock.add(self)

    def closed(self) -> None:
        """The connection has ended."""
        self._hub.clock.discard(self)
        self._connection = self._changes = self._followed = None

    def receive(self, data: bytes) -> None:
        """Take what arrived."""
        for event in self._protocol.receive(data):
            if self._connection is None:
                return
            if isinstance(event, End):
                self._connection.close(event.frame)
                return
            self.heard, self.asked = time.monotonic(), None
            if isinstance(event, Answer):
                self._connection.send(event.frame)
            elif isinstance(event, Message) and event.text:
                self._obey(self._connection, parse(event.data))

    def start(self) -> None:
        """Tell it everything, unless it has said what it wants; that may have arrived unread."""
        if self._connection is not None and self._changes is None:
            self._connection.take_in()
        if self._connection is not None and self._changes is None:
            self._obey(self._connection, Subscribe())

    def ask(self) -> None:
        if self._connection is not None:
            self._connection.send(PING_FRAME)

    def drop(self) -> None:
        connection = self._connection
        if connection is None:
            return
        if connection.closed:  # it was told, and doesn't even read that
            connection.drop()
        else:
            connection.close(close_frame(_GOING_AWAY, "nothing was heard of you"))

    def _obey(self, connection: Connection, command: AnyCommand | None) -> None:
        try:
            match command:
                case Ping():
                    connection.send(PONG_FRAME)
                case Subscribe():
                    self._subscribe(connection, command)
                case Follow():
                    self._follow(connection, command)
                case Unfollow():
                    self._unfollow(command.process_id)
        except PipelineHostError as error:
            # The client connects again, and goes on from where it was.
            connection.close(close_frame(_INTERNAL_ERROR, str(error)))

    def _subscribe(self, connection: Connection, command: Subscribe) -> None:
        since = self._since
        if self._changes is not None:
            since = self._changes.cursor
            self._changes.cancel()
        if command.since is not None:
            since = command.since
        source = self._hub.changes.source(command.workspace_id)
        self._changes = connection.follow(source, since)

    def _follow(self, connection: Connection, command: Follow) -> None:
        process_id, after = command.process_id, command.after or ""
        self._unfollow(process_id)
        store = self._hub.store
        try:
            seen = Done.of(store.get(process_id))
            batch = store.read_output(process_id, read_from(after), 1)
        except NotFound as error:
            connection.send(frame(Done(process_id=process_id, error=str(error))))
            return
        source = self._hub.outputs.get(process_id, batch.incarnation, times=command.times)
        start = begin(after, store.epoch, batch)
        if start.missing is not None:
            connection.send(source.frames.gap(start.missing, start.offset))
        if start.after is not Kind.CHUNK:
            connection.send(source.ending(seen))
            return
        if self._followed is None:
            self._followed = {}
        self._followed[process_id] = connection.follow(
            source, start.offset, last=partial(self._end, process_id, source, seen)
        )

    def _end(self, process_id: str, source: OutputSource, seen: Done) -> bytes:
        """The last frame about a process that is followed."""
        if self._followed is not None:
            self._followed.pop(process_id, None)
        return source.ending(seen)

    def _unfollow(self, process_id: str) -> None:
        subscription = None if self._followed is None else self._followed.pop(process_id, None)
        if subscription is not None:
            subscription.cancel()
