"""Who follows what, and how far they are: those at the same place are served together."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from pipeline_host.delivering.source import Reading, Source
from pipeline_host.errors import PipelineHostError
from pipeline_host.store import Unsubscribe

if TYPE_CHECKING:
    from pipeline_host.delivering.connection import Connection

log: Final = logging.getLogger(__name__)


class Topics(Protocol):
    """Where topics are kept, as far as a topic needs to know."""

    def serve_soon(self, topic: Topic) -> None: ...

    def forget(self, topic: Topic) -> None: ...


class Group:
    """Followers of one topic that stand at the same cursor.

    Attributes:
        looked: how often the topic had been rung when nothing more was found here.
        unsent: those whose turn is still to come, while a piece is being sent: they stand at
            ``before``.
    """

    __slots__ = ("before", "cursor", "looked", "members", "unsent")

    def __init__(self, cursor: Any) -> None:
        self.cursor = cursor
        self.looked = -1
        self.members: set[Subscription] = set()
        self.before = cursor
        self.unsent: set[Subscription] = set()


class Subscription:
    """One connection's following of one source."""

    __slots__ = ("_cursor", "connection", "group", "last", "then_close", "topic")

    def __init__(
        self, connection: Connection, last: Callable[[], bytes] | None, *, then_close: bool
    ) -> None:
        self.connection = connection
        self.last = last
        self.then_close = then_close
        self.topic: Topic | None = None
        self.group: Group | None = None
        self._cursor: Any = None

    @property
    def cursor(self) -> Any:
        """The place behind what was sent."""
        group = self.group
        if group is None:
            return self._cursor
        return group.before if self in group.unsent else group.cursor

    def cancel(self) -> None:
        """Follow no more; a second time nothing happens."""
        topic, self.topic = self.topic, None
        if topic is not None:
            if self.group is None:
                self.connection.stalled.remove(self)
            self.stand_still(self.cursor)
            self.connection.subscriptions.remove(self)
            topic.leave()

    def stand_still(self, cursor: Any) -> None:
        """Leave the others at ``cursor``, until the connection takes more."""
        if self.group is not None:
            self.group.members.discard(self)
            self.group.unsent.discard(self)
            self.group = None
        self._cursor = cursor

    def go_on(self) -> None:
        """Take the place among the others again."""
        if self.topic is not None:
            self.topic.place(self, self._cursor)


class Topic:
    """One source and all who follow it in this worker.

    A group moves as a whole, so that an event costs little more for each follower than its send.
    """

    __slots__ = (
        "_followers",
        "_groups",
        "_topics",
        "queued",
        "rings",
        "rung_at",
        "source",
        "unwatch",
    )

    def __init__(self, source: Source, topics: Topics) -> None:
        self.source = source
        self.unwatch: Unsubscribe | None = None
        self.rings = 0
        self.rung_at = 0.0
        self.queued = False
        self._topics = topics
        self._followers = 0
        self._groups: dict[Any, Group] = {}

    @property
    def is_idle(self) -> bool:
        return not self._followers

    def ring(self) -> None:
        """There may be more to read: many rings before it is looked at count as one."""
        self.rings += 1
        self._queue()

    def join(self, subscription: Subscription, cursor: Any) -> None:
        self._followers += 1
        subscription.topic = self
        self.place(subscription, cursor)

    def leave(self) -> None:
        self._followers -= 1
        if not self._followers:
            self._topics.forget(self)

    def place(self, subscription: Subscription, cursor: Any) -> None:
        """Put a follower among those at ``cursor``, and serve it if there may be more for it."""
        group = self._groups.get(cursor)
        if group is None:
            group = self._groups[cursor] = Group(cursor)
        group.members.add(subscription)
        subscription.group = group
        if group.looked != self.rings:
            self._queue()

    def serve(self, pause: Callable[[], None]) -> None:
        """Take every group one piece further.

        Args:
            pause: called often; lets others run when it is time for that.
        """
        self.queued = False
        more = False
        for group in tuple(self._groups.values()):
            if group.looked != self.rings:
                more = self._advance(group, pause) or more
        if more:
            self._queue()

    def _queue(self) -> None:
        if not self.queued:
            self.queued = True
            self.rung_at = time.monotonic()
            self._topics.serve_soon(self)

    def _advance(self, group: Group, pause: Callable[[], None]) -> bool:
        """Take a group one piece further; whether there may be still more."""
        rings = self.rings
        if not group.members:
            self._remove(group)
            return False
        try:
            reading = self.source.read(group.cursor)
        except Exception as error:  # noqa: BLE001  # the dispatcher outlives any source
            self._cut_off(group, error)
            return False
        if reading.ended or reading.data or reading.cursor != group.cursor:
            # Who comes while this goes on mustn't get among those who have got it already.
            self._remove(group)
            self._send(group, reading, pause)
            if not reading.ended:
                return self._settle(group)
            self._end(group, pause)
            return False
        group.looked = rings
        return False

    def _send(self, group: Group, reading: Reading, pause: Callable[[], None]) -> None:
        """Send a piece to a whole group; those that can't take all of it stay behind."""
        before, group.before, group.cursor = group.cursor, group.cursor, reading.cursor
        data = reading.data
        unsent = group.unsent = set(group.members) if data else set()
        size = len(data)
        now = time.monotonic()
        count = 0
        while unsent:
            subscription = unsent.pop()
            connection = subscription.connection
            if connection.rest is not None:
                subscription.stand_still(before)
                connection.stalled.append(subscription)
                continue
            try:
                sent = connection.socket.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                connection.drop()
                continue
            connection.sent_at = now
            if sent < size:
                subscription.stand_still(reading.cursor)
                connection.stalled.append(subscription)
                connection.hold(data, sent)
            count += 1
            if not count & 31:
                pause()
                now = time.monotonic()

    def _settle(self, group: Group) -> bool:
        """Put a group where it stands now; whether anybody is in it."""
        if not group.members:
            return False
        there = self._groups.setdefault(group.cursor, group)
        if there is not group:
            for subscription in group.members:
                subscription.group = there
            there.members |= group.members
        return there.looked != self.rings

    def _end(self, group: Group, pause: Callable[[], None]) -> None:
        for subscription in tuple(group.members):
            if subscription.group is not group:
                continue
            connection = subscription.connection
            try:
                final = subscription.last() if subscription.last else b""
            except Exception as error:  # noqa: BLE001  # the dispatcher outlives any source
                self._complain(error)
                connection.close(connection.farewell)
                continue
            subscription.cancel()
            if subscription.then_close:
                connection.close(final)
            elif final:
                connection.send(final)
            pause()

    def _remove(self, group: Group) -> None:
        if self._groups.get(group.cursor) is group:
            del self._groups[group.cursor]

    def _cut_off(self, group: Group, error: Exception) -> None:
        """Close the connections of a group that can't be served: their clients resume."""
        self._complain(error)
        for subscription in tuple(group.members):
            subscription.connection.close(subscription.connection.farewell)

    def _complain(self, error: Exception) -> None:
        if isinstance(error, PipelineHostError):
            log.warning("Followers of %s were cut off: %s", self.source.key, error)
        else:
            log.error("Followers of %s were cut off", self.source.key, exc_info=error)
