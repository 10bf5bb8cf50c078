"""Hearing that somebody wrote, in this worker or in another."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from typing import Final

from pipeline_host.store import Unsubscribe
from pipeline_host_filestore.watching import InotifyWatcher, PollingWatcher, Target, Watcher

_log: Final = logging.getLogger(__name__)


class Doorbell:
    """Calls listeners when files change. Its thread starts with the first of them.

    Args:
        make_watcher: how changes are noticed; where it can't be had, files are polled.
    """

    def __init__(self, make_watcher: Callable[[], Watcher] = InotifyWatcher) -> None:
        self._make_watcher = make_watcher
        self._lock = threading.Lock()
        self._listeners: dict[Target, dict[object, Callable[[], None]]] = {}
        self._watcher: Watcher | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def listen(self, target: Target, ring: Callable[[], None]) -> Unsubscribe:
        """Call ``ring`` soon after a file of ``target``, whose folder is there, has changed."""
        key = object()
        with self._lock:
            if self._closed:
                return lambda: None
            watcher = self._start()
            listeners = self._listeners.setdefault(target, {})
            listeners[key] = ring
            if len(listeners) == 1:
                self._watch(watcher, target)
        return lambda: self._unlisten(target, key)

    def close(self) -> None:
        """Stop listening; nobody is called after that."""
        with self._lock:
            self._closed = True
            self._listeners.clear()
            watcher, self._watcher = self._watcher, None
            if watcher is not None:
                watcher.wake()
        if self._thread is not None:
            self._thread.join()

    def _unlisten(self, target: Target, key: object) -> None:
        with self._lock:
            listeners = self._listeners.get(target, {})
            if listeners.pop(key, None) and not listeners:
                del self._listeners[target]
                if self._watcher is not None:
                    self._watcher.unwatch(target)

    def _start(self) -> Watcher:
        if self._watcher is None:
            try:
                self._watcher = self._make_watcher()
            except (ImportError, OSError) as error:
                _log.info("No inotify here (%s): files are polled instead", error)
                self._watcher = PollingWatcher()
            self._thread = threading.Thread(
                target=self._run, name="pipeline-host-doorbell", daemon=True
            )
            self._thread.start()
        return self._watcher

    def _watch(self, watcher: Watcher, target: Target) -> None:
        try:
            watcher.watch(target)
        except OSError as error:
            _log.warning("inotify refuses (%s): files are polled instead", error)
            polling = PollingWatcher()
            for each in self._listeners:
                polling.watch(each)
            self._watcher = polling
            watcher.wake()

    def _run(self) -> None:
        watcher = self._watcher
        while watcher is not None:
            changed = watcher.wait()
            for ring in self._rings(changed):
                ring()
            with self._lock:
                if self._watcher is not watcher:
                    watcher.close()
                    watcher = self._watcher

    def _rings(self, changed: Collection[Target] | None) -> list[Callable[[], None]]:
        with self._lock:
            targets = self._listeners if changed is None else changed
            return [ring for target in targets for ring in self._listeners.get(target, {}).values()]
