"""Making written bytes survive a loss of power: one sync for all who wait, and no false success.

The kernel reports a failed sync once and takes the pages as written from then on: the next sync
of the same file succeeds and the bytes are lost all the same. So after a failure the bytes are
written again, in their place, before the file is synced again, and nobody is told that anything
is safe until that has worked.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from pipeline_host.errors import StoreUnavailable
from pipeline_host_filestore import codec
from pipeline_host_filestore.files import OpenFile, read_at, sync_folder, unavailable
from pipeline_host_filestore.native import native

Sync: TypeAlias = Callable[[int], None]
"""``os.fdatasync``, or another to try what happens when it fails."""

PROBE_INTERVAL: Final = 1.0
"""While syncing fails, how often it is tried again, in seconds."""
_BLOCK: Final = 1024 * 1024


class FileSync:
    """How far one append-only file of records is safe.

    Safe for threads and greenlets. Whoever comes while a sync is running waits for it, then one
    of those who wait syncs for all.

    Args:
        file: whatever is in it may be unsafe as yet, its name too.
        folders: those whose entries lead to the file; synced once, with the first sync.
    """

    def __init__(self, file: OpenFile, sync: Sync, folders: Sequence[Path]) -> None:
        self._file = file
        self._sync = sync
        self._folders = folders
        self._turn = threading.Condition()
        self._running = False
        self._synced = 0
        self._written = 0
        self._suspect = False
        """A sync failed, or its end was not heard of: the next must write again first."""
        self._failure: OSError | None = None
        self._failures = 0
        self._next_probe = 0.0

    @property
    def settled(self) -> bool:
        """Nothing that this file was told of is unsafe."""
        return self._synced >= self._written and not self._running

    def wrote(self, end: int) -> None:
        """Take notice that the file was written up to ``end``, without waiting."""
        with self._turn:
            self._written = max(self._written, end)

    def wait(self, end: int) -> None:
        """Return when the file is safe up to ``end``, which is where a record ends.

        Raises:
            StoreUnavailable: it can't be made safe; it may be kept or not.
        """
        self.wrote(end)
        self._advance(end)

    def check(self) -> None:
        """Refuse to go on while syncing fails; now and then, try whether it works again.

        Raises:
            StoreUnavailable: it still fails.
        """
        if self._failure is None:
            return
        if time.monotonic() < self._next_probe:
            raise self._refusal(self._failure)
        self._advance(self._written)

    def _advance(self, end: int) -> None:
        failures = self._failures
        while True:
            with self._turn:
                while self._running:
                    self._turn.wait()
                if self._synced >= end:
                    return
                if self._failure is not None and (
                    self._failures != failures or time.monotonic() < self._next_probe
                ):
                    raise self._refusal(self._failure)
                self._running = True
                start, target = self._synced, self._written
                again, self._suspect = self._suspect, True
            self._lead(start, target, again)

    def _lead(self, start: int, target: int, again: bool) -> None:
        """Sync for all who wait; also when this greenlet is killed the others go on."""
        failure: OSError | None = None
        done = False
        try:
            failure = native(self._make_safe, start, target, again)
            done = failure is None
        finally:
            with self._turn:
                self._running = False
                if done:
                    self._synced, self._suspect = target, False
                    self._failure = None
                elif failure is not None:
                    self._failure = failure
                    self._failures += 1
                    self._next_probe = time.monotonic() + PROBE_INTERVAL
                self._turn.notify_all()

    def _make_safe(self, start: int, target: int, again: bool) -> OSError | None:
        if not again:
            try:
                self._sync(self._file.fd)
            except OSError:
                again = True
        try:
            if again:
                self._write_again(start, target)
                self._sync(self._file.fd)
            for folder in self._folders:
                sync_folder(folder)
            self._folders = ()
        except OSError as error:
            return error
        return None

    def _write_again(self, start: int, end: int) -> None:
        """Make the kernel take the bytes as unwritten, after a look whether it still has them."""
        try:
            file = OpenFile(self._file.path, os.O_RDWR)
        except FileNotFoundError:
            return
        if os.fstat(file.fd).st_ino != os.fstat(self._file.fd).st_ino:
            return
        block = _BLOCK
        while start < end:
            data = read_at(file, start, min(start + block, end))
            found = codec.scan(data, start)
            if found.damage or not data:
                raise OSError(errno.EIO, f"byte {start} and on were lost by the disk")
            if found.end == start:
                block *= 2
                continue
            os.pwrite(file.fd, data[: found.end - start], start)
            start = found.end

    def _refusal(self, failure: OSError) -> StoreUnavailable:
        return unavailable("sync", self._file.path, failure)
