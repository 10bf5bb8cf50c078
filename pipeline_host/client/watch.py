"""Learning at once that a process has ended on the server: most of all that it was cancelled."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, Final

from pipeline_host.client.api import ApiClient
from pipeline_host.client.backoff import Backoff
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
    begins; so nothing that happened before or between connections goes unnoticed. One thread
    reads the stream, another asks. Whatever goes wrong, it is tried again.

    Args:
        api: the server.
        workspace: the one that all these processes belong to; None for any.
        held: see :meth:`hold`.
    """

    def __init__(self, api: ApiClient, workspace: str | None = None, *, held: bool = False) -> None:
        self._api = api
        self._workspace = workspace
        self._waiting: dict[str, OnEnd] = {}
        self._unasked: dict[str, None] = {}
        self._lock = threading.Lock()
        self._held = held
        self._stopped = False
        self._reading, self._asking = Interrupt(), Interrupt()
        self._thread: threading.Thread | None = None
        self._asker: threading.Thread | None = None

    def add(self, process_id: str, on_end: OnEnd, *, new: bool = False) -> None:
        """Call ``on_end`` when this process has ended, in a thread of the watch's.

        Args:
            process_id: the process.
            on_end: see :data:`OnEnd`; what it raises is logged.
            new: it is only going to be created, so that it needn't be asked for.
        """
        with self._lock:
            self._waiting[process_id] = on_end
            if len(self._waiting) > MOST:
                del self._waiting[next(iter(self._waiting))]
            if self._thread is None:
                self._begin()
            elif not new:
                self._ask((process_id,))

    def discard(self, process_id: str) -> None:
        """Nobody wants to know any more."""
        with self._lock:
            self._waiting.pop(process_id, None)

    def ended(self, process_id: str, status: str, error: str | None = None) -> None:
        """It is known in another way that this process has ended: tell who wants to know."""
        with self._lock:
            on_end = self._waiting.pop(process_id, None)
        if on_end is None:
            return
        try:
            on_end(status, error)
        except Exception:  # the owner's mistakes must not end the watching
            log.exception("a function that was to be told of the end of %s failed", process_id)

    def hurry(self) -> None:
        """Connect now: the server is known to be there."""
        with self._lock:
            self._reading.hurry()
            self._asking.hurry()

    def hold(self, held: bool) -> None:
        """Make no request while this is so; afterwards nothing was missed."""
        with self._lock:
            if held and not self._held:
                self._end()
            self._held = held
            if self._waiting and self._thread is None:
                self._begin()

    def stop(self) -> None:
        """Watch nothing any more."""
        with self._lock:
            self._stopped = True
            self._end()

    def _begin(self) -> None:
        if not (self._held or self._stopped):
            self._thread = _started(partial(self._run, self._reading))

    def _end(self) -> None:
        """Let both threads end, by themselves; others may begin meanwhile."""
        self._reading.stop()
        self._asking.stop()
        self._reading, self._asking = Interrupt(), Interrupt()
        self._thread = self._asker = None
        self._unasked.clear()

    def _ask(self, process_ids: Iterable[str]) -> None:
        self._unasked.update(dict.fromkeys(process_ids))
        if self._asker is None and self._unasked:
            self._asker = _started(partial(self._ask_all, self._asking))

    def _run(self, interrupt: Interrupt) -> None:
        backoff = Backoff()
        said = ""
        while not interrupt.stopped:
            try:
                self._read(interrupt, backoff)
            except ClientError as error:
                if str(error) != said:
                    said = str(error)
                    log.warning("cancels aren't noticed: %s", error)
            except Exception:
                log.exception("the watch made a mistake, and goes on")
            interrupt.pause(backoff.next())

    def _read(self, interrupt: Interrupt, backoff: Backoff) -> None:
        """Take what the stream of changes tells; without a stream, ask again and again."""
        events = changes(self._api, self._workspace, interrupt=interrupt, longest=LONGEST)
        for event in events:
            backoff.reset()
            if event.type in ("welcome", "resync"):
                self._look(interrupt)
            else:
                self._take(json.loads(event.data))
        while not interrupt.stopped:
            self._look(interrupt)
            interrupt.pause(POLL)

    def _take(self, message: dict[str, Any]) -> None:
        match message:
            case {"type": "process-added" | "process-updated", "process": process}:
                self._tell(process)
            case {"type": "process-removed", "processId": process_id}:
                self.ended(process_id, REMOVED)
            case {"type": "processes-cleared", "processIds": process_ids}:
                for process_id in process_ids:
                    self.ended(process_id, REMOVED)

    def _look(self, interrupt: Interrupt) -> None:
        """Have each of them asked for."""
        with self._lock:
            if not interrupt.stopped:
                self._ask(self._waiting)

    def _ask_all(self, interrupt: Interrupt) -> None:
        """Ask for those that are to be; if one isn't known (yet), that is told when it changes."""
        while (process_id := self._next_unasked(interrupt)) is not None:
            try:
                self._tell(self._api.get(process_id))
            except ClientError as error:
                if error.retryable:
                    with self._lock:
                        if not interrupt.stopped and process_id in self._waiting:
                            self._unasked[process_id] = None
                    interrupt.pause(error.retry_after or LONGEST)
            except Exception:
                log.exception("the server's word on %s makes no sense", process_id)

    def _next_unasked(self, interrupt: Interrupt) -> str | None:
        with self._lock:
            if interrupt.stopped:
                return None
            process_id = next(iter(self._unasked), None)
            if process_id is None:
                self._asker = None
            else:
                del self._unasked[process_id]
            return process_id

    def _tell(self, process: Any) -> None:
        if process["status"] in _ENDS:
            self.ended(process["id"], process["status"], process.get("error"))


def _started(run: Callable[[], None]) -> threading.Thread | None:
    thread = threading.Thread(target=run, name="pipeline-host-watch", daemon=True)
    # At the very end of a program there are no new threads, and nobody to tell.
    with suppress(RuntimeError):
        thread.start()
        return thread
    return None


class Watches:
    """A watch for each workspace that there are processes of.

    Args:
        api: the server.
        held: see :meth:`hold`.
    """

    def __init__(self, api: ApiClient, *, held: bool = False) -> None:
        self._api = api
        self._held = held
        self._lock = threading.Lock()
        self._watches: dict[str | None, Watch] = {}
        self._stopped = False

    def of(self, workspace: str | None) -> Watch:
        """The watch for this workspace's processes; None for those without a workspace."""
        with self._lock:
            watch = self._watches.get(workspace)
            if watch is None:
                watch = self._watches[workspace] = Watch(self._api, workspace, held=self._held)
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

    def hold(self, held: bool) -> None:
        """Make no request while this is so; afterwards nothing was missed."""
        with self._lock:
            self._held = held
        for watch in self._all():
            watch.hold(held)

    def stop(self) -> None:
        """Watch nothing any more."""
        with self._lock:
            self._stopped = True
        for watch in self._all():
            watch.stop()

    def _all(self) -> list[Watch]:
        with self._lock:
            return list(self._watches.values())
