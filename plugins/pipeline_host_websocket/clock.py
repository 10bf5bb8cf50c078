"""What is due at some time on the connections of a worker, looked after by one thread for all."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Annotated, Final, Protocol

import msgspec

log: Final = logging.getLogger(__name__)

_LOOKS: Final = 6
"""How often clients are looked at within the silence after which they are asked."""


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The settings ``[plugins.websocket]``, in seconds."""

    silence: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 90.0
    """After how long without a word a client is dropped."""
    ping: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 30.0
    """After how long without a word it is asked whether it is still there."""
    grace: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 1.0
    """How long a new one has to say what it wants to be told, before it is told everything."""


class Member(Protocol):
    """A client, as the clock sees it.

    Attributes:
        heard: when it was last heard of, on the monotonic clock, in seconds.
        asked: when it was asked since then, on the same clock; None if it wasn't.
    """

    heard: float
    asked: float | None

    def start(self) -> None:
        """The time to say what it wants is over."""

    def ask(self) -> None:
        """Ask it whether it is still there."""

    def drop(self) -> None:
        """It is not there any more."""


class Clock:
    """Calls on its members when something is due; its thread lasts as long as it has any."""

    def __init__(self, options: Options) -> None:
        self._silence = options.silence
        self._ping = options.ping
        self._grace = options.grace
        self._interval = min(options.ping, options.silence) / _LOOKS
        self._answer = max(options.silence - options.ping, self._interval)
        self._lock = threading.Lock()
        self._members: set[Member] = set()
        self._fresh: deque[tuple[float, Member]] = deque()
        self._bell = threading.Event()
        self._running = False

    def __len__(self) -> int:
        return len(self._members)

    def add(self, member: Member) -> None:
        with self._lock:
            self._members.add(member)
            self._fresh.append((time.monotonic() + self._grace, member))
            start, self._running = not self._running, True
        if start:
            threading.Thread(target=self._run, name="websocket", daemon=True).start()
        elif len(self._fresh) == 1:
            self._bell.set()

    def discard(self, member: Member) -> None:
        self._members.discard(member)
        if not self._members:
            self._bell.set()

    def look(self, now: float) -> None:
        """Ask those who were silent, and drop those who were silent for too long.

        Where all stood still for a while, what clients said meanwhile isn't read yet: so nobody is
        dropped who wasn't asked first and had the time to answer.
        """
        for member in tuple(self._members):
            silent = now - member.heard
            if member.asked is None:
                if silent >= min(self._ping, self._silence):
                    member.asked = now
                    _attempt(member.ask)
            elif silent >= self._silence and now - member.asked >= self._answer:
                _attempt(member.drop)

    def begin(self, now: float) -> float:
        """Start the members whose time is over; returns in how many seconds the next one's is."""
        while self._fresh:
            due, member = self._fresh[0]
            if due > now:
                return due - now
            self._fresh.popleft()
            _attempt(member.start)
        return self._interval

    def _run(self) -> None:
        due = time.monotonic() + self._interval
        while not self._over():
            now = time.monotonic()
            wait = self.begin(now)
            if now >= due:
                self.look(now)
                due = now + self._interval
            self._bell.wait(min(wait, max(due - now, 0)))
            self._bell.clear()

    def _over(self) -> bool:
        with self._lock:
            self._running = bool(self._members)
            return not self._running


def _attempt(call: Callable[[], None]) -> None:
    """Do something for one member; what goes wrong there is nothing to the others."""
    try:
        call()
    except Exception:
        log.exception("Error in looking after a client")
