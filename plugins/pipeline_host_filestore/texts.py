"""The long fields of processes: left out of the index, read from the journal when asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from pipeline_host.errors import StoreCorrupt
from pipeline_host.models import Process
from pipeline_host_filestore import codec, operations
from pipeline_host_filestore.files import OpenFile, read_at, unavailable
from pipeline_host_filestore.index import Entry, Place
from pipeline_host_filestore.operations import Add, KeptProcess, Update

LARGE: Final = 1024
"""From this length on (characters, or bytes of JSON) a field is not kept in memory."""

_REQUIRED_TEXTS: Final = ("prompt_preview", "full_prompt")
_OPTIONAL_TEXTS: Final = ("error", "result", "structured_result")
_OBJECTS: Final = (
    "metadata",
    "group_metadata",
    "code_review_metadata",
    "discovery_metadata",
    "code_review_group_metadata",
)
_INDEXED_METADATA: Final = ("workspaceId", "workspaceName")


def shortened(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What stands in memory for those fields that are too long for it, by attribute name."""
    short: dict[str, Any] = {}
    for name in _REQUIRED_TEXTS + _OPTIONAL_TEXTS:
        value = fields.get(name)
        if value is not None and len(value) > LARGE:
            short[name] = "" if name in _REQUIRED_TEXTS else None
    for name in _OBJECTS:
        value = fields.get(name)
        if value is not None and len(operations.encode(value)) > LARGE:
            short[name] = None
    if "metadata" in short:
        metadata = fields["metadata"]
        short["metadata"] = {key: metadata[key] for key in _INDEXED_METADATA if key in metadata}
    return short


class Texts:
    """Gives whole processes, and remembers the ones it gave last.

    Args:
        limit: how much may be remembered, in bytes of the records that hold the fields.
        files: the journals that the places of entries refer to, by generation.
    """

    def __init__(self, limit: int, files: Mapping[int, OpenFile]) -> None:
        self._limit = limit
        self._known: OrderedDict[int, tuple[Process, int]] = OrderedDict()
        self._size = 0
        self.files = files

    def apart(self) -> Texts:
        """Another that shares nothing with this one, for use where nothing is locked."""
        return Texts(0, self.files)

    def whole(self, entry: Entry, *, remember: bool = True) -> Process:
        """The process with all its fields.

        Raises:
            StoreCorrupt: a record that was good when it was first read no longer is.
            StoreUnavailable: it can't be read.
        """
        if not entry.large:
            return entry.process
        known = self._known.get(entry.version)
        if known is not None:
            self._known.move_to_end(entry.version)
            return known[0]
        places = set(entry.large.values())
        process = self._read(entry, places)
        if remember:
            self._remember(entry.version, process, sum(p.end - p.start for p in places))
        return process

    def _read(self, entry: Entry, places: set[Place]) -> Process:
        fields: dict[str, Any] = {}
        for place in places:
            held = self._fields_at(place)
            fields |= {name: held[name] for name, at in entry.large.items() if at == place}
        return replace(entry.process, **fields)

    def _fields_at(self, place: Place) -> Mapping[str, Any]:
        file = self.files[place.generation]
        try:
            data = read_at(file, place.start, place.end)
        except OSError as error:
            raise unavailable("read", file.path, error) from error
        records = codec.scan(data, place.start).records
        if not records or records[0].number != place.number:
            raise StoreCorrupt(f"{file.path}: the record at byte {place.start} is damaged")
        return held_fields(operations.decode(records[0].payload))

    def _remember(self, version: int, process: Process, size: int) -> None:
        self._known[version] = (process, size)
        self._size += size
        while self._size > self._limit and self._known:
            _, (_, forgotten) = self._known.popitem(last=False)
            self._size -= forgotten


def held_fields(operation: operations.Mutation | operations.Kept) -> Mapping[str, Any]:
    """The fields of a process that a record holds, by attribute name."""
    match operation:
        case Add(process=process) | KeptProcess(process=process):
            return {name: getattr(process, name) for name in process.__struct_fields__}
        case Update():
            return operations.updated_fields(operation)
        case _:
            raise ValueError(f"no process in {operation!r}")
