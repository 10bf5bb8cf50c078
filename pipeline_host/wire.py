"""From bytes to models: everything that comes from outside is read and checked here, once.

Every refusal is an :class:`~pipeline_host.errors.InvalidInput` that names the field and what was
expected there.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
import uuid
from collections.abc import Iterable
from typing import Any, Final, TypeVar

import msgspec

from pipeline_host.errors import InvalidInput
from pipeline_host.models import (
    DEFAULT_TYPE,
    MAX_ID_LENGTH,
    Chunk,
    Lease,
    Model,
    Process,
    ProcessPatch,
    Workspace,
)
from pipeline_host.times import now_ms, parse_timestamp

MAX_DEPTH: Final = 64
MAX_STREAM_LENGTH: Final = 100
MIN_LEASE: Final = 1
MAX_LEASE: Final = 24 * 60 * 60
"""The longest lease, in seconds."""

M = TypeVar("M", bound=Model)

_VALIDATION: Final = re.compile(r"Expected `(?P<expected>[^`]+)`(?:, got `(?P<got>[^`]+)`)?")
_MISSING: Final = re.compile(r"missing required field `(?P<field>[^`]+)`")
_ENUM: Final = re.compile(r"Invalid enum value (?P<got>.+?)(?: - at `|$)")
_PATH: Final = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_WORDS: Final = {
    "str": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "an array",
    "null": "null",
}
_CHOICES: Final = {
    "status": "one of queued, running, completed, failed, cancelled",
    "cancellation.outcome": "one of terminated, killed, ignored",
}


def new_id() -> str:
    """A UUIDv7 (RFC 9562): unique, and in the order of time."""
    value = now_ms() << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62
    return str(uuid.UUID(int=value | secrets.randbits(62)))


def check_id(value: str, name: str = "id") -> str:
    """An id may hold any text but control characters, from 1 to 200 characters long.

    Raises:
        InvalidInput: it doesn't.
    """
    if not 1 <= len(value) <= MAX_ID_LENGTH:
        raise InvalidInput.field(name, f"1 to {MAX_ID_LENGTH} characters, got {len(value)}")
    if not value.isprintable() and any(unicodedata.category(c) in ("Cc", "Cs") for c in value):
        raise InvalidInput.field(name, "no control characters")
    return value


def decode_object(body: bytes) -> dict[str, Any]:
    """Read a JSON object (RFC 8259, strictly: no NaN, no lone surrogates) at most 64 levels deep.

    Raises:
        InvalidInput: it is something else.
    """
    try:
        value = msgspec.json.decode(body)
    except RecursionError:
        raise InvalidInput(_too_deep()) from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidInput(f"Invalid JSON: {error}") from None
    if not isinstance(value, dict):
        raise InvalidInput("Invalid JSON: expected an object")
    if _deeper_than(value, MAX_DEPTH):
        raise InvalidInput(_too_deep())
    return value


def parse_process(obj: dict[str, Any]) -> Process:
    """A process as a client sends it to be created.

    ``workspaceId`` moves into the metadata, ``leaseSeconds`` into a lease that hasn't begun.

    Raises:
        InvalidInput: a field is missing or of the wrong type.
    """
    fields = {key: value for key, value in obj.items() if value is not None}
    workspace = fields.pop("workspaceId", None)
    if workspace is not None:
        metadata = fields.get("metadata", {})
        if isinstance(metadata, dict):
            fields["metadata"] = metadata | {"workspaceId": workspace}
    fields.setdefault("id", None)
    if fields["id"] is None:
        fields["id"] = new_id()
    fields.setdefault("type", DEFAULT_TYPE)
    fields.setdefault("fullPrompt", "")
    fields.pop("lease", None)
    seconds = fields.pop("leaseSeconds", None)
    if seconds is not None:
        fields["lease"] = _asked_lease(seconds)
    _normalise_times(fields)
    process = _convert(fields, Process)
    check_id(process.id)
    _check_workspace(process.metadata)
    return process


def parse_patch(obj: dict[str, Any]) -> ProcessPatch:
    """The changes a PATCH asks for; fields that can't be patched are ignored.

    Raises:
        InvalidInput: a field is of the wrong type, or a required one is ``null``.
    """
    fields = {key: obj[key] for key in ProcessPatch.__struct_encode_fields__ if key in obj}
    _normalise_times(fields)
    patch = _convert(fields, ProcessPatch)
    if isinstance(patch.metadata, dict):
        _check_workspace(patch.metadata)
    return patch


def parse_workspace(obj: dict[str, Any]) -> Workspace:
    """A workspace as a client registers it.

    Raises:
        InvalidInput: a required field is missing, or one is of the wrong type.
    """
    missing = [key for key in ("id", "name", "rootPath") if obj.get(key) in (None, "")]
    if missing:
        raise InvalidInput(f"Missing required fields: {', '.join(missing)}")
    workspace = _convert(obj, Workspace)
    check_id(workspace.id)
    return workspace


class OutputWrite(Model, frozen=True):
    """The JSON form of an output write, with one chunk or several."""

    content: str | None = None
    stream: str | None = None
    chunks: tuple[Chunk, ...] | None = None
    offset: int | None = None


def parse_output(obj: dict[str, Any]) -> tuple[tuple[Chunk, ...], int | None]:
    """The chunks of an output write, and the offset where they begin if that was told.

    Raises:
        InvalidInput: neither ``content`` nor ``chunks``, or both, or one of the wrong type.
    """
    write = _convert(obj, OutputWrite)
    if (write.content is None) == (write.chunks is None):
        raise InvalidInput.field("content", "a string, or chunks instead")
    offset = None if write.offset is None else check_offset(write.offset)
    given = write.chunks or (Chunk(content=write.content or "", stream=write.stream),)
    chunks = tuple(Chunk(content=chunk.content, stream=chunk.stream) for chunk in given)
    for chunk in chunks:
        check_stream(chunk.stream)
    return chunks, offset


def check_offset(value: int) -> int:
    if not 0 <= value < 2**63:
        raise InvalidInput.field("offset", f"an integer of 0 or more, got {value}")
    return value


def check_stream(value: str | None) -> str | None:
    if value is not None and not 1 <= len(value) <= MAX_STREAM_LENGTH:
        raise InvalidInput.field("stream", f"a name of 1 to {MAX_STREAM_LENGTH} characters")
    return value


def _convert(obj: dict[str, Any], model: type[M]) -> M:
    try:
        return msgspec.convert(obj, model)
    except msgspec.ValidationError as error:
        raise InvalidInput(_sentence(str(error))) from None


def _sentence(message: str) -> str:
    """Put msgspec's message in the words of every other error: the field, then what was expected.

    Where a message is of a kind not known here it is passed on as it is.
    """
    found = _PATH.search(message)
    path = found["path"] if found else ""
    if missing := _MISSING.search(message):
        field = f"{path}.{missing['field']}" if path else missing["field"]
        return f"{field}: expected a value, but it is missing"
    if invalid := _ENUM.search(message):
        return f"{path}: expected {_CHOICES.get(path, 'a known value')}, got {invalid['got']}"
    if wrong := _VALIDATION.search(message):
        types = wrong["expected"].split(" | ")
        expected = _CHOICES.get(path) or " or ".join(_WORDS.get(t, t) for t in types)
        got = f", got {_WORDS.get(wrong['got'], wrong['got'])}" if wrong["got"] else ""
        return f"{path}: expected {expected}{got}"
    return message


def _normalise_times(fields: dict[str, Any]) -> None:
    for name in ("startTime", "endTime"):
        _normalise_time(fields, name, name)
    cancellation = fields.get("cancellation")
    if isinstance(cancellation, dict):
        fields["cancellation"] = cancellation = dict(cancellation)
        for name in ("requestedTime", "outcomeTime"):
            _normalise_time(cancellation, name, f"cancellation.{name}")


def _normalise_time(fields: dict[str, Any], key: str, name: str) -> None:
    value = fields.get(key)
    if isinstance(value, str):
        try:
            fields[key] = parse_timestamp(value)
        except ValueError:
            raise InvalidInput.field(name, "a time such as 2026-11-22T07:00:00.000Z") from None


def _asked_lease(seconds: Any) -> Lease:
    number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if number and MIN_LEASE <= seconds <= MAX_LEASE:
        return Lease(seconds=float(seconds))
    raise InvalidInput.field("leaseSeconds", f"a number from {MIN_LEASE} to {MAX_LEASE}")


def _check_workspace(metadata: dict[str, Any] | None) -> None:
    workspace = (metadata or {}).get("workspaceId")
    if workspace is None:
        return
    if not isinstance(workspace, str):
        raise InvalidInput.field("metadata.workspaceId", "a string")
    check_id(workspace, "metadata.workspaceId")


def _too_deep() -> str:
    return f"Invalid JSON: expected at most {MAX_DEPTH} levels"


def _deeper_than(value: Any, levels: int) -> bool:
    """Whether containers are nested deeper than ``levels``, without recursing."""
    layer: list[Any] = [value]
    while layer:
        if levels == 0:
            return True
        levels -= 1
        layer = [inner for outer in layer for inner in _inside(outer)]
    return False


def _inside(container: Any) -> Iterable[Any]:
    items = container.values() if isinstance(container, dict) else container
    return [item for item in items if isinstance(item, (dict, list))]
