"""Who may look at the replica when: threads one at a time, writers with the data directory's lock.

Neither lock is held while anything is waited for (a sync, a log, another greenlet), so under
gevent a reader never waits at all.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from pipeline_host.errors import StoreUnavailable
from pipeline_host_filestore.lock import FileLock
from pipeline_host_filestore.native import native
from pipeline_host_filestore.replica import InDoubt, Replica
from pipeline_host_filestore.settling import Settler

_log: Final = logging.getLogger(__name__)


class _Opened(NamedTuple):
    lock: FileLock
    replica: Replica


class Access:
    """Gives the replica to one thread or greenlet at a time, up to date.

    Args:
        notices: sentences that were noted under a lock; logged as soon as it is released.
        cuts: what is incomplete at the end is cut off under the lock.
    """

    def __init__(
        self, lock: FileLock, replica: Replica, notices: deque[str], *, cuts: bool = True
    ) -> None:
        self._state: _Opened | None = _Opened(lock, replica)
        self._mutex = threading.Lock()
        self._notices = notices
        self._cuts = cuts
        self._settler = Settler(self._settle)

    @contextmanager
    def reading(self) -> Iterator[Replica]:
        """The replica with everything that any worker has acknowledged so far.

        Raises:
            StoreUnavailable: the journal can't be read, or the store is closed.
            StoreCorrupt: it is damaged where it can't be worked around.
        """
        in_doubt = False
        try:
            with self._mutex:
                replica = self._opened().replica
                try:
                    replica.refresh(locked=False)
                except InDoubt:
                    in_doubt = True
                else:
                    yield replica
        finally:
            self._unlocked()
        if in_doubt:
            with self.writing() as replica:
                yield replica

    @contextmanager
    def writing(self) -> Iterator[Replica]:
        """The replica, up to date, while no other worker can write.

        Raises:
            StoreUnavailable: as for reading, or other workers hold the lock.
            StoreCorrupt: as for reading.
        """
        try:
            with self._opened().lock.held(), self._mutex:
                replica = self._opened().replica
                replica.refresh(locked=True, cuts=self._cuts)
                yield replica
        finally:
            self._unlocked()

    def check_sync(self) -> None:
        """Refuse to write where syncing has failed and still does; may wait.

        Raises:
            StoreUnavailable: it does.
        """
        self._opened().replica.journal.sync.check()

    def tell(self) -> None:
        """Log what was noted; only where no lock is held."""
        while self._notices:
            try:
                sentence = self._notices.popleft()
            except IndexError:
                return
            _log.warning("%s", sentence)

    def close(self) -> None:
        """Let go of the files, and refuse everything from now on."""
        self._settler.close()
        with self._mutex:
            self._state = None

    def _unlocked(self) -> None:
        """Do what must wait until no lock is held."""
        self.tell()
        # Read once: another thread may close the store at any moment.
        state = self._state
        if state is not None and state.replica.relocating:
            self._settler.start()

    def _settle(self) -> bool:
        with self.reading() as replica:
            replica.relocate()
            left, replica.left = replica.left, []
            more = replica.relocating
        if left:
            native(left.clear)
        return more

    def _opened(self) -> _Opened:
        state = self._state
        if state is None:
            raise StoreUnavailable("The store is closed")
        return state
