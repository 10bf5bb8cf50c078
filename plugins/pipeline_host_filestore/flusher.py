"""Syncs output a little later, for as many writes at once as have come by then."""

from __future__ import annotations

import logging
import threading
from typing import Final

from pipeline_host.errors import StoreUnavailable
from pipeline_host_filestore.output import OutputLog

_log: Final = logging.getLogger(__name__)


class Flusher:
    """Makes output logs safe within a time after they were written.

    Its thread (a greenlet, where gevent patched threading) starts with the first write, so after
    a worker has forked, and ends with :meth:`close`.

    Args:
        interval: how long output may stay unsafe, in seconds.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._lock = threading.Lock()
        self._marked: dict[OutputLog, int] = {}
        self._bell = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def mark(self, log: OutputLog, end: int) -> None:
        """Have a log made safe up to ``end``, soon."""
        log.sync.wrote(end)
        with self._lock:
            self._marked[log] = end
            if self._thread is None and not self._closing.is_set():
                self._thread = threading.Thread(
                    target=self._run, name="pipeline-host-flusher", daemon=True
                )
                self._thread.start()
        self._bell.set()

    def flush(self) -> None:
        """Make safe what is marked; what can't be stays marked."""
        with self._lock:
            marked, self._marked = self._marked, {}
        for log, end in marked.items():
            try:
                log.sync.wait(end)
            except StoreUnavailable as error:
                _log.error("Output is not safe from a loss of power: %s", error)
                with self._lock:
                    self._marked.setdefault(log, end)

    def close(self) -> None:
        """Stop the thread and make safe what is still marked."""
        with self._lock:
            self._closing.set()
            thread, self._thread = self._thread, None
        self._bell.set()
        if thread is not None:
            thread.join()
        self.flush()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._bell.wait()
            self._bell.clear()
            self._closing.wait(self._interval)
            self.flush()
            if self._marked:
                self._bell.set()
