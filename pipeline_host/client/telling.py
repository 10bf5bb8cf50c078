"""Telling a client's owner what happened, whatever the owner's functions do."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from pipeline_host.client.items import Drop
from pipeline_host.client.untold import Untold

Call = Callable[[], None]

log = logging.getLogger("pipeline_host.client")


class Teller:
    """Remembers what is to be told; :meth:`tell` calls the owner's functions, without any lock.

    Args:
        on_connection: each is called with whether the server can be reached.
        on_drop: each is called for what isn't sent.
        on_terminal: called with the id and the status of a process that ended on the server.
    """

    def __init__(
        self,
        on_connection: Sequence[Callable[[bool], None]] = (),
        on_drop: Sequence[Callable[[Drop], None]] = (),
        on_terminal: Callable[[str, str], None] | None = None,
    ) -> None:
        self._on_connection = tuple(on_connection)
        self._on_drop = (_log, *on_drop)
        self._on_terminal = on_terminal
        self._lock = threading.Lock()
        self._calls: deque[Call | None] = deque()  # None is the next of what was dropped
        self._untold = Untold()
        self.dropped = 0
        """How much was dropped so far."""

    def __bool__(self) -> bool:
        return bool(self._calls)

    def connection(self, connected: bool) -> None:
        """Tell whether the server can be reached."""
        self._calls.extend(partial(each, connected) for each in self._on_connection)

    def drop(self, drop: Drop) -> None:
        """Tell of something that isn't sent; it is logged too."""
        with self._lock:
            self.dropped += drop.count
            if self._untold.put(drop):
                self._calls.append(None)

    def terminal(self, process_id: str, status: str) -> None:
        """Tell that a process has ended on the server."""
        if self._on_terminal is not None:
            self._calls.append(partial(self._on_terminal, process_id, status))

    def tell(self) -> None:
        """Make the calls that are due; an error in one of them is logged."""
        while calls := self._next():
            for call in calls:
                try:
                    call()
                except Exception:  # the owner's mistakes must not end the reporting
                    log.exception("a function that was given to the client failed")

    def _next(self) -> Sequence[Call]:
        with self._lock:
            if not self._calls:
                return ()
            call = self._calls.popleft()
            if call is not None:
                return (call,)
            drop = self._untold.pop()
        return tuple(partial(each, drop) for each in self._on_drop)


def _log(drop: Drop) -> None:
    kind = "something" if drop.item is None else drop.item.kind
    several = f"{drop.count} times " if drop.count > 1 else ""
    of = "several" if drop.count > 1 and drop.process_id is None else drop.process_id
    log.warning("not reported: %s%s of %s: %s", several, kind, of, drop.reason)
