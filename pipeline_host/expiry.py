"""Fails the processes whose reporters were lost: whose lease ended and was not renewed."""

from __future__ import annotations

import logging
import threading
from typing import Final

from pipeline_host.errors import NotFound, PipelineHostError
from pipeline_host.leases import ends_at
from pipeline_host.store import ProcessStore
from pipeline_host.times import now_ms
from pipeline_host.transitions import expired

log: Final = logging.getLogger(__name__)
_JOIN: Final = 2.0
_AWAY: Final = 2000
"""A round that comes so much too late, in milliseconds, shows that this program stood still."""


class Expiry:
    """Looks after all leases of a store, on a thread of its own.

    Several workers may each have one: the store lets exactly one of them fail a process.
    While nobody could reach the server nobody could renew a lease. So each lease lasts for at
    least its whole length from the start of this, and anew from each time that this program (or
    the machine: a laptop that slept) stood still. Even where it stood still for a moment only, the
    heartbeats that came in the meantime wait in its sockets: so between finding that a lease has
    ended and failing the process it lets the requests that wait be served first.

    Args:
        poll: how often to look, in seconds; leases that end sooner are looked at in time.
        grace: how long it leaves to what waits to be served, in seconds.
    """

    def __init__(self, store: ProcessStore, poll: float = 1.0, grace: float = 0.25) -> None:
        self._store = store
        self._poll = round(poll * 1000)
        self._grace = grace
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._since = self._next = 0
        self._failing = False

    def start(self) -> None:
        """Begin; a second call does nothing."""
        if self._thread is None:
            self._since = self._next = now_ms()
            self._thread = threading.Thread(target=self._run, name="expiry", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_JOIN)

    def _run(self) -> None:
        while not self._stop.wait(min(max(self._next - now_ms(), 0), self._poll) / 1000):
            at = now_ms()
            if at > self._next + _AWAY:
                self._since = at
            self._next = at + self._poll
            try:
                self._look(at)
            except Exception:
                if not self._failing:
                    log.exception("Leases can't be looked after; it is tried again and again")
                self._failing = True
            else:
                self._failing = False

    def _look(self, at: int) -> None:
        """Fail what is due; sees to it that the next round is in time for what is due next.

        Where one can't be failed now the others are, and then its error is raised.
        """
        over = []
        for process_id, lease in self._store.leases().items():
            end = ends_at(lease, self._since)
            if end > at:
                self._next = min(self._next, end)
            else:
                over.append(process_id)
        if over and not self._stop.wait(self._grace):
            self._fail_all(over)

    def _fail_all(self, process_ids: list[str]) -> None:
        """Fail those of them whose leases were not renewed meanwhile."""
        problem: PipelineHostError | None = None
        for process_id in process_ids:
            try:
                if not self._stop.is_set():
                    self._fail(process_id)
            except PipelineHostError as error:
                problem = error
        if problem is not None:
            raise problem

    def _fail(self, process_id: str) -> None:
        try:
            self._store.update(process_id, expired)
        except NotFound:
            log.debug("%s was removed when its lease ended", process_id)
