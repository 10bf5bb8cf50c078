"""The schemas of the OpenAPI document, made from the models."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from pipeline_host.models import (
    MAX_ID_LENGTH,
    STATUSES,
    Page,
    Process,
    ProcessPatch,
    Stats,
    Workspace,
)
from pipeline_host.wire import MAX_LEASE, MAX_STREAM_LENGTH, MIN_LEASE
from pipeline_host_rest.operations import SCHEMAS

Schema = dict[str, Any]

_ANSWERED: Final = (Process, Page, Workspace, Stats)
_TIMES: Final = frozenset({"startTime", "endTime", "requestedTime", "outcomeTime", "expires"})
_DESCRIPTIONS: Final = {
    "Process": "One run of an agent, a review, a pipeline or a command. "
    "`metadata.workspaceId` is where a process's workspace is kept.",
    "NewProcess": "A process as it is sent to be created. `workspaceId` lands in the metadata; "
    "without an `id` the server makes one; with `leaseSeconds` the process fails when it isn't "
    "heard of for that long; a field that is `null` counts as left out.",
    "ProcessPatch": "What shall change. `null` clears an optional field; `metadata` and "
    "`cancellation` are merged key by key; other fields are ignored.",
    "Cancellation": "What became of a request to stop a process; its reporter adds the outcome.",
    "CancellationPatch": "What a reporter adds to a cancellation.",
    "Lease": "A reporter's promise to be heard from again within some seconds; "
    "without that the process fails when it `expires`.",
    "Page": "Some of the processes that match; `total` counts all that do, "
    "`nextCursor` is there if more follow.",
    "Workspace": "A folder that processes belong to.",
    "Stats": "Counts of all processes.",
    "WorkspaceCount": "How many processes belong to a workspace.",
}


def schemas() -> dict[str, Schema]:
    """Every schema that a path item may refer to, by name."""
    told = {name: _without_null(schema) for name, schema in _components(*_ANSWERED).items()}
    taken = _components(ProcessPatch)
    every = taken | told | _hand_written()
    every["NewProcess"] = _new_process(_components(Process)["Process"])
    every["Stats"]["properties"]["byStatus"] = _counts_by_status()
    for name, description in _DESCRIPTIONS.items():
        every[name]["description"] = description
    return every


def _components(*models: type[msgspec.Struct]) -> dict[str, Schema]:
    """Schemas with the names and the references that fit our document, and without docstrings."""
    _, found = msgspec.json.schema_components(models, ref_template=SCHEMAS + "{name}")
    return {
        name: {
            "type": "object",
            "properties": {key: _property(key, of) for key, of in schema["properties"].items()},
            "required": schema["required"],
        }
        for name, schema in found.items()
    }


def _property(name: str, schema: Schema) -> Schema:
    """What msgspec says of a field, and what only we know: times, ids, the set of statuses."""
    if name == "status":
        return {"$ref": f"{SCHEMAS}Status"}
    if name in ("id", "workspaceId"):
        return {"type": "string", "minLength": 1, "maxLength": MAX_ID_LENGTH}
    choices = [_timed(name, choice) for choice in schema.get("anyOf", [schema])]
    return choices[0] if len(choices) == 1 else {"anyOf": choices}


def _timed(name: str, schema: Schema) -> Schema:
    if name in _TIMES and schema.get("type") == "string":
        return schema | {"format": "date-time"}
    return schema


def _without_null(schema: Schema) -> Schema:
    """As it is answered: a field without a value is left out there."""
    properties = {
        key: choices[0] if (choices := of.get("anyOf")) else of
        for key, of in schema["properties"].items()
    }
    return schema | {"properties": properties}


def _new_process(process: Schema) -> Schema:
    properties = {key: of for key, of in process["properties"].items() if key != "lease"}
    properties["workspaceId"] = {"type": ["string", "null"], "maxLength": MAX_ID_LENGTH}
    properties["leaseSeconds"] = {
        "type": ["number", "null"],
        "minimum": MIN_LEASE,
        "maximum": MAX_LEASE,
    }
    for optional in ("id", "type", "fullPrompt"):
        properties[optional] = properties[optional] | {"type": ["string", "null"]}
    return process | {
        "properties": properties,
        "required": ["promptPreview", "status", "startTime"],
    }


def _counts_by_status() -> Schema:
    return {
        "type": "object",
        "properties": {status: {"type": "integer"} for status in STATUSES},
        "required": list(STATUSES),
    }


def _object(description: str, required: dict[str, Any], **optional: Any) -> Schema:
    return {
        "type": "object",
        "description": description,
        "properties": required | optional,
        "required": list(required),
    }


def _hand_written() -> dict[str, Schema]:
    """What is said of answers and bodies that are no model of the host."""
    text, integer = {"type": "string"}, {"type": "integer", "minimum": 0}
    stream = {"type": ["string", "null"], "minLength": 1, "maxLength": MAX_STREAM_LENGTH}
    chunk = _object("A piece of output", {"content": text}, stream=stream)
    return {
        "Status": {"enum": list(STATUSES), "description": "The last three are terminal."},
        "Error": _object("What went wrong, as a sentence", {"error": text}, offset=integer),
        "Health": _object(
            "The service answers",
            {"status": {"const": "ok"}, "uptime": {"type": "number"}, "processCount": integer},
            failedPlugins={"type": "array", "items": {"$ref": f"{SCHEMAS}FailedPlugin"}},
        ),
        "FailedPlugin": _object(
            "A plugin that could not be used",
            {"name": text, "distribution": {"type": ["string", "null"]}, "error": text},
        ),
        "Workspaces": _object("All workspaces", {"workspaces": _list_of("Workspace")}),
        "ProcessAnswer": _object("One process", {"process": {"$ref": f"{SCHEMAS}Process"}}),
        "RemovedCount": _object("How many processes were forgotten", {"removed": integer}),
        "OutputLength": _object("The output's length after it, in bytes", {"offset": integer}),
        "NewChunk": chunk,
        "OutputWrite": {
            "description": "One piece of output, or several; `offset` is where it begins, in bytes",
            "oneOf": [
                chunk | {"properties": chunk["properties"] | {"offset": integer}},
                _object("Several pieces", {"chunks": _list_of("NewChunk")}, offset=integer),
            ],
        },
    }


def _list_of(name: str) -> Schema:
    return {"type": "array", "items": {"$ref": f"{SCHEMAS}{name}"}}
