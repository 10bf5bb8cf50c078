"""What the records of the journal and of the output files say: their JSON, as types. Pure.

The journal begins with a :class:`Header`. Then follow, in a journal that was compacted, what is
kept of the past (``kept-…``), and then one record for each change: it is one line, so a change
is in the file as a whole or not at all. A change's record has the change's number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from pipeline_host.models import Change, Process, Workspace
from pipeline_host.transitions import same

FORMAT: Final = 1
KEPT: Final = b'{"op":"kept-'
"""How the payload of each record begins that a compaction made."""
KEPT_PROCESS: Final = b'{"op":"kept-process"'
"""How that of each :class:`KeptProcess` begins."""


class Header(Struct, frozen=True, tag_field="op", tag="header"):
    """The first record; its number is 0.

    Attributes:
        format: the version of this format.
        epoch: names this set of data, for as long as there is any.
        generation: rises by one with each compaction.
        last: the number of the newest change that the kept records hold.
    """

    format: int
    epoch: str
    generation: int
    last: int = 0


class Add(Struct, frozen=True, tag_field="op", tag="add"):
    """A new process; ``time`` here and below is that of the change, milliseconds since 1970."""

    time: int
    process: Process
    fingerprint: str


class Update(Struct, frozen=True, omit_defaults=True, tag_field="op", tag="update"):
    """New values of some fields of a process, ``null`` where a field has none any more.

    Attributes:
        output: where the process ends with it, how long its output is then, in bytes of text, so
            that an output file which lost its end can be told from one that is whole. The first
            journals don't say it.
    """

    time: int
    id: str
    fields: Raw
    output: int | None = None


class Remove(Struct, frozen=True, tag_field="op", tag="remove"):
    time: int
    id: str


class Clear(Struct, frozen=True, tag_field="op", tag="clear"):
    """Several are removed; with none it only takes its number, and those before are left out."""

    time: int
    ids: tuple[str, ...]


class Register(Struct, frozen=True, tag_field="op", tag="workspace"):
    time: int
    workspace: Workspace


class KeptProcess(Struct, frozen=True, omit_defaults=True, tag_field="op", tag="kept-process"):
    """A process as it was at a compaction; the record's number is its incarnation.

    Attributes:
        output: see :class:`Update`.
    """

    version: int
    fingerprint: str
    process: Process
    output: int | None = None


class KeptWorkspace(Struct, frozen=True, tag_field="op", tag="kept-workspace"):
    workspace: Workspace


class KeptChange(Struct, frozen=True, tag_field="op", tag="kept-change"):
    """One of the newest changes before a compaction, for readers that are not there yet."""

    change: Change


Mutation: TypeAlias = Add | Update | Remove | Clear | Register
Kept: TypeAlias = KeptProcess | KeptWorkspace | KeptChange


class StoredChunk(Struct, frozen=True, omit_defaults=True):
    """A record of an output file; its number is the chunk's offset in the output."""

    content: str
    time: int
    stream: str | None = None


_ProcessFields: Final = msgspec.defstruct(
    "_ProcessFields",
    [(f.name, f.type | UnsetType | None, UNSET) for f in msgspec.structs.fields(Process)],
    rename="camel",
    frozen=True,
)
_WIRE_NAMES: Final = {f.name: f.encode_name for f in msgspec.structs.fields(Process)}
_encoder: Final = msgspec.json.Encoder()
_header: Final = msgspec.json.Decoder(Header)
_operation: Final[msgspec.json.Decoder[Mutation | Kept]] = msgspec.json.Decoder(Mutation | Kept)
_fields: Final = msgspec.json.Decoder(_ProcessFields)
_chunk: Final = msgspec.json.Decoder(StoredChunk)

encode: Final = _encoder.encode
decode_header: Final = _header.decode
decode: Final = _operation.decode
decode_chunk: Final = _chunk.decode


def difference(old: Process, new: Process) -> dict[str, Any]:
    """The fields of ``new`` that are not as in ``old``, by their names on the wire."""
    return {
        wire_name: value
        for name, wire_name in _WIRE_NAMES.items()
        if not same(getattr(old, name), value := getattr(new, name))
    }


def update_of(
    process_id: str, fields: dict[str, Any], time: int, output: int | None = None
) -> Update:
    return Update(time=time, id=process_id, fields=Raw(encode(fields)), output=output)


def updated_fields(update: Update) -> dict[str, Any]:
    """The new values, by the names of the :class:`Process`'s attributes."""
    return dict(_given(_fields.decode(update.fields)))


def _given(fields: Any) -> Iterator[tuple[str, Any]]:
    for name in _WIRE_NAMES:
        value = getattr(fields, name)
        if value is not UNSET:
            yield name, value
