"""A client that vanished is given up by the kernel; one that only takes nothing is waited for."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from pipeline_host.delivering.connection import Connection, Manner
from pipeline_host.delivering.source import Source
from pipeline_host.delivering.topics import Subscription
from pipeline_host.vanishing import VANISHED, notice_vanishing, wait_for_reader


class Keeper:
    """Looks after nothing: these connections are flushed by the tests."""

    def watch_writing(self, connection: Connection, wanted: bool) -> None: ...

    def linger(self, connection: Connection) -> None: ...

    def release(self, connection: Connection) -> None: ...

    def join(self, subscription: Subscription, source: Source, cursor: object) -> None: ...


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The server's and the client's end of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
        with closing(client), closing(server):
            yield server, client


def limit(sock: socket.socket) -> int:
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)


def test_a_connection_is_given_up_when_nothing_is_acknowledged(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    server, _ = pair
    assert limit(server) == 0
    notice_vanishing(server)
    assert limit(server) == VANISHED
    assert server.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_while_the_client_takes_nothing_there_is_no_limit(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    server, _ = pair
    notice_vanishing(server)
    wait_for_reader(server, True)
    assert limit(server) == 0
    wait_for_reader(server, False)
    assert limit(server) == VANISHED


def test_a_unix_socket_is_left_alone() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with closing(ours), closing(theirs):
        notice_vanishing(ours)
        wait_for_reader(ours, True)
        assert not ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_a_stream_waits_for_a_reader_that_pauses_and_looks_after_it_again(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    server, client = pair
    notice_vanishing(server)
    server.setblocking(False)
    connection = Connection(server, Keeper(), Manner(), None, None)
    sent = 0
    while connection.rest is None:
        connection.send(b"x" * 65536)
        sent += 65536
    assert limit(server) == 0
    while sent:
        sent -= len(client.recv(65536))
        connection.flush()
    assert connection.rest is None
    assert limit(server) == VANISHED
