"""When the next attempt is due. Pure: the time is always given, in seconds on some clock."""

from __future__ import annotations

from typing import Final

from pipeline_host.client.backoff import Backoff

PROBES: Final = (0.1, 0.2, 0.5)
"""The first delays before the server is asked how it is; most often it is only being restarted."""

HURRIED: Final = 1.0
"""The longest delay while somebody waits for everything to be sent."""

MOST_PAUSED: Final = 8
"""How many lanes may be waiting for another attempt while others go on."""


class Waiting:
    """Knows whether the server can be used, and for what that can't be sent now.

    Two things are told apart. *Nothing can be sent*: the server can't be reached, or it asked to
    be left alone; then everything waits, and a probe decides when to begin again. *One lane can't
    be sent*: the server is well but fails at one request; then only what has to be sent after
    that one waits.
    """

    def __init__(self) -> None:
        self.stopped = False
        """Nothing can be sent until a probe succeeds."""
        self._due = 0.0
        self._asked_until = 0.0
        self._delays = Backoff(PROBES)
        self._lanes: dict[str, tuple[Backoff, float]] = {}

    def stop(self, now: float, retry_after: float | None = None) -> None:
        """Nothing can be sent; for ``retry_after`` seconds, if the server said so."""
        self.stopped = True
        self._due = now + self._delays.next(retry_after)
        if retry_after is not None:
            self._asked_until = now + retry_after

    def resume(self, now: float) -> None:
        """A probe succeeded: everything may be sent."""
        if self.stopped:
            self.stopped = False
            self._hurry_lanes(now)

    def pause(self, lane: str, now: float) -> bool:
        """This one couldn't be sent; whether the others should be tried if the server is well."""
        delays = self._lanes[lane][0] if lane in self._lanes else Backoff()
        self._lanes[lane] = (delays, now + delays.next())
        return len(self._lanes) <= MOST_PAUSED

    def settled(self, lane: str) -> None:
        """The server answered: begin again with the shortest delays."""
        self._lanes.pop(lane, None)
        self._delays.reset()

    def paused(self, now: float) -> set[str]:
        """The lanes that can't be sent now."""
        return {lane for lane, (_, due) in self._lanes.items() if due > now}

    def left(self, now: float) -> float | None:
        """In how many seconds the server is to be asked; None where it can be used."""
        return max(self._due - now, 0.0) if self.stopped else None

    def lanes_left(self, now: float) -> float | None:
        """In how many seconds the next paused lane may be tried; None where there is none."""
        return min((due - now for _, due in self._lanes.values() if due > now), default=None)

    def shorten(self, now: float, longest: float) -> None:
        """Wait ``longest`` seconds at most from now on, but for what the server asked for."""
        self._due = max(min(self._due, now + longest), self._asked_until)
        for lane, (delays, due) in self._lanes.items():
            self._lanes[lane] = (delays, min(due, now + longest))

    def _hurry_lanes(self, now: float) -> None:
        self._lanes = {lane: (delays, now) for lane, (delays, _) in self._lanes.items()}
