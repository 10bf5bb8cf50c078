"""The protocol without a socket: bytes in; messages, answers and the end out."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_host_websocket.frames import BINARY as BINARY_OPCODE
from pipeline_host_websocket.frames import TEXT as TEXT_OPCODE
from pipeline_host_websocket.frames import encode_frame
from pipeline_host_websocket.protocol import MESSAGE_LIMIT, Answer, End, Message, Protocol

from .cases import CASES, INVALID, VALID, Case, fragments
from .frames_of_clients import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Frame,
    chopped,
    client_frame,
    close,
    take_frames,
    text,
)
from .raw_client import code_of

TOO_BIG = 1009


def echoed(protocol: Protocol, data: bytes, chop: int = 0) -> list[Frame | int | None]:
    """What a client gets that is echoed all of its messages."""
    sent = bytearray()
    for piece in chopped(data, chop):
        for event in protocol.receive(piece):
            if isinstance(event, Message):
                opcode = TEXT_OPCODE if event.text else BINARY_OPCODE
                sent += encode_frame(opcode, event.data)
            elif isinstance(event, Answer | End):
                sent += event.frame
    return [
        code_of(frame.payload) if frame.opcode == CLOSE else frame for frame in take_frames(sent)
    ]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_clients_get_what_the_standard_says(case: Case) -> None:
    protocol = Protocol(case.limit)
    assert echoed(protocol, case.sent, case.chop) == case.received
    assert protocol.ended
    assert protocol.idle


def test_the_table_knows_which_texts_are_utf8() -> None:
    for data in VALID.values():
        data.decode()
    for data in INVALID.values():
        with pytest.raises(UnicodeDecodeError):
            data.decode()


@pytest.mark.parametrize("fin", [True, False])
def test_text_that_cannot_become_utf8_ends_the_connection_before_its_frame_ends(fin: bool) -> None:
    protocol = Protocol()
    head = text(b"\xce\xba\xf4\x90" + b"a" * 1000, fin=int(fin))[: 8 + 4]
    assert echoed(protocol, head) == [1007]


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("size", [MESSAGE_LIMIT + 1, 2**30, 2**63 - 1])
def test_a_head_that_announces_too_much_ends_the_connection_at_once(opcode: int, size: int) -> None:
    protocol = Protocol()
    tracemalloc.start()
    answer = echoed(protocol, client_frame(opcode, announce=size))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer == [TOO_BIG]
    assert peak < 64 * 1024


def test_fragments_count_together() -> None:
    whole = b"a" * MESSAGE_LIMIT
    assert echoed(Protocol(), fragments(whole[:-1], b"a")) == [Frame(TEXT, whole)]
    assert echoed(Protocol(), fragments(whole, b"")) == [Frame(TEXT, whole)]
    assert echoed(Protocol(), fragments(whole, b"a")) == [TOO_BIG]
    head = client_frame(TEXT, b"a", fin=False) + client_frame(CONTINUATION, announce=MESSAGE_LIMIT)
    assert echoed(Protocol(), head) == [TOO_BIG]


def test_endless_empty_fragments_keep_nothing() -> None:
    protocol = Protocol()
    assert echoed(protocol, text("a", fin=0)) == []
    empty = client_frame(CONTINUATION, fin=False) * 1000
    echoed(protocol, empty)
    tracemalloc.start()
    for _ in range(20):
        assert echoed(protocol, empty) == []
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 32 * 1024
    assert echoed(protocol, client_frame(CONTINUATION, b"b")) == [Frame(TEXT, b"ab")]


def test_a_limit_of_one_message_is_the_limit_of_the_next() -> None:
    protocol = Protocol(10)
    ten = text("0123456789")
    assert echoed(protocol, ten + ten) == [Frame(TEXT, b"0123456789")] * 2
    assert echoed(protocol, text("01234567890")) == [TOO_BIG]


def test_a_connection_without_anything_unfinished_keeps_no_parser() -> None:
    protocol = Protocol()
    assert protocol.idle
    whole = text("Hello")
    list(protocol.receive(whole[:1]))
    assert not protocol.idle
    list(protocol.receive(whole[1:]))
    assert protocol.idle
    list(protocol.receive(text("frag", fin=0)))
    assert not protocol.idle
    list(protocol.receive(client_frame(PING)))
    assert not protocol.idle
    list(protocol.receive(client_frame(CONTINUATION, b"ment")))
    assert protocol.idle


def test_nothing_is_read_after_the_end() -> None:
    protocol = Protocol()
    assert echoed(protocol, close(1001)) == [1001]
    assert protocol.ended
    assert echoed(protocol, text("late") + close()) == []


messages = st.lists(
    st.tuples(st.sampled_from([TEXT, BINARY]), st.text(max_size=300), st.integers(1, 50)),
    max_size=6,
)


@settings(max_examples=60)
@given(messages, st.integers(1, 40), st.booleans())
def test_however_messages_are_cut_they_arrive(
    sent: list[tuple[int, str, int]], chop: int, pinged: bool
) -> None:
    data = bytearray()
    expected: list[Frame] = []
    between = client_frame(PING, b"!") if pinged else b""
    for opcode, content, size in sent:
        payload = content.encode()
        pieces = list(chopped(payload, size)) or [b""]
        data += fragments(*pieces, opcode=opcode, between=between)
        expected += [Frame(PONG, b"!")] * (len(pieces) - 1 if pinged else 0)
        expected.append(Frame(opcode, payload))
    assert echoed(Protocol(), bytes(data), chop) == expected


@settings(max_examples=100)
@given(st.binary(max_size=200), st.integers(1, 20))
def test_no_bytes_break_it(data: bytes, chop: int) -> None:
    protocol = Protocol()
    answer = echoed(protocol, data, chop)
    assert not answer or protocol.ended or isinstance(answer[-1], Frame)
