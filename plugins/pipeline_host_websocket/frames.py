"""Frames from the server (RFC 6455, 5.2): pure functions.

What a server sends is unmasked, so one encoded frame is good for all of its clients.
"""

from __future__ import annotations

import struct
from typing import Final

TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

_FIN: Final = 0x80
_SHORT: Final = 125
_TWO_BYTES: Final = 126
_EIGHT_BYTES: Final = 127


def encode_frame(opcode: int, payload: bytes) -> bytes:
    """A whole message in one frame; ``payload`` is at most 125 bytes for a control frame."""
    size = len(payload)
    if size <= _SHORT:
        head = bytes((_FIN | opcode, size))
    elif size < 2**16:
        head = struct.pack("!BBH", _FIN | opcode, _TWO_BYTES, size)
    else:
        head = struct.pack("!BBQ", _FIN | opcode, _EIGHT_BYTES, size)
    return head + payload


def text_frame(payload: bytes) -> bytes:
    """A text message; ``payload`` is UTF-8."""
    return encode_frame(TEXT, payload)


def close_frame(code: int | None = None, reason: str = "") -> bytes:
    """The end of a connection, as its closing handshake tells it (RFC 6455, 5.5.1 and 7.4).

    Args:
        code: why; without one the frame is empty.
        reason: for people; what goes beyond 123 bytes is left out.
    """
    if code is None:
        return encode_frame(CLOSE, b"")
    told = reason.encode()[: _SHORT - 2].decode(errors="ignore").encode()
    return encode_frame(CLOSE, struct.pack("!H", code) + told)


PING_FRAME: Final = encode_frame(PING, b"")
"""Asks a client that has been silent whether it is still there."""
