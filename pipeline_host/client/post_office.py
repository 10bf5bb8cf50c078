"""Takes items from any thread, and has them sent by one of its own when it is time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Final

from pipeline_host.client.courier import Courier
from pipeline_host.client.desk import Desk
from pipeline_host.client.items import Drop, Item
from pipeline_host.client.postman import Postman
from pipeline_host.client.tidying import Tidier
from pipeline_host.client.transport import Transport
from pipeline_host.client.waiting import HURRIED

UNSENT: Final = "the client was closed before it could be sent"
CLOSED: Final = "the client is closed"

log = logging.getLogger("pipeline_host.client")


class PostOffice:
    """One thread sends; it begins with the first item, and alone talks to the server.

    Args:
        transport: the way to the server.
        desk: where items wait.
        offline: see :attr:`offline`.
    """

    def __init__(self, transport: Transport, desk: Desk, *, offline: bool = False) -> None:
        self._desk = desk
        self._postman = Postman(desk, Courier(transport, desk.known))
        self._tidier = Tidier(desk)
        self._changed = desk.changed
        self._thread: threading.Thread | None = None
        self._offline = offline
        self._flushing = 0
        self._busy = self._closed = False
        desk.open()
        if len(desk.outbox) or desk.teller:
            self._start()

    @property
    def offline(self) -> bool:
        """Nothing is sent while this is True."""
        return self._offline

    @offline.setter
    def offline(self, offline: bool) -> None:
        with self._changed:
            self._offline = offline
            self._changed.notify_all()

    def put(self, item: Item) -> None:
        """Take an item; returns at once."""
        with self._changed:
            if self._closed:
                self._desk.drop(item, CLOSED)
            else:
                self._desk.put(item)
                self._tidier.begin()
        self._start()

    def refuse(self, drop: Drop) -> None:
        """Tell of something that can't be sent."""
        with self._changed:
            self._desk.teller.drop(drop)
            self._changed.notify_all()
        self._start()

    def wait_attempted(self, process_id: str, timeout: float) -> bool:
        """Wait until the server took or refused a process, or couldn't be reached; in seconds."""

        def attempted() -> bool:
            known = self._desk.known.get(process_id)
            settled = known is not None and (known.created or known.refused is not None)
            return settled or self._desk.trouble is not None

        with self._changed:
            return self._changed.wait_for(attempted, timeout)

    def wait_registered(self, process_id: str, timeout: float | None) -> bool:
        """Wait until the server took a process's creation; False where it never will."""

        def registered() -> bool | None:
            known = self._desk.known.get(process_id)
            if known is not None and (known.created or known.refused is not None):
                return known.created
            return False if self._closed else None

        with self._changed:
            self._changed.wait_for(lambda: registered() is not None, timeout)
            return bool(registered())

    def wait_begun(self, process_id: str) -> None:
        """Wait until no creation of this process waits, nor its removal."""

        def begun() -> bool:
            return self._closed or not self._desk.outbox.begins_anew(f"process {process_id}")

        with self._changed:
            self._changed.wait_for(begun)

    def flush(self, timeout: float | None) -> bool:
        """Wait until everything is sent; offline not at all. Whether nothing waits."""
        with self._changed:
            if threading.current_thread() is self._thread:
                return not len(self._desk.outbox)
            self._flushing += 1
            self._desk.waiting.shorten(time.monotonic(), 0)
            self._changed.notify_all()
            try:
                self._changed.wait_for(lambda: self._idle() or self._unable(), timeout)
            finally:
                self._flushing -= 1
            return not len(self._desk.outbox)

    def close(self) -> None:
        """Send no more; what waits stays on disk, or is dropped where there is no spool."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._desk.close()
        # One after the other: all of it at once may be more than memory has room for.
        while self._desk.drop_unkept(UNSENT):
            self._desk.teller.tell()
        self._desk.teller.tell()

    def _start(self) -> None:
        """Begin to work, unless that was done; once closed, only to tell what there is to tell."""
        with self._changed:
            if self._thread is not None or (self._closed and not self._desk.teller):
                return
            thread = threading.Thread(target=self._run, name="pipeline-host-client", daemon=True)
            # At the very end of a program there are no new threads, and nobody to tell.
            with suppress(RuntimeError):
                thread.start()
                self._thread = thread

    def _idle(self) -> bool:
        return not (len(self._desk.outbox) or self._busy or self._desk.teller)

    def _unable(self) -> bool:
        return self._closed or (self._offline and not (self._busy or self._desk.teller))

    def _run(self) -> None:
        while (work := self._next()) is not None:
            try:
                work()
            except Exception:
                log.exception("the client made a mistake, and goes on")
                with self._changed:
                    self._desk.waiting.stop(time.monotonic())
            finally:
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()

    def _next(self) -> Callable[[], None] | None:
        """What is to be done, once there is something; None when the client is closed."""
        with self._changed:
            while self._desk.teller or not self._closed:
                self._tidier.begin()
                now = time.monotonic()
                work = self._desk.teller.tell if self._desk.teller else self._due(now)
                if work is not None:
                    self._busy = True
                    return work
                self._changed.wait(self._pause(now))
            self._thread = None
            return None

    def _due(self, now: float) -> Callable[[], None] | None:
        desk = self._desk
        if self._offline or not (len(desk.outbox) or desk.known.leased):
            return None
        if self._flushing:
            desk.waiting.shorten(now, HURRIED)
        left = desk.waiting.left(now)
        if left is not None:
            return None if left > 0 else self._postman.probe
        beat = self._heartbeat(now)
        if beat is not None:
            return beat
        entry = desk.outbox.take(desk.waiting.paused(now))
        return None if entry is None else partial(self._postman.send, entry)

    def _heartbeat(self, now: float) -> Callable[[], None] | None:
        for due, process_id in self._heartbeats():
            if due <= now:
                return partial(self._postman.heartbeat, process_id)
        return None

    def _heartbeats(self) -> Iterator[tuple[float, str]]:
        """When which process has to be heard from, where nothing is to be sent for it anyway."""
        for process_id, known in self._desk.known.beating():
            if known.beat_at is not None and not self._desk.outbox.waits(f"process {process_id}"):
                yield known.beat_at, process_id

    def _pause(self, now: float) -> float | None:
        """For how many seconds there is nothing to do; None for as long as nothing changes."""
        desk = self._desk
        if self._offline or not (len(desk.outbox) or desk.known.leased):
            return None
        left = desk.waiting.left(now)
        if left is not None:
            return left
        times = [due - now for due, _ in self._heartbeats()]
        lanes = desk.waiting.lanes_left(now)
        times.extend([] if lanes is None else [lanes])
        return max(min(times), 0.01) if times else None
