"""What the events route is, as an OpenAPI 3.1 path item; complete in itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_ERROR: Final = {
    "application/json": {
        "schema": {
            "type": "object",
            "properties": {"error": {"type": "string"}},
            "required": ["error"],
        }
    }
}
_TEXT: Final = {"type": "string"}
_CURSOR: Final = "The id of the last event that was seen; the stream goes on after it"

EVENTS: Final[Mapping[str, Any]] = {
    "get": {
        "summary": "What happens to processes, live: each change as it is made",
        "parameters": [
            {"name": "Last-Event-ID", "in": "header", "description": _CURSOR, "schema": _TEXT},
            {"name": "lastEventId", "in": "query", "description": _CURSOR, "schema": _TEXT},
            {
                "name": "workspace",
                "in": "query",
                "description": "The id of the workspace that the changes have to concern",
                "schema": _TEXT,
            },
        ],
        "responses": {
            "200": {
                "description": "Server-Sent Events: `welcome`, `process-added`, "
                "`process-updated`, `process-removed`, `processes-cleared`, "
                "`workspace-registered`, `resync`, `heartbeat`",
                "content": {"text/event-stream": {"schema": _TEXT}},
            },
            "400": {"description": "A parameter can't be read", "content": _ERROR},
            "default": {"description": "What went wrong", "content": _ERROR},
        },
    },
}
