"""The lock that all writers of a data directory take, in this process and in others."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pipeline_host.errors import StoreUnavailable
from pipeline_host_filestore.files import OpenFile, unavailable

NAME: Final = "lock"
_SPINS: Final = 20
_FIRST_PAUSE: Final = 0.0001
_LONGEST_PAUSE: Final = 0.001


class FileLock:
    """Held by one thread or greenlet of one process at a time.

    The kernel's lock belongs to the open file, which all threads here share, hence a second one
    among them. It is asked for without blocking, since a blocked call would stop gevent's hub.

    Args:
        path: the file that is locked; opened here, so after a worker has forked.
        timeout: how long to wait for others, in seconds.
    """

    def __init__(self, path: Path, timeout: float) -> None:
        self._file = OpenFile(path, os.O_RDWR | os.O_CREAT)
        self._timeout = timeout
        self._here = threading.Lock()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock; whoever holds it must not wait for anything.

        Raises:
            StoreUnavailable: others held it all the time.
        """
        end = time.monotonic() + self._timeout
        if not self._here.acquire(timeout=self._timeout):
            raise self._busy()
        try:
            self._take(end)
            try:
                yield
            finally:
                self.release()
        finally:
            self._here.release()

    def try_take(self) -> bool:
        """Take it if no other open file has it, and keep it until :meth:`release`."""
        try:
            fcntl.flock(self._file.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise unavailable("lock", self._file.path, error) from error
        return True

    def release(self) -> None:
        fcntl.flock(self._file.fd, fcntl.LOCK_UN)

    def _take(self, end: float) -> None:
        spins = 0
        pause = _FIRST_PAUSE
        while not self.try_take():
            if spins < _SPINS:
                spins += 1
                os.sched_yield()
                continue
            if time.monotonic() > end:
                raise self._busy()
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def _busy(self) -> StoreUnavailable:
        return StoreUnavailable(
            f"{self._file.path}: another worker has held the lock for {self._timeout:g} s;"
            " try again, and look whether a worker hangs"
        )
