"""What becomes of open clients when the program ends, and when it forks."""

from __future__ import annotations

import atexit
import os
import time
import weakref
from typing import Final, Protocol

EXIT_TIMEOUT: Final = 2.0
"""How long a program waits at its end for what its clients have left to send, in seconds."""


class Leaving(Protocol):
    """A client, as far as it matters here."""

    def close(self, timeout: float) -> bool:
        """Send what can be sent in time, then no more."""

    def _after_fork(self) -> None:
        """In the child: begin anew."""


_clients: weakref.WeakSet[Leaving] = weakref.WeakSet()


def opened(client: Leaving) -> None:
    """See to this client when the program ends or forks."""
    _clients.add(client)


@atexit.register
def _close_all() -> None:
    end = time.monotonic() + EXIT_TIMEOUT
    for client in tuple(_clients):
        client.close(max(end - time.monotonic(), 0.0))


def _begin_anew() -> None:
    for client in tuple(_clients):
        client._after_fork()


os.register_at_fork(after_in_child=_begin_anew)
