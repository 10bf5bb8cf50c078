"""Renews leases by what reporters write, at next to no cost for each write."""

from __future__ import annotations

import logging
import time
from typing import Final

from pipeline_host.errors import NotFound, PipelineHostError, TerminalState
from pipeline_host.leases import renewable_at
from pipeline_host.models import Process
from pipeline_host.store import ProcessStore
from pipeline_host.times import now_ms
from pipeline_host.transitions import heartbeat

log: Final = logging.getLogger(__name__)
_REST: Final = 0.25
"""For how long a process isn't looked at again, in seconds.

Less than what passes of the shortest lease before it is worth renewing: so nothing is missed even
if the process is removed meanwhile and another one, with such a lease, gets its id.
"""
_REMEMBERED: Final = 10_000


class Renewal:
    """Takes note of who is heard from, and renews a lease when enough of it has passed.

    A process is looked at a few times a second at most, however often it is heard from.
    """

    def __init__(self, store: ProcessStore) -> None:
        self._store = store
        self._rest_until: dict[str, float] = {}

    def heard_from(self, process_id: str) -> None:
        """A process's reporter wrote something, which is stored: so this never raises for it."""
        moment = time.monotonic()
        if moment < self._rest_until.get(process_id, 0.0):
            return
        if len(self._rest_until) >= _REMEMBERED:
            self._rest_until.clear()
        self._rest_until[process_id] = moment + _REST
        try:
            left = _until_renewal(self._store.get(process_id))
            if left < 0:
                self._store.update(process_id, heartbeat)
            elif left < _REST:
                self._rest_until[process_id] = moment + left
        except (NotFound, TerminalState):
            self._rest_until.pop(process_id, None)
        except PipelineHostError as error:
            log.warning("The lease of %s is not renewed yet: %s", process_id, error)


def _until_renewal(process: Process) -> float:
    """Seconds until a renewal is worth writing down; infinity where there is nothing to renew."""
    if process.lease is None or process.terminal:
        return float("inf")
    return (renewable_at(process.lease) - now_ms()) / 1000
