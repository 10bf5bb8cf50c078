"""The opening handshake (RFC 6455, 4.2), the server's side: pure functions."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any, Final

from pipeline_host.errors import InvalidInput

VERSION: Final = "13"

_KEY_SIZE: Final = 16
_ACCEPT_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def wants_upgrade(environ: Mapping[str, Any]) -> bool:
    """Whether a request asks to go on as a WebSocket, well or badly."""
    return "websocket" in _tokens(environ.get("HTTP_UPGRADE", ""))


def has_version(environ: Mapping[str, Any]) -> bool:
    """Whether it asks for the version of the protocol that there is."""
    version: str = environ.get("HTTP_SEC_WEBSOCKET_VERSION", "")
    return version.strip() == VERSION


def has_body(environ: Mapping[str, Any]) -> bool:
    """Whether a request has a body, which would be taken for the first frames."""
    length: str = environ.get("CONTENT_LENGTH", "")
    return length not in ("", "0") or "HTTP_TRANSFER_ENCODING" in environ


def accept(environ: Mapping[str, Any]) -> bytes:
    """The head of the response that accepts a request; no extension and no subprotocol is taken.

    Raises:
        InvalidInput: the request is no handshake.
    """
    if environ.get("SERVER_PROTOCOL") == "HTTP/1.0":
        raise InvalidInput("WebSocket: expected HTTP/1.1")
    if "upgrade" not in _tokens(environ.get("HTTP_CONNECTION", "")):
        raise InvalidInput.field("Connection", "Upgrade, for a WebSocket")
    key: str = environ.get("HTTP_SEC_WEBSOCKET_KEY", "").strip()
    if not _is_key(key):
        raise InvalidInput.field("Sec-WebSocket-Key", f"{_KEY_SIZE} bytes in base64")
    digest = hashlib.sha1(key.encode("ascii") + _ACCEPT_GUID, usedforsecurity=False).digest()
    return (
        b"HTTP/1.1 101 Switching Protocols\r\n"
        b"Upgrade: websocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %b\r\n\r\n" % base64.b64encode(digest)
    )


def _tokens(field: str) -> list[str]:
    return [token.strip().lower() for token in field.split(",")]


def _is_key(key: str) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == _KEY_SIZE
    except (binascii.Error, ValueError):
        return False
