"""Frames and messages of the server, and the handshake: pure functions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_host.errors import InvalidInput
from pipeline_host.models import Chunk
from pipeline_host_websocket.frames import BINARY, close_frame, encode_frame, text_frame
from pipeline_host_websocket.handshake import accept, has_body, has_version, wants_upgrade
from pipeline_host_websocket.messages import (
    Follow,
    OutputFrames,
    Ping,
    Subscribe,
    Unfollow,
    parse,
)

from .frames_of_clients import CLOSE, TEXT, Frame, take_frame, take_frames
from .raw_client import code_of

SIZES = [0, 1, 125, 126, 127, 65535, 65536, 70000]


@pytest.mark.parametrize("size", SIZES)
def test_a_frame_tells_its_length_in_the_fewest_bytes(size: int) -> None:
    for opcode in (TEXT, BINARY):
        buffer = bytearray(encode_frame(opcode, b"x" * size) + b"rest")
        assert take_frame(buffer) == Frame(opcode, b"x" * size)
        assert buffer == b"rest"


def test_a_text_frame_is_as_in_the_standard() -> None:
    assert text_frame(b"Hello") == bytes.fromhex("810548656c6c6f")


def test_a_close_frame_tells_code_and_reason() -> None:
    assert close_frame() == bytes.fromhex("8800")
    assert close_frame(1001, "bye") == bytes.fromhex("880503e9627965")


@settings(max_examples=50)
@given(st.integers(1000, 4999), st.text(max_size=200))
def test_a_long_reason_is_cut_between_characters(code: int, reason: str) -> None:
    frame = take_frame(bytearray(close_frame(code, reason)))
    assert frame is not None
    assert frame.opcode == CLOSE
    assert code_of(frame.payload) == code
    assert reason.startswith(frame.payload[2:].decode())


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"type": "ping"}, Ping()),
        ({"type": "ping", "more": [1, {"a": None}]}, Ping()),
        ({"type": "subscribe"}, Subscribe()),
        ({"type": "subscribe", "workspaceId": None, "since": None}, Subscribe()),
        ({"type": "subscribe", "workspaceId": "w", "since": 7}, Subscribe("w", 7)),
        ({"type": "follow", "processId": "p"}, Follow("p")),
        ({"type": "follow", "processId": "p", "after": "e.1.c0"}, Follow("p", "e.1.c0")),
        ({"type": "follow", "processId": "p", "times": True}, Follow("p", times=True)),
        ({"type": "follow", "processId": "p", "times": "yes"}, None),
        ({"type": "unfollow", "processId": "p"}, Unfollow("p")),
        ({"type": "Ping"}, None),
        ({"type": "subscribe", "since": 1.5}, None),
        ({"type": "subscribe", "since": True}, None),
        ({"type": "unfollow"}, None),
        ({}, None),
    ],
)
def test_what_a_client_says_is_known_or_ignored(said: Any, meant: object) -> None:
    assert parse(json.dumps(said).encode()) == meant


@settings(max_examples=100)
@given(st.text())
def test_nothing_that_is_said_breaks_it(said: str) -> None:
    parse(said.encode("utf-8", "replace"))


def test_large_chunks_are_told_in_pieces_each_with_its_own_cursor() -> None:
    content = "é" * 20_000
    chunk = Chunk(content=content, stream="stdout", offset=10, length=40_000)
    frames = take_frames(bytearray(OutputFrames("p", "E", 3).chunk(chunk)))
    messages = [json.loads(frame.payload) for frame in frames]
    assert "".join(message["content"] for message in messages) == content
    assert all(len(message["content"].encode()) <= 16 * 1024 for message in messages)
    assert [message["cursor"] for message in messages] == ["E.3.c16394", "E.3.c32778", "E.3.c40010"]
    assert {message["stream"] for message in messages} == {"stdout"}


@pytest.mark.parametrize(
    ("times", "known", "told"), [(True, 5, 5), (True, 0, None), (False, 5, None)]
)
def test_a_chunk_tells_its_time_where_that_is_wanted_and_known(
    times: bool, known: int, told: int | None
) -> None:
    for content in ("x", "x" * 20_000):
        chunk = Chunk(content=content, length=len(content), time=known)
        for frame in take_frames(bytearray(OutputFrames("p", "E", 3, times=times).chunk(chunk))):
            assert json.loads(frame.payload).get("time") == told


def test_a_gap_is_told_even_where_nothing_is_known_to_be_missing() -> None:
    (frame,) = take_frames(bytearray(OutputFrames("p", "E", 3).gap(0, 7)))
    assert json.loads(frame.payload) == {
        "type": "gap",
        "processId": "p",
        "missingBytes": 0,
        "cursor": "E.3.c7",
    }


HANDSHAKE = {
    "SERVER_PROTOCOL": "HTTP/1.1",
    "HTTP_UPGRADE": "websocket",
    "HTTP_CONNECTION": "Upgrade",
    "HTTP_SEC_WEBSOCKET_KEY": "dGhlIHNhbXBsZSBub25jZQ==",
    "HTTP_SEC_WEBSOCKET_VERSION": "13",
}


def test_the_handshake_of_the_standard_is_accepted() -> None:
    assert wants_upgrade(HANDSHAKE)
    assert has_version(HANDSHAKE)
    assert not has_body(HANDSHAKE | {"CONTENT_LENGTH": ""})
    head = accept(HANDSHAKE)
    assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head
    assert head.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "wrong",
    [
        {"SERVER_PROTOCOL": "HTTP/1.0"},
        {"HTTP_CONNECTION": "close"},
        {"HTTP_SEC_WEBSOCKET_KEY": "dGhlIHNhbXBsZSBub25jZQ==,dGhlIHNhbXBsZSBub25jZQ=="},
        {"HTTP_SEC_WEBSOCKET_KEY": "dGhlIHNhbXBsZSBub2 5jZQ=="},
    ],
)
def test_any_other_handshake_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        accept(HANDSHAKE | wrong)
