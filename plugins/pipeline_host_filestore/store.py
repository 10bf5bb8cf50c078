"""The store itself: what the rest of this package is put together to."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

from pipeline_host.errors import Conflict, NotFound, OffsetMismatch, StoreUnavailable, TerminalState
from pipeline_host.models import (
    Added,
    ChangeBatch,
    Chunk,
    Lease,
    OutputBatch,
    Page,
    Process,
    ProcessFilter,
    Stats,
    Status,
    Workspace,
)
from pipeline_host.output import MAX_PIECE, ReadStored, place
from pipeline_host.store import CHANGE_LIMIT, READ_LIMIT, ProcessStore, Unsubscribe
from pipeline_host.times import now_ms, timestamp
from pipeline_host.transitions import Mutation, created, fingerprint
from pipeline_host_filestore import (
    counting,
    examining,
    journal,
    listing,
    lost_end,
    operations,
    outputs,
    pruning,
)
from pipeline_host_filestore.access import Access
from pipeline_host_filestore.codec import Damage
from pipeline_host_filestore.compaction import Compactor
from pipeline_host_filestore.doorbell import Doorbell
from pipeline_host_filestore.flusher import Flusher
from pipeline_host_filestore.index import Entry, Index
from pipeline_host_filestore.leading import FileLead, Leading
from pipeline_host_filestore.listing import Listing
from pipeline_host_filestore.opening import find, open_replica, prepare
from pipeline_host_filestore.operations import Add, Clear, Register, Remove
from pipeline_host_filestore.options import FileStoreOptions
from pipeline_host_filestore.output import OutputLog, Tail
from pipeline_host_filestore.outputs import OutputLogs
from pipeline_host_filestore.pacing import Pace
from pipeline_host_filestore.replica import Replica
from pipeline_host_filestore.syncer import Sync
from pipeline_host_filestore.texts import Texts
from pipeline_host_filestore.watching import Target

_log: Final = logging.getLogger(__name__)
_MILLISECOND: Final = timedelta(milliseconds=1)


class FileProcessStore(ProcessStore):
    """Processes in a journal, their output in a file each, shared by all workers of a machine.

    Every call looks whether another worker wrote, and every change is in the file before it is
    acknowledged, so a worker that is killed takes nothing with it.

    Args:
        data_dir: the folder that holds it all, made if it isn't there.
        options: see there, above all for ``durability``.
        fdatasync: how a file is synced.
        examining: it is only read from; nothing is made, deleted or put in order.

    Raises:
        StartupError: the folder can't be used, or what lies in it can't be read; says why.
    """

    def __init__(
        self,
        data_dir: Path,
        options: FileStoreOptions | None = None,
        *,
        fdatasync: Sync = os.fdatasync,
        examining: bool = False,
    ) -> None:
        options = options or FileStoreOptions()
        self._data_dir = data_dir = data_dir.absolute()
        self._durability = options.durability
        notices: deque[str] = deque()
        lock = (find if examining else prepare)(data_dir, options.lock_timeout)
        self._outputs = OutputLogs(
            data_dir / outputs.FOLDER, options.open_outputs, fdatasync, notices.append
        )
        replica = open_replica(data_dir, options, fdatasync, notices, self._outputs)
        self._epoch = replica.epoch
        self._access = Access(lock, replica, notices, cuts=not examining)
        self._flusher = Flusher(options.flush_interval)
        self._doorbell = Doorbell()
        self._leading = Leading(data_dir)
        self._compactor = Compactor(
            data_dir, self._access, self._outputs, fdatasync, options.compact_size
        )
        if not examining:
            lost_end.make_up_for(
                data_dir, self._access, self._outputs, self._leading, notices.append
            )
            self._compactor.sweep()

    @property
    def epoch(self) -> str:
        return self._epoch

    @property
    def damage(self) -> Sequence[Damage]:
        """The parts of the journal that are left out because they can't be read."""
        with self._access.reading() as replica:
            return replica.damage

    def add(self, process: Process) -> Added:
        print_ = fingerprint(process)
        with self._changing() as replica:
            known = replica.state.index.get(process.id)
            if known is None:
                new = created(process)
                replica.commit(Add(time=now_ms(), process=new, fingerprint=print_))
                return Added(process=new, created=True)
            if known.fingerprint != print_:
                raise Conflict(f"Process {process.id} exists and was created otherwise")
            return Added(process=replica.texts.whole(known), created=False)

    def get(self, process_id: str) -> Process:
        with self._access.reading() as replica:
            return replica.texts.whole(_known(replica, process_id))

    def list(self, query: ProcessFilter) -> Page:
        with self._access.reading() as replica:
            found = listing.select(replica.state.index, query, self._epoch)
            if isinstance(found, Listing):
                return _page(found, query, replica.texts)
            texts = replica.texts.apart()
        # As it was at that moment: others go on, while each text is looked at.
        return _page(listing.search(found, texts.whole, Pace().pause), query, texts)

    def update(self, process_id: str, mutate: Mutation) -> Process:
        with self._changing() as replica:
            entry = _known(replica, process_id)
            before = replica.texts.whole(entry)
            after = mutate(before)
            if after.id != process_id:
                raise ValueError(f"a mutation of {process_id!r} made it {after.id!r}")
            fields = operations.difference(before, after)
            ends = after.terminal and not before.terminal
            if fields:
                # No output can follow, here or in another worker: all of them write under the lock.
                output = self._outputs.length(entry) if ends else None
                replica.commit(operations.update_of(process_id, fields, now_ms(), output))
        if ends:
            self._keep_all_output(entry)
        return after

    def remove(self, process_id: str) -> Process:
        with self._changing() as replica:
            entry = _known(replica, process_id)
            last = replica.texts.whole(entry)
            replica.commit(Remove(time=now_ms(), id=process_id))
        self._outputs.delete([entry])
        return last

    def clear(self, statuses: Sequence[Status], workspace: str | None = None) -> Sequence[str]:
        return self._clear(lambda index: pruning.to_clear(index, statuses, workspace))

    def prune(
        self, *, max_age: timedelta | None = None, max_count: int | None = None
    ) -> Sequence[str]:
        before = None
        if max_age is not None:
            before = timestamp(max(0, now_ms() - round(max_age / _MILLISECOND)))
        return self._clear(lambda index: pruning.to_prune(index, before, max_count))

    def stats(self) -> Stats:
        with self._access.reading() as replica:
            return counting.stats_of(replica.state)

    def register_workspace(self, workspace: Workspace) -> Workspace:
        with self._changing() as replica:
            if replica.state.workspaces.get(workspace.id) != workspace:
                replica.commit(Register(time=now_ms(), workspace=workspace))
        return workspace

    def workspaces(self) -> Sequence[Workspace]:
        with self._access.reading() as replica:
            return tuple(replica.state.workspaces.values())

    def changes(self, after: int, limit: int = CHANGE_LIMIT) -> ChangeBatch:
        with self._access.reading() as replica:
            return replica.state.window.after(after, limit, replica.state.last)

    def leases(self) -> Mapping[str, Lease]:
        with self._access.reading() as replica:
            return replica.state.index.leases.copy()

    def append_output(
        self, process_id: str, chunks: Sequence[Chunk], offset: int | None = None
    ) -> int:
        self._outputs.check(process_id)
        with self._access.writing() as replica:
            entry = _known(replica, process_id)
            log = self._outputs.existing(entry)
            tail = log.put_in_order() if log else Tail(0, 0)
            read = partial(_stored, log, tail)
            placed = _placed(entry, chunks, offset, tail.length, read)
            if placed:
                log = log or self._outputs.writable(entry)
                tail = log.append(placed, tail)
        if log is not None:
            self._keep_output(log, tail)
        return tail.length

    def read_output(self, process_id: str, after: int = 0, limit: int = READ_LIMIT) -> OutputBatch:
        # The status first: what was written before it was read is then in the file.
        with self._access.reading() as replica:
            entry = _known(replica, process_id)
        log = self._outputs.existing(entry)
        tail = log.tail() if log else Tail(0, 0)
        chunks = log.read(after, limit, tail) if log else ()
        self._access.tell()
        if log is None and self._incarnation(process_id) != entry.incarnation:
            return self.read_output(process_id, after, limit)
        return OutputBatch(
            chunks=tuple(chunks),
            start=0,
            end=max(tail.length, entry.output or 0),
            sealed=entry.process.terminal,
            incarnation=entry.incarnation,
        )

    def listen(self, process_id: str | None, ring: Callable[[], None]) -> Unsubscribe:
        """See :class:`pipeline_host.store.DoorbellStore`."""
        if process_id is None:
            return self._doorbell.listen(Target(self._data_dir, journal.NAME), ring)
        try:
            target = self._outputs.target(process_id)
        except StoreUnavailable as error:
            # A full disk must not keep anybody from reading; who listens also looks by himself.
            _log.warning("Output of %s is not listened to: %s", process_id, error)
            return lambda: None
        return self._doorbell.listen(target, ring)

    def lead(self, name: str) -> FileLead | None:
        """See :class:`pipeline_host.store.LeaderStore`."""
        return self._leading.lead(name)

    def load_cursor(self, name: str) -> int | None:
        return self._leading.load(name)

    def save_cursor(self, name: str, seq: int) -> None:
        self._leading.save(name, seq)

    def examine(self) -> Sequence[str]:
        """See :class:`pipeline_host.store.ExaminedStore`."""
        with self._access.reading() as replica:
            damage, entries = tuple(replica.damage), tuple(replica.state.index.entries())
        return tuple(examining.sentences(self._data_dir, damage, entries, self._outputs))

    def close(self) -> None:
        self._leading.close()
        self._compactor.close()
        self._doorbell.close()
        self._flusher.close()
        self._access.close()
        self._outputs.forget_all()

    @contextmanager
    def _changing(self) -> Iterator[Replica]:
        """The replica, to be changed; what it says is safe when this has ended without an error."""
        self._access.check_sync()
        with self._access.writing() as replica:
            yield replica
            journal_file, end = replica.journal, replica.journal.position
            grown = self._compactor.wanted(replica)
        if grown:
            self._compactor.start()
        if self._durability != "os":
            journal_file.sync.wait(end)

    def _clear(self, choose: Callable[[Index], Sequence[str]]) -> Sequence[str]:
        with self._access.reading() as replica:
            if not choose(replica.state.index):
                return ()
        with self._changing() as replica:
            ids = choose(replica.state.index)
            entries = [replica.state.index[process_id] for process_id in ids]
            if ids:
                replica.commit(Clear(time=now_ms(), ids=tuple(ids)))
        self._outputs.delete(entries)
        return ids

    def _keep_output(self, log: OutputLog, tail: Tail) -> None:
        if self._durability == "full":
            log.sync.wait(tail.position)
        elif self._durability == "synced":
            self._flusher.mark(log, tail.position)

    def _keep_all_output(self, entry: Entry) -> None:
        """Make safe what any worker wrote of a process's output."""
        log = None if self._durability == "os" else self._outputs.existing(entry)
        if log is not None:
            log.sync.wait(log.tail().position)

    def _incarnation(self, process_id: str) -> int:
        with self._access.reading() as replica:
            return _known(replica, process_id).incarnation


def _page(found: Listing, query: ProcessFilter, texts: Texts) -> Page:
    return Page(
        processes=tuple(map(texts.whole, found.entries)),
        total=found.total,
        limit=query.limit,
        offset=query.offset,
        next_cursor=found.next_cursor,
    )


def _known(replica: Replica, process_id: str) -> Entry:
    entry = replica.state.index.get(process_id)
    if entry is None:
        raise NotFound
    return entry


def _stored(log: OutputLog | None, tail: Tail, after: int, size: int) -> Sequence[Chunk]:
    """What is stored from a byte on; the first chunk may begin earlier, the last end later."""
    return log.read(after, size + 2 * MAX_PIECE, tail) if log else ()


def _placed(
    entry: Entry, chunks: Sequence[Chunk], offset: int | None, length: int, read: ReadStored
) -> Sequence[Chunk]:
    """The chunks that are new; for a process that has ended there can't be any."""
    ended = entry.process.terminal
    try:
        placed = place(chunks, offset, length, read)
    except OffsetMismatch:
        if ended:
            raise TerminalState(entry.process.status) from None
        raise
    if placed and ended:
        raise TerminalState(entry.process.status)
    return placed
