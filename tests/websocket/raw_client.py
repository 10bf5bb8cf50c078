"""A WebSocket client over a raw socket: strict in what it reads, free in what it sends."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import socket
import struct
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Final

from .frames_of_clients import CLOSE, PING, PONG, TEXT, Frame, client_frame, close, take_frame, text

TIMEOUT: Final = 10.0
GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def upgrade(
    path: str = "/ws", key: str = "dGhlIHNhbXBsZSBub25jZQ==", **fields: str | None
) -> bytes:
    """A client's handshake; ``fields`` (with underscores) replace its own, ``None`` drops one."""
    merged: dict[str, str | None] = {
        "Host": "localhost",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Version": "13",
    }
    merged |= {name.replace("_", "-"): value for name, value in fields.items()}
    lines = [f"{name}: {value}" for name, value in merged.items() if value is not None]
    return "\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""]).encode("latin-1")


def exchange(port: int, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the plain HTTP answer to a request."""
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as sock:
        sock.sendall(request)
        sock.shutdown(socket.SHUT_WR)
        received = b""
        while more := sock.recv(65536):
            received += more
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    return int(first.split(" ")[1]), headers, body


class RawClient:
    """One connection.

    Args:
        early: sent right behind the handshake, before its answer.
        receive_buffer: the size of the socket's buffer, in bytes, for a client that reads slowly.
    """

    def __init__(
        self, port: int, path: str = "/ws", *, early: bytes = b"", receive_buffer: int = 0
    ) -> None:
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(TIMEOUT)
        self.socket.connect(("127.0.0.1", port))
        self._buffer = bytearray()
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(upgrade(path, key) + early)
        head = self._head()
        assert head.startswith("HTTP/1.1 101 "), head
        accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
        assert f"Sec-WebSocket-Accept: {accept}" in head.split("\r\n")

    def _head(self) -> str:
        while b"\r\n\r\n" not in self._buffer:
            assert self._receive(), bytes(self._buffer)
        head, _, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        self._buffer = bytearray(rest)
        return head.decode("latin-1")

    def _receive(self) -> bool:
        data = self.socket.recv(65536)
        self._buffer += data
        return bool(data)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def say(self, **message: Any) -> None:
        """Send a JSON message."""
        self.send(text(json.dumps(message)))

    def frames(self) -> Iterator[Frame]:
        """All frames, as they come, up to the end of the connection."""
        while True:
            while (frame := take_frame(self._buffer)) is None:
                if not self._receive():
                    assert not self._buffer, "the connection ended within a frame"
                    return
            yield frame

    def frame(self) -> Frame:
        return next(self.frames())

    def messages(self) -> Iterator[Any]:
        """The JSON messages, as they come, up to a close frame; pings are answered."""
        for frame in self.frames():
            if frame.opcode == CLOSE:
                return
            if frame.opcode == PING:
                self.send(client_frame(PONG, frame.payload))
            elif frame.opcode == TEXT:
                yield json.loads(frame.payload)

    def hear(self) -> Any:
        """The next JSON message."""
        for message in self.messages():
            return message
        raise AssertionError("the server closed the connection")

    def hear_until(self, last: Callable[[Any], bool]) -> list[Any]:
        """The messages up to the first for which ``last`` is true."""
        heard = []
        for message in self.messages():
            heard.append(message)
            if last(message):
                return heard
        raise AssertionError(f"the server closed the connection after {heard}")

    def end(self) -> list[Frame | int | None]:
        """All frames up to the end of the connection; of a close frame the code."""
        return [
            frame if frame.opcode != CLOSE else code_of(frame.payload) for frame in self.frames()
        ]

    def leave(self) -> None:
        """Close in good order."""
        self.send(close())
        assert self.end()[-1] == 1000
        self.socket.close()

    def reset(self) -> None:
        """Break the connection, so that the server gets an error instead of an end."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def __enter__(self) -> RawClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.socket.close()


def code_of(payload: bytes) -> int | None:
    return struct.unpack_from("!H", payload)[0] if payload else None
