"""The state that the journal's records make, one after the other.

Reading and writing go through the same :meth:`State.apply`, so what the worker that wrote a
change knows is what every other worker reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from pipeline_host.models import Change, ProcessSummary, Removed, Workspace
from pipeline_host_filestore import operations
from pipeline_host_filestore.index import Entry, Index, Place
from pipeline_host_filestore.operations import (
    Add,
    Clear,
    Kept,
    KeptChange,
    KeptProcess,
    KeptWorkspace,
    Mutation,
    Register,
    Remove,
    Update,
)
from pipeline_host_filestore.texts import LARGE, Texts, held_fields, shortened
from pipeline_host_filestore.window import ChangeWindow


class State:
    """Everything one worker knows of a store, as of the change :attr:`last`.

    Args:
        last: the number of the newest change that the journal's kept records hold.
    """

    def __init__(self, texts: Texts, last: int = 0) -> None:
        self.index = Index()
        self.window = ChangeWindow()
        self.window.floor = last
        self.workspaces: dict[str, Workspace] = {}
        self.last = last
        self._texts = texts

    def apply(self, place: Place, operation: Mutation | Kept) -> Sequence[Entry]:
        """Take one record; returns the entries that are gone with it.

        Raises:
            ValueError: the record can't follow on those before.
        """
        match operation:
            case KeptProcess(version=version, fingerprint=fingerprint):
                return self._put(place, operation, version, fingerprint)
            case KeptWorkspace(workspace=workspace):
                self.workspaces[workspace.id] = workspace
                return ()
            case KeptChange(change=change):
                self.window.append(change)
                return ()
        if place.number <= self.last:
            raise ValueError(f"change {place.number} comes after change {self.last}")
        self.last = place.number
        return self._apply_change(place, operation)

    def _apply_change(self, place: Place, operation: Mutation) -> Sequence[Entry]:
        gone: Sequence[Entry] = ()
        told: dict[str, Any] = {}
        match operation:
            case Add(fingerprint=fingerprint, process=process):
                gone = self._put(place, operation, place.number, fingerprint)
                told = {"kind": "process-added", "process": process.summary()}
            case Update(id=process_id):
                entry = self._update(place, operation)
                told = {"kind": "process-updated", "process": self._summary(entry)}
            case Remove(id=process_id):
                gone = self._drop([process_id])
                if not gone:
                    raise _unknown(place)
                told = {"kind": "process-removed", "removed": tuple(map(_removed, gone))}
            case Clear(ids=ids):
                gone = self._drop(ids)
                told = {"kind": "processes-cleared", "removed": tuple(map(_removed, gone))}
            case Register(workspace=workspace):
                self.workspaces[workspace.id] = workspace
                told = {"kind": "workspace-registered", "workspace": workspace}
        self.window.append(Change(seq=place.number, timestamp=operation.time, **told))
        return gone

    def _put(
        self, place: Place, operation: Add | KeptProcess, version: int, fingerprint: str
    ) -> Sequence[Entry]:
        """Put in a process as a whole; gives the entry of an earlier one of its id."""
        process = operation.process
        size = place.end - place.start
        short = shortened(held_fields(operation)) if size > LARGE else {}
        old = self.index.get(process.id)
        self.index.put(
            Entry(
                process=replace(process, **short) if short else process,
                fingerprint=fingerprint,
                incarnation=place.number,
                version=version,
                size=size,
                large=dict.fromkeys(short, place),
                output=operation.output if isinstance(operation, KeptProcess) else None,
            )
        )
        return () if old is None else (old,)

    def _update(self, place: Place, update: Update) -> Entry:
        old = self.index.get(update.id)
        if old is None:
            raise _unknown(place)
        fields = operations.updated_fields(update)
        short = shortened(fields) if place.end - place.start > LARGE else {}
        large = {name: at for name, at in old.large.items() if name not in fields}
        entry = replace(
            old,
            process=replace(old.process, **(fields | short)),
            version=place.number,
            large=large | dict.fromkeys(short, place),
            output=old.output if update.output is None else update.output,
        )
        self.index.put(entry)
        return entry

    def _drop(self, ids: Iterable[str]) -> Sequence[Entry]:
        return [entry for process_id in ids if (entry := self.index.drop(process_id)) is not None]

    def _summary(self, entry: Entry) -> ProcessSummary:
        if entry.large.keys() & {"prompt_preview", "error"}:
            return self._texts.whole(entry, remember=False).summary()
        return entry.process.summary()


def _unknown(place: Place) -> ValueError:
    return ValueError(f"change {place.number} is of a process that is not known")


def _removed(entry: Entry) -> Removed:
    process = entry.process
    return Removed(id=process.id, status=process.status, workspace_id=process.workspace_id)
