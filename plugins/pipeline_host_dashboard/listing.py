"""What the list asks for, over HTTP: rows, counts, and whether this is still the same server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final, cast

import falcon
import msgspec

from pipeline_host.errors import InvalidInput
from pipeline_host.host import Host
from pipeline_host.models import STATUSES, ProcessFilter, Status
from pipeline_host_dashboard.assets import Assets
from pipeline_host_dashboard.rows import Rows, counts, named, page, top_page

ROWS: Final = "/api/dashboard/processes"
COUNTS: Final = "/api/dashboard/counts"
ABOUT: Final = "/api/dashboard/about"

_LIMIT: Final = 50
_MOST: Final = 500
_MOST_IDS: Final = 100
_TEXT: Final = {"type": "string"}
_encode: Final = msgspec.json.Encoder().encode


_COUNTS: Final = {
    "type": "object",
    "properties": {status: {"type": "integer"} for status in STATUSES},
    "required": list(STATUSES),
}
_ROW: Final = {
    "type": "object",
    "properties": {
        **dict.fromkeys(
            (
                "id",
                "promptPreview",
                "status",
                "type",
                "startTime",
                "endTime",
                "error",
                "workspaceId",
                "workspaceName",
                "parentProcessId",
            ),
            _TEXT,
        ),
        "exitCode": {"type": "integer"},
        "children": _COUNTS,
    },
    "required": ["id", "promptPreview", "status", "type", "startTime"],
}
_ROWS: Final = {
    "type": "object",
    "properties": {
        "processes": {"type": "array", "items": _ROW},
        "total": {"type": "integer"},
        "reached": _TEXT,
        "nextCursor": _TEXT,
    },
    "required": ["processes"],
}
_ABOUT: Final = {
    "type": "object",
    "properties": {"build": _TEXT, "epoch": _TEXT, "heartbeat": {"type": "number"}},
    "required": ["build", "epoch", "heartbeat"],
}


def _described(
    summary: str, parameters: Mapping[str, str], schema: Mapping[str, Any]
) -> dict[str, Any]:
    """The OpenAPI path item of a route that is read."""
    error = {"$ref": "#/components/responses/Error"}
    return {
        "get": {
            "summary": summary,
            "parameters": [
                {"name": name, "in": "query", "description": description, "schema": _TEXT}
                for name, description in parameters.items()
            ],
            "responses": {
                "200": {
                    "description": summary,
                    "content": {"application/json": {"schema": schema}},
                },
                **({"400": error} if parameters else {}),
                "default": error,
            },
        }
    }


_FILTERS: Final = {
    "workspace": "Of the workspace with this id",
    "status": "Of these statuses, with commas between them",
    "type": "Of this type",
    "q": "With this text in id, preview or prompt",
}


class RowsResource:
    openapi: ClassVar[dict[str, Any]] = _described(
        "Processes in short, newest first, and how many belong to each",
        {
            **_FILTERS,
            "parent": "Those that belong to this one, oldest first",
            "top": "true: none that belongs to another one that is listed",
            "id": "Those with this id; may be given again and again, and nothing beside it but q",
            "limit": f"At most so many, {_LIMIT} unless given",
            "cursor": "Go on after the page that had this as its nextCursor",
        },
        _ROWS,
    )

    def __init__(self, host: Host) -> None:
        self._store = host.store

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        _answer(resp, self._rows(req))

    def _rows(self, req: falcon.Request) -> Rows:
        ids = req.get_param_as_list("id")
        if ids:
            return named(self._store, dict.fromkeys(ids[:_MOST_IDS]), req.get_param("q"))
        query = _filter(req)
        return (top_page if req.get_param("top") == "true" else page)(self._store, query)


class CountsResource:
    openapi: ClassVar[dict[str, Any]] = _described(
        "How many processes match, by status",
        {name: told for name, told in _FILTERS.items() if name != "status"},
        _COUNTS,
    )

    def __init__(self, host: Host) -> None:
        self._store = host.store

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        _answer(resp, counts(self._store, _filter(req)))


class AboutResource:
    """``epoch`` names the data, ``build`` the page's files: either may change under a page.

    After ``heartbeat`` seconds of silence a stream sends one.
    """

    openapi: ClassVar[dict[str, Any]] = _described(
        "Which data and which page this server has, and how often it says that it lives",
        {},
        _ABOUT,
    )

    def __init__(self, host: Host, assets: Assets) -> None:
        self._store = host.store
        self._about = {"build": assets.build, "heartbeat": host.settings.heartbeat}

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        _answer(resp, {**self._about, "epoch": self._store.epoch})


def _answer(resp: falcon.Response, value: object) -> None:
    resp.data = _encode(value)
    resp.content_type = falcon.MEDIA_JSON
    resp.set_header("Cache-Control", "no-store")


def _filter(req: falcon.Request) -> ProcessFilter:
    """What a request asks for.

    Raises:
        InvalidInput: a value can't be read; names the parameter.
    """
    parent = req.get_param("parent")
    return ProcessFilter(
        workspace=req.get_param("workspace"),
        statuses=_statuses(req),
        type=req.get_param("type"),
        parent=parent,
        q=req.get_param("q"),
        order="desc" if parent is None else "asc",
        limit=_limit(req),
        cursor=req.get_param("cursor"),
    )


def _statuses(req: falcon.Request) -> tuple[Status, ...] | None:
    given = req.get_param("status")
    if given is None:
        return None
    names = dict.fromkeys(given.split(","))
    if not names.keys() <= set(STATUSES):
        raise InvalidInput.field("status", f"some of {', '.join(STATUSES)}")
    return tuple(cast("dict[Status, None]", names))


def _limit(req: falcon.Request) -> int:
    given = req.get_param("limit")
    if given is None:
        return _LIMIT
    if not (given.isascii() and given.isdigit() and len(given) < 10 and 0 < int(given) <= _MOST):
        raise InvalidInput.field("limit", f"an integer from 1 to {_MOST}, got {given[:50]!r}")
    return int(given)
