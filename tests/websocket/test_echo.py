"""The cases of the protocol over real connections, against an echo on our own worker."""

from __future__ import annotations

import socket
from contextlib import suppress

import pytest

from pipeline_host.testing.server import LiveServer

from .cases import CASES, Case
from .frames_of_clients import BINARY, TEXT, chopped, client_frame, text
from .raw_client import RawClient

MEGABYTE = 1024 * 1024
PIECES = 4000
"""Writes of one case at most, since each of them is a turn of the server."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_clients_get_what_the_standard_says(echo_server: LiveServer, case: Case) -> None:
    with RawClient(echo_server.port, f"/echo?limit={case.limit}") as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        chop = case.chop and max(case.chop, len(case.sent) // PIECES)
        try:
            for piece in chopped(case.sent, chop):
                client.send(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server has said all it has to say
        assert client.end() == case.received


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("size", [65537, 2**30, 2**63 - 1])
def test_a_head_that_announces_too_much_ends_the_connection_at_once(
    echo_server: LiveServer, opcode: int, size: int
) -> None:
    with RawClient(echo_server.port, "/echo") as client:
        client.send(client_frame(opcode, announce=size))
        assert client.end() == [1009]


def test_one_that_goes_on_sending_too_much_still_gets_the_reason(echo_server: LiveServer) -> None:
    with RawClient(echo_server.port, "/echo") as client:
        with suppress(BrokenPipeError, ConnectionResetError):  # the server has said it by then
            client.send(client_frame(BINARY, announce=2**30) + b"x" * MEGABYTE)
        assert client.end() == [1009]


def test_text_that_cannot_become_utf8_ends_the_connection_before_its_frame_ends(
    echo_server: LiveServer,
) -> None:
    with RawClient(echo_server.port, "/echo") as client:
        client.send(text(b"\xce\xba\xf4\x90" + b"a" * 1000)[:12])
        assert client.end() == [1007]
