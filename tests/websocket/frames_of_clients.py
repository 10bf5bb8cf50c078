"""Frames as a client makes them, well or badly, and as it reads them: strictly by RFC 6455."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from itertools import cycle
from typing import Final, NamedTuple

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA


class Frame(NamedTuple):
    opcode: int
    payload: bytes


def client_frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    masked: bool = True,
    announce: int | None = None,
    wide: int = 0,
) -> bytes:
    """One frame.

    Args:
        announce: the length that its head tells, where that isn't the payload's.
        wide: how many bytes to tell the length in (2 or 8), where that isn't the fewest.
    """
    size = len(payload) if announce is None else announce
    wide = wide or (0 if size < 126 else 2 if size < 65536 else 8)
    told = {0: size, 2: 126, 8: 127}[wide]
    head = bytes((fin << 7 | rsv << 4 | opcode, masked << 7 | told))
    head += b"" if not wide else struct.pack("!H" if wide == 2 else "!Q", size)
    if not masked:
        return head + payload
    key = os.urandom(4)
    return head + key + mask(payload, key)


def mask(payload: bytes, key: bytes) -> bytes:
    if len(payload) < 64:
        return bytes(byte ^ bit for byte, bit in zip(payload, cycle(key), strict=False))
    size = len(payload)
    keys = int.from_bytes((key * (size // 4 + 1))[:size], "big")
    return (int.from_bytes(payload, "big") ^ keys).to_bytes(size, "big")


def text(payload: str | bytes, **more: int) -> bytes:
    data = payload.encode() if isinstance(payload, str) else payload
    return client_frame(TEXT, data, **more)  # type: ignore[arg-type]


def close(code: int | None = 1000, reason: bytes = b"") -> bytes:
    return client_frame(CLOSE, b"" if code is None else struct.pack("!H", code) + reason)


def take_frame(buffer: bytearray) -> Frame | None:
    """Take a server's frame off the front of what arrived; ``None`` if it isn't whole yet."""
    if len(buffer) < 2:
        return None
    assert buffer[0] & 0xF0 == 0x80, "a server here sends whole messages, without reserved bits"
    assert not buffer[1] & 0x80, "a server doesn't mask"
    told, start = buffer[1], 2
    if told >= 126:
        start = 4 if told == 126 else 10
        if len(buffer) < start:
            return None
        size = int.from_bytes(buffer[2:start], "big")
        assert size > (125 if told == 126 else 65535), "the fewest bytes tell the length"
    else:
        size = told
    if len(buffer) < start + size:
        return None
    frame = Frame(buffer[0] & 0x0F, bytes(buffer[start : start + size]))
    assert frame.opcode in (TEXT, BINARY, CLOSE, PING, PONG)
    assert frame.opcode < CLOSE or size <= 125
    del buffer[: start + size]
    return frame


def take_frames(buffer: bytearray) -> Iterator[Frame]:
    while (frame := take_frame(buffer)) is not None:
        yield frame


def chopped(data: bytes, size: int) -> Iterator[bytes]:
    """The data in pieces of ``size`` bytes; 0 leaves them whole."""
    step = size or len(data) or 1
    for start in range(0, len(data), step):
        yield data[start : start + step]
