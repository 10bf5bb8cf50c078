"""Doing in the background what a worker left to be done when it went over to another journal."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from pipeline_host.errors import PipelineHostError
from pipeline_host_filestore.pacing import PAUSE

RETRY_AFTER: Final = 10.0
_log: Final = logging.getLogger(__name__)


class Settler:
    """Takes one slice after the other on a thread of its own, which ends when all is done.

    Args:
        take_slice: does a little; returns whether more is left.
    """

    def __init__(self, take_slice: Callable[[], bool]) -> None:
        self._take_slice = take_slice
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._not_before = 0.0
        self._stopping = False

    def start(self) -> None:
        """See to it that it is done; only where no lock is held."""
        with self._lock:
            if self._stopping or self._thread is not None or time.monotonic() < self._not_before:
                return
            thread = threading.Thread(target=self._run, name="pipeline-host-settler", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                self._later(error)
                return
            self._thread = thread

    def close(self) -> None:
        """Stop in the middle."""
        with self._lock:
            self._stopping = True
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        try:
            while not self._stopping and self._take_slice():
                time.sleep(PAUSE)
        except PipelineHostError as error:
            self._later(error)
        except Exception:  # noqa: BLE001  # it is logged; nobody else would hear of it
            self._not_before = time.monotonic() + RETRY_AFTER
            _log.exception("The move to a compacted journal is tried again")
        finally:
            with self._lock:
                self._thread = None

    def _later(self, error: Exception) -> None:
        self._not_before = time.monotonic() + RETRY_AFTER
        _log.warning("The move to a compacted journal is tried again: %s", error)
