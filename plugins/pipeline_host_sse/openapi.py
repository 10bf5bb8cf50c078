"""What the stream route is, as an OpenAPI 3.1 path item; complete in itself."""

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

STREAM: Final[Mapping[str, Any]] = {
    "parameters": [
        {
            "name": "process_id",
            "in": "path",
            "required": True,
            "description": "A process's id, percent-encoded; it may hold any character",
            "schema": _TEXT,
        }
    ],
    "get": {
        "summary": "A process's output, live: all so far, then each chunk as it is written",
        "parameters": [
            {"name": "Last-Event-ID", "in": "header", "description": _CURSOR, "schema": _TEXT},
            {"name": "lastEventId", "in": "query", "description": _CURSOR, "schema": _TEXT},
            {
                "name": "replay",
                "in": "query",
                "description": "Whether to send what is already there",
                "schema": {"type": "boolean", "default": True},
            },
            {
                "name": "from",
                "in": "query",
                "description": "The byte of the output to begin with; a cursor counts for more",
                "schema": {"type": "integer", "minimum": 0},
            },
            {
                "name": "times",
                "in": "query",
                "description": "Whether each chunk tells when it was written",
                "schema": {"type": "boolean", "default": False},
            },
        ],
        "responses": {
            "200": {
                "description": "Server-Sent Events: `chunk`, `gap`, `heartbeat`; "
                "at the end `status` and `done`",
                "content": {"text/event-stream": {"schema": _TEXT}},
            },
            "204": {"description": "All of it was seen: nothing will follow"},
            "400": {"description": "A parameter can't be read", "content": _ERROR},
            "404": {"description": "There is no such process", "content": _ERROR},
            "default": {"description": "What went wrong", "content": _ERROR},
        },
    },
}
