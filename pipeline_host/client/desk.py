"""What those who take items and the one who sends them share, under one lock."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

from pipeline_host.client.entry import Entry
from pipeline_host.client.errors import ClientError
from pipeline_host.client.items import Create, Drop, Item, Output, Register, Remove, lane, weight
from pipeline_host.client.known import KnownProcesses
from pipeline_host.client.outbox import UNCREATED, Outbox
from pipeline_host.client.spool import Spool
from pipeline_host.client.telling import Teller
from pipeline_host.client.waiting import Waiting


@dataclass
class Desk:
    """The queue with all that has to stay in step with it.

    Every method takes the lock, ``changed``, itself; it is notified of whatever may let somebody
    go on. Nobody holds it while waiting for a server.

    Attributes:
        outbox: what waits.
        spool: the same on disk.
        teller: what the owner is to be told.
        known: what is known of each process.
        waiting: whether the server can be used.
        connected: whether the server can be reached; None before that was tried.
        trouble: what went wrong in the last attempt, if something did.
    """

    outbox: Outbox
    spool: Spool
    teller: Teller
    known: KnownProcesses = field(default_factory=KnownProcesses)
    waiting: Waiting = field(default_factory=Waiting)
    changed: threading.Condition = field(default_factory=threading.Condition)
    connected: bool | None = None
    trouble: ClientError | None = None

    def open(self) -> None:
        """Begin with what earlier clients left on disk."""
        with self.changed:
            self.spool.open(self.outbox)
            lost = self.outbox.trim()
            self.spool.settled(entry for entry, _ in lost)
            self._tell_lost(lost)

    def put(self, item: Item) -> None:
        """Have an item wait, unless it can't be sent any more."""
        with self.changed:
            reason = self._hopeless(item)
            if reason is not None and not self.outbox.begins_anew(lane(item)):
                self.drop(item, reason)
                return
            done = self.outbox.put(item)
            self.spool.put(item, done)
            self._tell_lost(done.lost)
            self.changed.notify_all()

    def hopeless(self, entry: Entry) -> str | None:
        """Why there is no use in sending this one now, if so."""
        with self.changed:
            return self._hopeless(entry.item)

    def settle(self, entry: Entry) -> None:
        """It was sent, or it won't be."""
        with self.changed:
            self.outbox.settle(entry)
            self.spool.settled((entry,))
            self.waiting.settled(entry.lane)
            self.changed.notify_all()

    def sending(self, entry: Entry, offset: int | None = None) -> None:
        """It may be sent from now on; if it is output, from this offset on."""
        with self.changed:
            if offset is None or offset != entry.offset:
                entry.offset = entry.offset if offset is None else offset
                self.spool.sending(entry)

    def drop(self, item: Item, reason: str, error: Exception | None = None, lost: int = 0) -> None:
        """Tell the owner of something that isn't sent.

        Args:
            item: what it is.
            reason: a sentence that says why.
            error: what was wrong.
            lost: how many bytes of output were lost beside what the item has.
        """
        with self.changed:
            size = lost + (weight(item) if isinstance(item, Output) else 0)
            self.teller.drop(Drop(item, item.process_id, reason, error, output_bytes=size))
            self.changed.notify_all()

    def give_up(self, process_id: str, reason: str) -> None:
        """There is no such process of ours: drop what waits for it, and what will be put."""
        with self.changed:
            known = self.known[process_id]
            known.refused, known.created = reason, False
            self.known.silence(process_id)
            orphans = self.outbox.orphans(f"process {process_id}")
            self.spool.settled(orphans)
            self._tell_lost((entry, reason) for entry in orphans)

    def ended(self, process_id: str, status: str) -> None:
        """The server said that a process has ended there."""
        with self.changed:
            known = self.known[process_id]
            if known.ended is None:
                known.ended = status
                self.teller.terminal(process_id, status)
            self.known.silence(process_id)
            self.changed.notify_all()

    def drop_unkept(self, reason: str) -> bool:
        """Drop the oldest that isn't on disk; whether there was one."""
        with self.changed:
            entry = next((each for each in self.outbox if each.home is None), None)
            if entry is not None:
                item = entry.item
                self.outbox.settle(entry)
                self.drop(item, reason)
            return entry is not None

    def close(self) -> None:
        """Let go of what is on disk."""
        with self.changed:
            self.spool.close()
            self.changed.notify_all()

    def _hopeless(self, item: Item) -> str | None:
        if isinstance(item, Register | Create | Remove):
            return None
        known = self.known.get(item.process_id)
        if known is None:
            return None
        if known.refused is not None:
            return known.refused
        over = isinstance(item, Output) and known.ended
        return f"Process is already in terminal state: {known.ended}" if over else None

    def _tell_lost(self, lost: Iterable[tuple[Entry, str]]) -> None:
        for entry, reason in lost:
            if isinstance(entry.first, Create):
                self.known[entry.first.process_id].refused = UNCREATED
            self.drop(entry.item, reason)
