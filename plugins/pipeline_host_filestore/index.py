"""All processes of a store in memory, and the sorted sets that lists are cut from. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple, TypeAlias

from msgspec import Struct
from sortedcontainers import SortedList

from pipeline_host.models import Lease, Process, Status, Timestamp


class Place(NamedTuple):
    """Where a record lies in the journal of a generation."""

    number: int
    start: int
    end: int
    generation: int


class Entry(Struct, frozen=True, kw_only=True):
    """What is known of one process without reading.

    Attributes:
        process: the process as it is now, but for the fields in ``large``.
        fingerprint: that of its create.
        incarnation: the number of the change that created it; tells apart processes that had the
            same id one after the other.
        version: the number of the change that made it what it is now.
        size: the length of the record that it began with, in bytes.
        large: for each field that is too long to keep in memory, the record that holds it.
        output: how long the output of a process was when it ended, in bytes of text, if known.
    """

    process: Process
    fingerprint: str
    incarnation: int
    version: int
    size: int
    large: Mapping[str, Place]
    output: int | None = None


class Key(NamedTuple):
    """The place of a process in every list: by start time, then by creation."""

    start_time: Timestamp
    incarnation: int
    id: str


Facet: TypeAlias = tuple[str, ...]
"""Names a set of processes that have something in common: its kind, then what that is."""

ALL: Final[Facet] = ("all",)
_LOOK_UP: Final = 16
"""Looking up one entry takes about as long as copying so many."""


def of_workspace(workspace: str) -> Facet:
    return ("workspace", workspace)


def of_status(status: Status) -> Facet:
    return ("status", status)


def of_workspace_status(workspace: str, status: Status) -> Facet:
    return ("workspace-status", workspace, status)


def of_type(process_type: str) -> Facet:
    return ("type", process_type)


def of_parent(parent: str) -> Facet:
    return ("parent", parent)


def key_of(entry: Entry) -> Key:
    return Key(entry.process.start_time, entry.incarnation, entry.process.id)


class Index:
    """The processes by id, and their keys by facet, each facet sorted."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._facets: dict[str, dict[Facet, SortedList[Key]]] = {}
        self._filling = False
        self.bytes = 0
        """The sum of all entries' sizes."""
        self.leases: dict[str, Lease] = {}
        """The lease of each process that has one and hasn't ended, by id."""

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, process_id: str) -> Entry:
        return self._entries[process_id]

    def get(self, process_id: str) -> Entry | None:
        return self._entries.get(process_id)

    def of(self, keys: Iterable[Key]) -> list[Entry]:
        """The entries of keys that are in a facet."""
        entries = self._entries
        return [entries[key.id] for key in keys]

    def at_once(self, facets: Sequence[Sequence[Key]]) -> Mapping[str, Entry]:
        """The entries of all keys of some facets, and maybe others, as they are at this moment."""
        # To copy all takes far less time than to look up as many.
        if _LOOK_UP * sum(map(len, facets)) > len(self._entries):
            return self._entries.copy()
        return {key.id: self._entries[key.id] for keys in facets for key in keys}

    def ids(self) -> list[str]:
        return list(self._entries)

    def entries(self) -> Iterable[Entry]:
        return self._entries.values()

    def facet(self, facet: Facet) -> SortedList[Key]:
        """The sorted keys of a facet; not to be changed."""
        keys = self._facets.get(facet[0], {}).get(facet)
        return SortedList() if keys is None else keys

    def workspaces(self) -> Iterator[tuple[str, SortedList[Key]]]:
        """Each workspace that has processes, with their keys."""
        for facet, keys in self._facets.get("workspace", {}).items():
            yield facet[1], keys

    def put(self, entry: Entry) -> None:
        """Add an entry, or put it in the place of the one of the same id."""
        old = self._entries.get(entry.process.id)
        self._entries[entry.process.id] = entry
        self.bytes += entry.size
        self._keep_lease(entry.process)
        if old is not None:
            self.bytes -= old.size
            if key_of(old) == key_of(entry) and _facets_of(old) == _facets_of(entry):
                return
            self._leave(old)
        self._join(entry)

    def drop(self, process_id: str) -> Entry | None:
        """Forget an entry; returns it."""
        entry = self._entries.pop(process_id, None)
        if entry is not None:
            self.bytes -= entry.size
            self.leases.pop(process_id, None)
            self._leave(entry)
        return entry

    @contextmanager
    def filling(self) -> Iterator[None]:
        """While very many entries are put in, the facets rest; they are made afterwards at once."""
        self._filling = True
        try:
            yield
        finally:
            self._filling = False
            self._make_facets()

    def relocate(self, entry: Entry) -> None:
        """Put an entry in the place of the one of its id, which says the same but for places."""
        self.bytes += entry.size - self._entries[entry.process.id].size
        self._entries[entry.process.id] = entry

    def _keep_lease(self, process: Process) -> None:
        if process.lease is None or process.terminal:
            self.leases.pop(process.id, None)
        else:
            self.leases[process.id] = process.lease

    def _make_facets(self) -> None:
        members: dict[Facet, list[Key]] = {}
        for entry in self._entries.values():
            key = key_of(entry)
            for facet in _facets_of(entry):
                members.setdefault(facet, []).append(key)
        self._facets = {}
        for facet, keys in members.items():
            self._facets.setdefault(facet[0], {})[facet] = SortedList(keys)

    def _join(self, entry: Entry) -> None:
        if self._filling:
            return
        key = key_of(entry)
        for facet in _facets_of(entry):
            self._facets.setdefault(facet[0], {}).setdefault(facet, SortedList()).add(key)

    def _leave(self, entry: Entry) -> None:
        if self._filling:
            return
        key = key_of(entry)
        for facet in _facets_of(entry):
            kind = self._facets[facet[0]]
            kind[facet].remove(key)
            if not kind[facet]:
                del kind[facet]


def _facets_of(entry: Entry) -> list[Facet]:
    process = entry.process
    facets = [ALL, of_status(process.status), of_type(process.type)]
    workspace = process.workspace_id
    if workspace is not None:
        facets.append(of_workspace(workspace))
        facets.append(of_workspace_status(workspace, process.status))
    if process.parent_process_id is not None:
        facets.append(of_parent(process.parent_process_id))
    return facets
