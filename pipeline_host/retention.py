"""Forgets old processes, where the settings say so."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from typing import Final

from pipeline_host.config import Settings
from pipeline_host.store import ProcessStore

log: Final = logging.getLogger(__name__)
_JOIN: Final = 2.0


class Retention:
    """Prunes a store at once and then every ``retention_interval``, on a thread of its own.

    Without a limit in the settings it does nothing and has no thread. Several workers may each
    have one: what one has removed the others don't find.
    """

    def __init__(self, store: ProcessStore, settings: Settings) -> None:
        self._store = store
        age = settings.retention_max_age
        self._max_age = None if age is None else timedelta(seconds=age)
        self._max_count = settings.retention_max_count
        self._interval = settings.retention_interval
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, if there is a limit; a second call does nothing."""
        if self._thread is None and (self._max_age is not None or self._max_count is not None):
            self._thread = threading.Thread(target=self._run, name="retention", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_JOIN)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._prune()
            self._stop.wait(self._interval)

    def _prune(self) -> None:
        try:
            gone = self._store.prune(max_age=self._max_age, max_count=self._max_count)
            if gone:
                log.info("Retention removed %d processes", len(gone))
        except Exception:
            log.exception("Retention failed; it is tried again in %g s", self._interval)
