"""Work on a thread of its own: once at a time, and where it failed not again at once."""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from typing import Final

from pipeline_host.errors import PipelineHostError

_log: Final = logging.getLogger(__name__)


class Background(ABC):
    """Work that is begun whenever there may be some, and ends by itself.

    Args:
        name: the thread's.
        retry_after: how long it isn't begun after it failed, in seconds.
        failed: what is logged then.
    """

    def __init__(self, name: str, retry_after: float, failed: str) -> None:
        self._name = name
        self._retry_after = retry_after
        self._failed = failed
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._not_before = 0.0
        self._stopping = False

    @property
    def ready(self) -> bool:
        """Whether it wasn't just tried in vain."""
        return time.monotonic() >= self._not_before

    def start(self) -> None:
        """Begin, unless it goes on or was just tried in vain; only where no lock is held."""
        with self._lock:
            if self._stopping or self._thread is not None or not self.ready:
                return
            thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                self._later(error)
                return
            self._thread = thread

    def close(self) -> None:
        """Stop in the middle, and begin no more."""
        with self._lock:
            self._stopping = True
            thread = self._thread
        if thread is not None:
            thread.join()

    @abstractmethod
    def _work(self) -> None:
        """Do it; looks at ``_stopping`` now and then."""

    def _run(self) -> None:
        try:
            self._work()
        except (OSError, PipelineHostError) as error:
            self._later(error)
        except Exception:  # noqa: BLE001  # it is logged; nobody else would hear of it
            self._not_before = time.monotonic() + self._retry_after
            _log.exception(self._failed)
        finally:
            with self._lock:
                self._thread = None

    def _later(self, error: Exception) -> None:
        self._not_before = time.monotonic() + self._retry_after
        _log.warning("%s: %s", self._failed, error)
