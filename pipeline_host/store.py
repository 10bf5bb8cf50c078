"""What a storage plugin implements.

A store keeps processes, workspaces and output, and numbers every change. All else (live events,
followers, the HTTP API) is written once, in the host, on top of these methods.
The rules are proved by :class:`pipeline_host.testing.ProcessStoreContract`.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final, Protocol, TypeAlias, runtime_checkable

from msgspec.structs import replace

from pipeline_host.models import (
    MAX_LIMIT,
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
from pipeline_host.transitions import Mutation

Unsubscribe: TypeAlias = Callable[[], None]
READ_LIMIT: Final = 256 * 1024
CHANGE_LIMIT: Final = 1000


class ProcessStore(abc.ABC):
    """A store of processes; safe to call from several threads, and from greenlets.

    Every method that changes something returns only when the change is kept as safely as the
    store promises. Any of them may raise :class:`~pipeline_host.errors.StoreUnavailable`; none
    answers a reading error with emptiness.
    """

    @property
    @abc.abstractmethod
    def epoch(self) -> str:
        """Names this set of data: made once with it, letters and digits only, at most 32.

        Cursors carry it, so that one from another data directory is recognised.
        """

    @abc.abstractmethod
    def add(self, process: Process) -> Added:
        """Keep a new process, as :func:`transitions.created` makes it.

        A known id with the same :func:`transitions.fingerprint` as when it was created changes
        nothing, whatever became of that process since, and returns it as it is now.

        Raises:
            Conflict: the id is known and was created with something else.
        """

    @abc.abstractmethod
    def get(self, process_id: str) -> Process:
        """The process as it is now.

        Raises:
            NotFound: there is none.
        """

    @abc.abstractmethod
    def list(self, query: ProcessFilter) -> Page:
        """One page of the processes that match.

        A page of none (``limit`` 0) only counts: it is what is asked for often.

        Raises:
            InvalidInput: ``query.cursor`` is not one that a page gave.
        """

    @abc.abstractmethod
    def update(self, process_id: str, mutate: Mutation) -> Process:
        """Change a process in one step that no other change can come between.

        ``mutate`` gets the process and returns what it shall be. What it raises is raised here,
        and nothing changes; if it returns an equal process nothing changes and no change number
        is used. It may be called more than once, and must not use the store. From the moment
        that a status turned terminal, no output can follow.

        Raises:
            NotFound: there is none.
        """

    @abc.abstractmethod
    def remove(self, process_id: str) -> Process:
        """Forget a process and its output; returns its last state.

        Raises:
            NotFound: there is none.
        """

    @abc.abstractmethod
    def clear(self, statuses: Sequence[Status], workspace: str | None = None) -> Sequence[str]:
        """Forget all processes of these statuses (and workspace), as one change; returns their ids.

        Where there are none it is no change.
        """

    @abc.abstractmethod
    def prune(
        self, *, max_age: timedelta | None = None, max_count: int | None = None
    ) -> Sequence[str]:
        """Forget ended processes: those that ended longer ago than ``max_age``, and the oldest
        (by start) beyond the newest ``max_count`` processes. Never one that has not ended.
        One change, as :meth:`clear` makes it. Returns their ids.
        """

    @abc.abstractmethod
    def stats(self) -> Stats:
        """Counts of all processes, in a time that doesn't grow with their number."""

    @abc.abstractmethod
    def register_workspace(self, workspace: Workspace) -> Workspace:
        """Keep a workspace, instead of an earlier one of the same id."""

    @abc.abstractmethod
    def workspaces(self) -> Sequence[Workspace]:
        """All workspaces, in the order of their first registration."""

    @abc.abstractmethod
    def changes(self, after: int, limit: int = CHANGE_LIMIT) -> ChangeBatch:
        """At most ``limit`` changes with a number above ``after``, in order.

        A store may forget old changes. Where it forgot some that ``after`` would have to see, or
        ``after`` is above the newest number, the batch has ``resync`` set and no changes.
        """

    @abc.abstractmethod
    def append_output(
        self, process_id: str, chunks: Sequence[Chunk], offset: int | None = None
    ) -> int:
        """Add to a process's output, all chunks or none; returns its length after, in UTF-8 bytes.

        The store sets each chunk's ``offset``, ``length`` and ``time``, and leaves out empty ones.
        With ``offset``, the part that is already stored is left out, byte by byte: that makes a
        repeat harmless, even when the chunks are cut otherwise than at first. What differs from
        what is stored is no repeat, as another one wrote there; :func:`pipeline_host.output.place`
        sees to all of that.

        Raises:
            NotFound: there is no such process.
            TerminalState: it has ended, and the chunks are not a mere repeat of what is stored.
            OffsetMismatch: ``offset`` lies beyond the output's length, or other output is there.
        """

    @abc.abstractmethod
    def read_output(self, process_id: str, after: int = 0, limit: int = READ_LIMIT) -> OutputBatch:
        """Output from the byte ``after`` on, as the chunks that were written.

        At least one chunk if there is any, then more while they are within ``limit`` bytes.
        ``after`` below what is still kept reads from there; at or above the end reads nothing.

        Raises:
            NotFound: there is no such process.
        """

    def leases(self) -> Mapping[str, Lease]:
        """The lease of each process that has one and hasn't ended, by the process's id.

        It is asked for once a second. This one goes through all processes that haven't ended; a
        store with many of them better finds those with a lease by an index.
        """
        query = ProcessFilter(statuses=("queued", "running"), limit=MAX_LIMIT)
        found: dict[str, Lease] = {}
        while True:
            page = self.list(query)
            found |= {p.id: p.lease for p in page.processes if p.lease is not None}
            if page.next_cursor is None:
                return found
            query = replace(query, cursor=page.next_cursor)

    @abc.abstractmethod
    def close(self) -> None:
        """Let go of files and connections; what was acknowledged is kept."""


@runtime_checkable
class DoorbellStore(Protocol):
    """A store that several workers (or machines) share, so that a change made elsewhere is heard.

    A doorbell says "look", never what happened: a lost one costs time (the feed also looks once a
    second), a needless one costs a look.
    """

    def listen(self, process_id: str | None, ring: Callable[[], None]) -> Unsubscribe:
        """Call ``ring`` soon after each change (``None``), or after each output of one process.

        ``ring`` may be called from any thread; it returns at once and raises nothing.
        """


class Lead(Protocol):
    """The right to do something as the only one of all workers; from :meth:`LeaderStore.lead`."""

    @property
    def held(self) -> bool:
        """Whether it still is; a store whose connection was lost may have given it to another."""

    def release(self) -> None:
        """Let another have it; a second time does nothing."""


@runtime_checkable
class LeaderStore(Protocol):
    """A store that elects one of its workers (or machines), and keeps what the elected needs.

    Names are the host's: small letters, digits, ``-``, ``_`` and ``.``, at most 200.
    """

    def lead(self, name: str) -> Lead | None:
        """Take the lead of ``name`` if nobody has it; returns at once.

        It ends when it is released, when this store is closed, and when its process dies, however
        it dies.
        """

    def load_cursor(self, name: str) -> int | None:
        """The change number that was last saved under ``name``; ``None`` if none ever was."""

    def save_cursor(self, name: str, seq: int) -> None:
        """Keep a change number for whoever leads next, also after a restart of everything.

        A loss of power may bring back an older one.
        """


@runtime_checkable
class ExaminedStore(Protocol):
    """A store that can say what of its data can't be read."""

    def examine(self) -> Sequence[str]:
        """What is wrong with the data, a sentence each that says where; empty if nothing is.

        It changes nothing, may read everything, and may run while others use the data.
        """
