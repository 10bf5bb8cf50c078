"""The words that a resource describes itself with, for the OpenAPI document.

A resource of any plugin may have an attribute ``openapi``: the OpenAPI 3.1 path item of its route.
It may refer to ``#/components/schemas/…`` of :mod:`pipeline_host_rest.schemas`, to
``#/components/responses/Error`` and to ``#/components/parameters/ProcessId``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from pipeline_host.models import DEFAULT_LIMIT, MAX_LIMIT

PathItem: TypeAlias = Mapping[str, Any]
"""An OpenAPI path item: what each method of a path takes and answers."""

JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"
SCHEMAS: Final = "#/components/schemas/"

_ERRORS: Final = {
    400: "Something that was sent can't be read; `error` names it and says what was expected",
    404: "There is no such process",
    408: "The body stopped arriving",
    409: "It doesn't go with what is stored",
    413: "The body is too large",
    415: "The body is of another content type than is expected",
    416: "None of the bytes that were asked for is there",
}


def operation(
    summary: str,
    *,
    answers: Mapping[int, Mapping[str, Any]],
    body: Mapping[str, Any] | None = None,
    parameters: Iterable[Mapping[str, Any]] = (),
    errors: Iterable[int] = (),
) -> dict[str, Any]:
    """What one method of a path does.

    Args:
        summary: one line for people.
        answers: what it answers when all went well, by HTTP status.
        body: what it takes, as :func:`json_body` gives it.
        parameters: those of the query string and of the head.
        errors: the HTTP statuses that tell of this operation's own errors.
    """
    responses: dict[str, Any] = {str(status): told for status, told in answers.items()}
    for status in errors:
        responses[str(status)] = {
            "description": _ERRORS[status],
            "content": {JSON: {"schema": {"$ref": f"{SCHEMAS}Error"}}},
        }
    responses["default"] = {"$ref": "#/components/responses/Error"}
    described: dict[str, Any] = {"summary": summary, "responses": responses}
    if body is not None:
        described["requestBody"] = body
    if listed := list(parameters):
        described["parameters"] = listed
    return described


def answer(
    description: str, schema: str | None = None, *, headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """One answer of an operation: a JSON value of a named schema, or nothing."""
    told: dict[str, Any] = {"description": description}
    if schema is not None:
        told["content"] = {JSON: {"schema": {"$ref": f"{SCHEMAS}{schema}"}}}
    return told | _headers(headers)


def text_answer(description: str, *, headers: Mapping[str, str]) -> dict[str, Any]:
    """An answer that is plain text."""
    content = {TEXT: {"schema": {"type": "string"}}}
    return {"description": description, "content": content} | _headers(headers)


def json_body(schema: str) -> dict[str, Any]:
    """A body that is a JSON value of a named schema."""
    return {"required": True, "content": {JSON: {"schema": {"$ref": f"{SCHEMAS}{schema}"}}}}


def query_parameter(
    name: str, description: str, schema: Mapping[str, Any] | None = None, *, required: bool = False
) -> dict[str, Any]:
    """A parameter of the query string; a text where no schema is given."""
    return {
        "name": name,
        "in": "query",
        "description": description,
        "required": required,
        "schema": schema or {"type": "string"},
    }


def _headers(headers: Mapping[str, str] | None) -> dict[str, Any]:
    if not headers:
        return {}
    told = {
        name: {"description": description, "schema": {"type": "string"}}
        for name, description in headers.items()
    }
    return {"headers": told}


_STATUSES: Final = {"type": "array", "items": {"$ref": f"{SCHEMAS}Status"}, "minItems": 1}
_COUNT: Final = {"type": "integer", "minimum": 0}

PROCESS_PARAMETERS: Final = ({"$ref": "#/components/parameters/ProcessId"},)
_STATUS_PARAMETER: Final = query_parameter("status", "Of these statuses only", _STATUSES) | {
    "style": "form",
    "explode": False,
}
_WORKSPACE_PARAMETER: Final = query_parameter("workspace", "Of the workspace with this id only")
CLEAR_PARAMETERS: Final = (_STATUS_PARAMETER | {"required": True}, _WORKSPACE_PARAMETER)
LIST_PARAMETERS: Final = (
    _STATUS_PARAMETER,
    _WORKSPACE_PARAMETER,
    query_parameter("type", "Of this type only"),
    query_parameter(
        "since",
        "Started at this time or later",
        {"type": "string", "format": "date-time"},
    ),
    query_parameter("parent", "With this parent only"),
    query_parameter("q", "With this text in id, preview or prompt; case is ignored"),
    query_parameter(
        "order",
        "By start time: the oldest first, or the newest",
        {"enum": ["asc", "desc"], "default": "asc"},
    ),
    query_parameter(
        "limit", "How many at most", _COUNT | {"maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
    ),
    query_parameter("offset", "How many to leave out first", _COUNT | {"default": 0}),
    query_parameter("cursor", "Go on after the page that had this as its nextCursor"),
)
OUTPUT_PARAMETERS: Final = (
    query_parameter("stream", "Where a raw body comes from, such as stdout or stderr"),
    query_parameter("offset", "Where a raw body begins in the output, in bytes", _COUNT),
)
