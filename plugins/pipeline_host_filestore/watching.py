"""Two ways to notice that files changed: to be told by the kernel, or to look again and again.

A watch is on a folder, not on a file, so that it also notices a file that is still to be made and
one that takes another's place.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

POLL_INTERVAL: Final = 0.02


class Target(NamedTuple):
    """The files of a folder whose name is ``stem``, or ``stem``, a hyphen and anything."""

    folder: Path
    stem: str


class Watcher(Protocol):
    """What a doorbell waits on. Only ``wait`` and ``wake`` may be called without its lock."""

    def watch(self, target: Target) -> None:
        """Notice from now on. Raises: OSError: this way there is no more watching."""

    def unwatch(self, target: Target) -> None: ...

    def wait(self) -> Collection[Target] | None:
        """The targets that changed, maybe others too; ``None`` for all. Empty after a wake."""

    def wake(self) -> None:
        """Have ``wait`` return."""

    def close(self) -> None: ...


class InotifyWatcher:
    """Watches through the kernel's inotify, see inotify(7).

    Raises:
        ImportError: not on this platform.
        OSError: the user has no inotify instance left.
    """

    def __init__(self) -> None:
        import inotify_simple

        self._inotify: Any = inotify_simple.INotify(nonblocking=True)
        self._mask = inotify_simple.flags.MODIFY | inotify_simple.flags.MOVED_TO
        self._overflow = inotify_simple.flags.Q_OVERFLOW
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._inotify.fileno(), select.POLLIN)
        self._poll.register(self._wake, select.POLLIN)
        self._folders: dict[int, Path] = {}
        self._users: dict[Path, tuple[int, int]] = {}

    def watch(self, target: Target) -> None:
        number, users = self._users.get(target.folder, (-1, 0))
        if not users:
            number = self._inotify.add_watch(target.folder, self._mask)
            self._folders[number] = target.folder
        self._users[target.folder] = (number, users + 1)

    def unwatch(self, target: Target) -> None:
        number, users = self._users[target.folder]
        if users > 1:
            self._users[target.folder] = (number, users - 1)
            return
        del self._users[target.folder], self._folders[number]
        # Where the folder itself was deleted, its watch is gone already.
        with suppress(OSError):
            self._inotify.rm_watch(number)

    def wait(self) -> Collection[Target] | None:
        ready = dict(self._poll.poll())
        if self._wake in ready:
            os.eventfd_read(self._wake)
        if self._inotify.fileno() not in ready:
            return ()
        changed = set()
        for event in self._inotify.read(timeout=0):
            if event.mask & self._overflow:
                return None
            folder = self._folders.get(event.wd)
            if folder is not None:
                changed.add(Target(folder, event.name.partition("-")[0]))
        return changed

    def wake(self) -> None:
        os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        self._inotify.close()
        os.close(self._wake)


class PollingWatcher:
    """Looks at the files' names and sizes every 20 ms, while there is anything to look at."""

    def __init__(self) -> None:
        self._bell = threading.Event()
        self._seen: dict[Target, object] = {}

    def watch(self, target: Target) -> None:
        self._seen[target] = _look(target)
        self._bell.set()

    def unwatch(self, target: Target) -> None:
        self._seen.pop(target, None)

    def wait(self) -> Collection[Target] | None:
        self._bell.wait(POLL_INTERVAL if self._seen else None)
        self._bell.clear()
        changed = []
        for target, before in list(self._seen.items()):
            now = _look(target)
            if now != before and target in self._seen:
                self._seen[target] = now
                changed.append(target)
        return changed

    def wake(self) -> None:
        self._bell.set()

    def close(self) -> None:
        self._seen.clear()


def _look(target: Target) -> object:
    try:
        entries = list(os.scandir(target.folder))
    except FileNotFoundError:
        return ()
    found = []
    for entry in entries:
        if entry.name.partition("-")[0] == target.stem:
            try:
                status = entry.stat()
            except FileNotFoundError:
                continue
            found.append((entry.name, status.st_ino, status.st_size))
    return sorted(found)
