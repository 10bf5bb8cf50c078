"""Delivery: one dispatcher in each worker, which writes to all who follow something live.

Whoever follows costs a socket and a place in a log: no greenlet, no queue of their own. What is
read and encoded for one place goes to everybody who stands there, with one ``send`` each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from email.utils import formatdate
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from pipeline_host.delivering.connection import MOST_WAITING, Connection, Manner
from pipeline_host.delivering.source import Reading, Source
from pipeline_host.delivering.topics import Subscription
from pipeline_host.errors import TooManyStreams
from pipeline_host.guard import SECURITY_HEADERS

if TYPE_CHECKING:
    from pipeline_host.delivering.dispatcher import Dispatcher

__all__ = [
    "HANDOVER_KEY",
    "MOST_WAITING",
    "Connection",
    "Delivery",
    "Reading",
    "Source",
    "Subscription",
    "stream_head",
]

HANDOVER_KEY: Final = "pipeline_host.handover"
"""Where a server offers a request's connection, in the WSGI environment."""
_manner: Final = lru_cache(maxsize=64)(Manner)


class Delivery:
    """Takes connections over from the server and writes to them what they follow.

    Args:
        max_streams: how many connections it has at a time; further ones are refused.
    """

    def __init__(self, max_streams: int) -> None:
        self._max_streams = max_streams
        self._dispatcher: Dispatcher | None = None
        self._draining = False

    def __len__(self) -> int:
        """How many connections there are now."""
        return 0 if self._dispatcher is None else len(self._dispatcher.connections)

    @property
    def lag(self) -> float:
        """Seconds from the last doorbell until all its followers were written to."""
        return 0.0 if self._dispatcher is None else self._dispatcher.lag

    def take(
        self,
        environ: Mapping[str, Any],
        head: bytes,
        *,
        receive: Callable[[bytes], None] | None = None,
        on_close: Callable[[], None] | None = None,
        farewell: bytes = b"",
        heartbeat: bytes = b"",
        heartbeat_seconds: float = 0,
    ) -> Connection | None:
        """Take a request's connection over; the application's answer to it isn't sent then.

        Args:
            environ: of the WSGI request.
            head: the whole head of the response and what follows it; sent at once.
            receive: called with whatever arrives. Without it that is ignored, and the connection
                ends at once when the client closes, or half-closes.
            on_close: called once the connection is gone, however it went; later than this returns.
            farewell: sent last where the server ends the connection of its own accord, such as
                when the worker stops.
            heartbeat: sent after so many seconds of silence.

        Returns:
            ``None`` where the server can't hand a connection over.

        Raises:
            TooManyStreams: there are as many as may be.
        """
        hand_over = environ.get(HANDOVER_KEY)
        if hand_over is None:
            return None
        if len(self) >= self._max_streams:
            raise TooManyStreams(self._max_streams)
        manner = _manner(farewell, heartbeat, heartbeat_seconds)
        sock, received = hand_over()
        dispatcher = self._dispatcher or self._start()
        connection = dispatcher.add(sock, manner, receive, on_close)
        connection.send(head)
        if received and receive is not None:
            dispatcher.soon(connection.hand_on, received)
        if self._draining:
            dispatcher.soon(connection.close, farewell)
        return connection

    def drain(self) -> None:
        """End all connections in good order; those that are taken later end at once."""
        self._draining = True
        if self._dispatcher is not None:
            self._dispatcher.drain()

    def wait_empty(self, seconds: float) -> bool:
        """Wait until no connection is left, at most so long; whether that is so."""
        return self._dispatcher is None or self._dispatcher.wait_empty(seconds)

    def close(self) -> None:
        """End all connections, now."""
        self._draining = True
        dispatcher, self._dispatcher = self._dispatcher, None
        if dispatcher is not None:
            dispatcher.close()

    def _start(self) -> Dispatcher:
        from pipeline_host.delivering.dispatcher import Dispatcher

        self._dispatcher = Dispatcher()
        return self._dispatcher


def stream_head(headers: Iterable[tuple[str, str]], status: str = "200 OK") -> bytes:
    """The head of a response that lasts until the connection is closed (RFC 9112, 6.3).

    Args:
        headers: besides ``Date``, ``Connection`` and those of the guard.
    """
    lines = [f"HTTP/1.1 {status}", f"Date: {formatdate(usegmt=True)}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (*headers, *SECURITY_HEADERS)]
    return "\r\n".join((*lines, "", "")).encode("latin-1")
