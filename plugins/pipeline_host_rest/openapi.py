"""``/api/openapi.json``: what this server's HTTP API is, for machines (OpenAPI 3.1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import falcon

from pipeline_host import __version__
from pipeline_host.hookspecs import Route
from pipeline_host.host import Host
from pipeline_host_rest.operations import JSON, SCHEMAS, PathItem, operation
from pipeline_host_rest.replies import encode
from pipeline_host_rest.schemas import schemas

_PREFIX = "/api/"


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """The OpenAPI document of those routes below ``/api/`` whose resources describe themselves.

    A resource does so with an attribute ``openapi``, its path item
    (see :mod:`pipeline_host_rest.operations`); so the document tells of what is really mounted,
    whichever plugin it comes from.
    """
    paths = {
        route.path: described
        for route in routes
        if route.path.startswith(_PREFIX)
        and (described := getattr(route.resource, "openapi", None))
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "pipeline_host",
            "version": __version__,
            "summary": "The one small server that agents, reviews and pipelines report to",
        },
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": schemas(),
            "parameters": {"ProcessId": _process_id()},
            "responses": {"Error": _error()},
        },
    }


class OpenApiResource:
    """Made when it is first asked for, when all plugins' routes are known."""

    openapi: ClassVar[PathItem] = {
        "get": operation(
            "This document",
            answers={
                200: {
                    "description": "OpenAPI 3.1",
                    "content": {JSON: {"schema": {"type": "object"}}},
                }
            },
        )
    }

    def __init__(self, host: Host) -> None:
        self._host = host
        self._encoded: bytes | None = None

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        if self._encoded is None:
            self._encoded = encode(document(self._host.routes))
        resp.data = self._encoded
        resp.content_type = falcon.MEDIA_JSON


def _process_id() -> dict[str, Any]:
    return {
        "name": "process_id",
        "in": "path",
        "required": True,
        "description": "A process's id, percent-encoded; it may hold any character",
        "schema": {"type": "string"},
    }


def _error() -> dict[str, Any]:
    return {
        "description": "What went wrong",
        "content": {JSON: {"schema": {"$ref": f"{SCHEMAS}Error"}}},
    }
