"""The queue on disk: what waits when a program ends is sent when it starts again.

Each client writes a file of its own and holds a lock on it. A file that nobody holds belonged to a
client that has gone: the next one takes it over, with the lock, and deletes it when all that waited
in it is settled. What a method was told is in the file when it returns: written, so that no kill
can take it, but not synced, so that the power may.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path

from pipeline_host.client.entry import Entry
from pipeline_host.client.items import Create, Item, Output
from pipeline_host.client.outbox import Outbox, Put
from pipeline_host.client.spool_file import SUFFIX, SpoolFile, sweep

log = logging.getLogger("pipeline_host.client")


class Spool:
    """Keeps an outbox on disk. Its owner's lock has to be held for every call, but for `tidy`.

    Args:
        folder: where the files are; the clients that use it may be many. None keeps nothing.
        server: what waits for another server is left alone.
    """

    def __init__(self, folder: Path | None, server: str) -> None:
        self._folder = folder
        self._server = server
        self._own: SpoolFile | None = None
        self._taken: list[SpoolFile] = []

    def open(self, outbox: Outbox) -> None:
        """Begin: what clients that have gone left behind waits in ``outbox`` from now on."""
        if self._folder is None:
            return
        sweep(self._folder)
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):  # by the time they were made
            self._take_over(path, outbox)

    def put(self, item: Item, done: Put) -> None:
        """Keep what became of an item that was put into the outbox."""
        entry = done.entry
        if entry is not None and done.new:
            own = self._own_file()
            if own is not None:
                entry.home, entry.ticket = own, own.put(item)
        elif entry is not None and isinstance(entry.home, SpoolFile):
            entry.home.add(entry.ticket, item, entry.size)
        self.settled((*done.needless, *(lost for lost, _ in done.lost)))

    def sending(self, entry: Entry) -> None:
        """It is about to be sent, so that a repeat has to be the same."""
        if isinstance(entry.home, SpoolFile) and isinstance(entry.first, Create | Output):
            entry.home.sent(entry.ticket, entry.offset)

    def settled(self, entries: Iterable[Entry]) -> None:
        """These need not be kept any more."""
        for entry in entries:
            if isinstance(entry.home, SpoolFile):
                entry.home.done(entry.ticket)
        for file in tuple(self._taken):
            if file.empty:
                file.close()
                self._taken.remove(file)

    @property
    def untidy(self) -> bool:
        """Whether a file should be written anew."""
        return any(file.worth_rewriting for file in self._files())

    def tidy(self, outbox: Outbox, lock: AbstractContextManager[object]) -> None:
        """Write files anew, where most of one is about what doesn't wait any more.

        Args:
            outbox: what waits.
            lock: is held only for moments, so that nobody has to wait for the disk.
        """
        with lock:
            files = [file for file in self._files() if file.worth_rewriting]
        for file in files:
            try:
                self._rewrite(file, outbox, lock)
            except OSError as error:
                log.warning("%s can't be written anew: %s", file.path, error)

    def _rewrite(
        self, file: SpoolFile, outbox: Outbox, lock: AbstractContextManager[object]
    ) -> None:
        with lock:
            if not file.worth_rewriting:
                return  # it was closed meanwhile
            if any(entry.shelved for entry in outbox):
                file.postpone()  # memory has no room for all of it
                return
            new = file.rewrite()
            waiting = [(e.ticket, e.item, e.frozen, e.offset) for e in outbox if e.home is file]
        try:
            new.write(waiting)
            with lock:
                file.replace(new)
        except OSError:
            with lock:
                file.give_up(new)
            raise

    def close(self) -> None:
        """Let go of all files, for the next client to take over what waits in them."""
        for file in self._files():
            file.close()

    def abandon(self) -> None:
        """In a forked child: they are the parent's."""
        for file in self._files():
            file.abandon()

    def _own_file(self) -> SpoolFile | None:
        """This client's own, which is made when it is needed; None where it can't be made."""
        if self._own is None and self._folder is not None:
            try:
                self._own = SpoolFile.create(self._folder, self._server)
            except OSError as error:
                log.error("%s can't be used: nothing is kept on disk: %s", self._folder, error)
                self._folder = None
        return self._own

    def _files(self) -> list[SpoolFile]:
        return [*self._taken, self._own] if self._own else self._taken

    def _take_over(self, path: Path, outbox: Outbox) -> None:
        try:
            file = SpoolFile.take_over(path, self._server)
        except (OSError, ValueError) as error:
            log.warning("%s can't be read: %s", path, error)
            return
        if file is None:
            return
        for ticket, kept in tuple(file.waiting.items()):
            try:
                entry = outbox.restore(kept.parts, frozen=kept.sent, offset=kept.offset)
            except ValueError as error:
                log.warning("%s: left out: %s", path, error)
                file.done(ticket)
            else:
                entry.home, entry.ticket = file, ticket
                file.resize(ticket, entry.size)
        file.waiting = {}
        self._taken.append(file)
        self.settled(())
