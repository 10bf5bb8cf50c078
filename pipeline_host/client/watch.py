"""Learning at once that a process has ended on the server: most of all that it was cancelled."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from pipeline_host.client.api import ApiClient
from pipeline_host.client.errors import ClientError
from pipeline_host.client.follow import Interrupt, changes

LONGEST: Final = 1.0
"""The longest pause between two attempts to connect, in seconds: how late a cancel may be known
that came while the server was away."""
POLL: Final = 1.0
"""How often the processes are asked for where the server has no stream of changes, in seconds."""

MOST: Final = 10_000
"""How many processes are watched at most; the oldest are given up."""

REMOVED: Final = "removed"
_ENDS: Final = ("completed", "failed", "cancelled")

OnEnd = Callable[[str, str | None], None]
"""Takes the status (``removed`` where there is no such process any more) and the error."""

log = logging.getLogger("pipeline_host.client")


class Watch:
    """Tells who wants to know, once each, that a process has ended, by whomever.

    One stream of changes serves all of them, over one connection, and each is asked for when that
    begins; so nothing that happened before or between connections goes unnoticed.

    Args:
        api: the server.
        workspace: the one that all these processes belong to; None for any.
    """

    def __init__(self, api: ApiClient, workspace: str | None = None) -> None:
        self._api = api
        self._workspace = workspace
        self._waiting: dict[str, OnEnd] = {}
        self._lock = threading.Lock()
        self._interrupt = Interrupt()
        self._thread: threading.Thread | None = None

    def add(self, process_id: str, on_end: OnEnd, *, new: bool = False) -> None:
        """Call ``on_end`` when this process has ended, in a thread of the watch's.

        Args:
            process_id: the process.
            on_end: see :data:`OnEnd`.
            new: it is only going to be created, so that it needn't be asked for.
        """
        with self._lock:
            self._waiting[process_id] = on_end
            if len(self._waiting) > MOST:
                del self._waiting[next(iter(self._waiting))]
            if self._interrupt.stopped or (self._thread is not None and new):
                return
            if self._thread is None:
                self._thread = _started(self._run)
            else:
                _started(partial(self._look_at, process_id))

    def discard(self, process_id: str) -> None:
        """Nobody wants to know any more."""
        with self._lock:
            self._waiting.pop(process_id, None)

    def ended(self, process_id: str, status: str, error: str | None = None) -> None:
        """It is known in another way that this process has ended: tell who wants to know."""
        with self._lock:
            on_end = self._waiting.pop(process_id, None)
        if on_end is not None:
            on_end(status, error)

    def hurry(self) -> None:
        """Connect now: the server is known to be there."""
        self._interrupt.hurry()

    def stop(self) -> None:
        """Watch nothing any more."""
        self._interrupt.stop()

    def _run(self) -> None:
        try:
            events = changes(self._api, self._workspace, interrupt=self._interrupt, longest=LONGEST)
            for event in events:
                if event.type in ("welcome", "resync"):
                    self._look()
                else:
                    self._take(json.loads(event.data))
            while not self._interrupt.stopped:
                self._look()
                self._interrupt.pause(POLL)
        except ClientError as error:
            log.warning("cancels aren't noticed: %s", error)

    def _take(self, message: dict[str, Any]) -> None:
        match message:
            case {"type": "process-added" | "process-updated", "process": process}:
                self._tell(process)
            case {"type": "process-removed", "processId": process_id}:
                self.ended(process_id, REMOVED)
            case {"type": "processes-cleared", "processIds": process_ids}:
                for process_id in process_ids:
                    self.ended(process_id, REMOVED)

    def _look(self) -> None:
        """Ask for each of them."""
        with self._lock:
            waiting = tuple(self._waiting)
        for process_id in waiting:
            self._look_at(process_id)

    def _look_at(self, process_id: str) -> None:
        """Ask for one; if it isn't known (yet), that is told when it changes."""
        while not self._interrupt.stopped:
            try:
                self._tell(self._api.get(process_id))
            except ClientError as error:
                if not error.retryable:
                    break
                self._interrupt.pause(error.retry_after or LONGEST)
            else:
                break

    def _tell(self, process: Any) -> None:
        if process["status"] in _ENDS:
            self.ended(process["id"], process["status"], process.get("error"))


def _started(run: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=run, name="pipeline-host-watch", daemon=True)
    thread.start()
    return thread


class Watches:
    """A watch for each workspace that there are processes of."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api
        self._lock = threading.Lock()
        self._watches: dict[str | None, Watch] = {}
        self._stopped = False

    def of(self, workspace: str | None) -> Watch:
        """The watch for this workspace's processes; None for those without a workspace."""
        with self._lock:
            watch = self._watches.get(workspace)
            if watch is None:
                watch = self._watches[workspace] = Watch(self._api, workspace)
                if self._stopped:
                    watch.stop()
            return watch

    def ended(self, process_id: str, status: str) -> None:
        """It is known in another way that this process has ended: tell who wants to know."""
        for watch in self._all():
            watch.ended(process_id, status)

    def hurry(self) -> None:
        """Connect now: the server is known to be there."""
        for watch in self._all():
            watch.hurry()

    def stop(self) -> None:
        """Watch nothing any more."""
        with self._lock:
            self._stopped = True
        for watch in self._all():
            watch.stop()

    def _all(self) -> list[Watch]:
        with self._lock:
            return list(self._watches.values())
