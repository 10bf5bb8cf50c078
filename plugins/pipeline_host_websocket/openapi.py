"""What the WebSocket's route is, as an OpenAPI 3.1 path item; complete in itself."""

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

WEBSOCKET: Final[Mapping[str, Any]] = {
    "get": {
        "summary": "All changes, and any process's output, live, over a WebSocket (RFC 6455)",
        "responses": {
            "101": {"description": "From here on it is a WebSocket; its messages are JSON objects"},
            "400": {"description": "The handshake is wrong", "content": _ERROR},
            "426": {
                "description": "The request asks for no upgrade, or for another version",
                "content": _ERROR,
            },
            "501": {"description": "This server can't do WebSockets", "content": _ERROR},
            "503": {"description": "There are as many streams as may be", "content": _ERROR},
            "default": {"description": "What went wrong", "content": _ERROR},
        },
    },
}
