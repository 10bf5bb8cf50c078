"""One worker's copy of what the journal says, kept up to date by reading on.

Not safe for threads by itself: the store calls it under its own lock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from pipeline_host.errors import StoreCorrupt, StoreUnavailable
from pipeline_host.times import now_ms
from pipeline_host_filestore import aside, codec, operations
from pipeline_host_filestore.codec import Damage, Record
from pipeline_host_filestore.files import OpenFile, read_at, telling, unavailable
from pipeline_host_filestore.index import Entry, Place
from pipeline_host_filestore.journal import Journal
from pipeline_host_filestore.operations import Clear, Mutation
from pipeline_host_filestore.pacing import Pace
from pipeline_host_filestore.relocation import Missing, Relocation, end_of_known
from pipeline_host_filestore.state import State
from pipeline_host_filestore.syncer import Sync
from pipeline_host_filestore.texts import Texts

_GREATEST: Final = 2**53


class InDoubt(Exception):
    """Something looks damaged; only under the lock can it be told from what is being written."""


class Replica:
    """The journal and the state it makes.

    Args:
        path: the journal's.
        cache_size: how much of long texts is remembered, in bytes.
        sync: makes a file safe from a loss of power.
        notices: gets sentences for the log, to be told when no lock is held.
        gone: told of the entries that are gone, whoever removed them.
        switched: told when another generation's file was opened.
    """

    def __init__(
        self,
        path: Path,
        cache_size: int,
        sync: Sync,
        notices: deque[str],
        gone: Callable[[Sequence[Entry]], None],
        switched: Callable[[], None],
    ) -> None:
        self._notices = notices
        self._path = path
        self._cache_size = cache_size
        self._gone = gone
        self._switched = switched
        self._sync = sync
        self._relocation: Relocation | None = None
        self.left: list[OpenFile] = []
        """Files that are of no use any more; to close a large one that was deleted takes time."""
        self._refused: tuple[Journal, int] | None = None
        """A file that said less than is known, and how long it was."""
        self._load(Journal(path, sync))

    @property
    def epoch(self) -> str:
        return self.journal.header.epoch

    @property
    def damage(self) -> Sequence[Damage]:
        """What is left out of this generation's file, because it can't be read or followed."""
        return [*self.journal.damage, *self._unusable]

    def refresh(self, *, locked: bool, cuts: bool = True) -> None:
        """Read what any worker has appended since.

        Args:
            locked: the lock is held, so that the end of the file can be put in order.
            cuts: then do so; otherwise an incomplete record is left where it is.

        Raises:
            InDoubt: try again under the lock.
            StoreCorrupt: the journal is damaged where it can't be worked around.
            StoreUnavailable: it can't be read.
        """
        try:
            size, replaced = self.journal.look()
            while replaced:
                self._read_on(size, final=True)
                self._move_on(locked=locked)
                size, replaced = self.journal.look()
            if size != self.journal.position:
                self._read_on(size, final=locked)
                if locked and cuts and self.journal.position < size:
                    self._cut(size)
        except OSError as error:
            raise unavailable("read", self._path, error) from error

    def commit(self, operation: Mutation) -> None:
        """Append a change and take it in; only under the lock, after :meth:`refresh`.

        Raises:
            StoreUnavailable: it could not be written; nothing has changed.
        """
        self._commit(self.state.last + 1, operation)

    def skip(self, number: int) -> None:
        """Give out no number up to ``number``; as :meth:`commit`.

        Raises:
            ValueError: ``number`` is greater than JSON carries exactly.
            StoreUnavailable: it could not be written.
        """
        if number > _GREATEST:
            raise ValueError(f"expected a number up to {_GREATEST}, got {number}")
        # A kind of record that every version of this format reads: one that does not know it would
        # give out the numbers again, and leave out what was written under higher ones.
        self._commit(number, Clear(time=now_ms(), ids=()))

    def _commit(self, number: int, operation: Mutation) -> None:
        line = codec.encode(number, operations.encode(operation))
        start = self.journal.position
        self.journal.append(line)
        generation = self.journal.header.generation
        place = Place(number, start, start + len(line), generation)
        self._gone(self.state.apply(place, operation))

    def worth_compacting(self, least: int) -> bool:
        """Whether most of the journal is of no use, and there is enough of it.

        While entries are relocated that isn't known, so it isn't.
        """
        if self._relocation is not None:
            return False
        size = self.journal.position
        live = self.state.index.bytes
        return size >= least and size > 2 * self.journal.kept_end and size - live > live

    @property
    def relocating(self) -> bool:
        """Whether :meth:`relocate` has something to do."""
        return self._relocation is not None

    def relocate(self) -> None:
        """Do the next slice of what going over to another generation left to be done.

        Raises:
            StoreUnavailable: the journal can't be read.
        """
        if self._relocation is None:
            return
        with telling("read", self._path):
            try:
                done = self._relocation.go_on(self.state.index, Pace())
            except Missing:
                self._load(Journal(self._path, self._sync))
                self._switched()
                return
        if done:
            self._relocation = None
            generation = self.journal.header.generation
            self.left = [file for of, file in self.texts.files.items() if of != generation]
            self.texts.files = {generation: self.journal.file}

    def _load(self, journal: Journal, *, final: bool = False) -> None:
        """Read a journal from its beginning, into a new state."""
        self.journal = journal
        self._unusable: list[Damage] = []
        self._relocation = None
        self.texts = Texts(self._cache_size, {journal.header.generation: journal.file})
        self.state = State(self.texts, journal.header.last)
        size, _ = journal.look()
        # What is in doubt is met again by the refresh that follows, which may take the lock.
        with suppress(InDoubt), self.state.index.filling():
            self._read_on(size, final=final)

    def _read_on(self, size: int, *, final: bool) -> None:
        journal = self.journal
        if size < journal.position:
            raise StoreCorrupt(
                f"{self._path}: {size} bytes long, but {journal.position} were read already:"
                " something cut it off. Stop the server and put the file back from a copy"
            )
        known = len(journal.damage)
        for record in journal.records(size, final=final):
            self._take(record)
        for damage in journal.damage[known:]:
            self._note(damage, "no good record")
        if journal.doubtful:
            raise InDoubt

    def _take(self, record: Record) -> None:
        generation = self.journal.header.generation
        place = Place(record.number, record.start, record.end, generation)
        try:
            operation = operations.decode(record.payload)
            gone = self.state.apply(place, operation)
        except (msgspec.MsgspecError, ValueError) as error:
            damage = Damage(record.start, record.end)
            self._unusable.append(damage)
            self._note(damage, str(error))
            return
        if record.payload.startswith(operations.KEPT):
            self.journal.kept_end = record.end
        if gone:
            self._gone(gone)

    def _note(self, damage: Damage, what: str) -> None:
        self._notices.append(
            f"{self._path}: bytes {damage.start} to {damage.end} are left out: {what}"
        )

    def _cut(self, size: int) -> None:
        """What is cut off was told to nobody, unless the file lost its end: so it is put aside."""
        start, generation = self.journal.position, self.journal.header.generation
        data = read_at(self.journal.file, start, size)
        try:
            where = f"now in {aside.keep(self._path.parent, f'cut-{generation}-{start}', data)}"
        except (OSError, StoreUnavailable) as error:
            where = f"lost ({error})"
        self.journal.cut()
        self._notices.append(
            f"{self._path}: cut off an incomplete record at byte {start} ({size - start} bytes),"
            f" which nobody was told is kept; {where}"
        )

    def _move_on(self, *, locked: bool) -> None:
        """Go over to the file that took this one's place."""
        self._refuse_again()
        old, new = self.journal, Journal(self._path, self._sync)
        if new.header.epoch != old.header.epoch:
            raise StoreCorrupt(f"{self._path}: other data lies here now; restart the server")
        following = new.header.generation == old.header.generation + 1
        if not (following and not self.damage and self._go_over(new)):
            self._load_newer(new, locked=locked)
        self._refused = None
        self._switched()

    def _load_newer(self, new: Journal, *, locked: bool) -> None:
        """Load another journal, unless it says less than is known already: then all stays as it is.

        Its numbers would be given a second time, and what was acknowledged would be gone unseen.
        """
        kept = self.journal, self._unusable, self._relocation, self.texts, self.state
        last = self.state.last
        try:
            self._load(new, final=locked)
            if self.state.last < last:
                if new.doubtful:
                    raise InDoubt
                self._refused = new, new.look()[0]
                raise self._older()
        except BaseException:
            self.journal, self._unusable, self._relocation, self.texts, self.state = kept
            raise

    def _refuse_again(self) -> None:
        """Don't read once more what was read in vain, unless somebody has written to it since."""
        if self._refused is not None:
            refused, size = self._refused
            if refused.look() == (size, False):
                raise self._older()

    def _older(self) -> StoreCorrupt:
        return StoreCorrupt(f"{self._path}: an older copy lies here now; restart the server")

    def _go_over(self, new: Journal) -> bool:
        """Read on in the new file, with all that is known; whether that can be done."""
        try:
            end = end_of_known(new, self.state.last)
        except Missing:
            return False
        self._relocation = Relocation(new, end, self.state.last)
        self.texts.files = {**self.texts.files, new.header.generation: new.file}
        new.position = end
        self.journal = new
        return True
