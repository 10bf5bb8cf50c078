"""A client that vanished is given up; one that only takes nothing is waited for."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pipeline_host.delivering.connection import Connection, Manner
from pipeline_host.delivering.source import Source
from pipeline_host.delivering.topics import Subscription
from pipeline_host.testing.waiting import wait_until
from pipeline_host.vanishing import PATIENCE, Doubt, look_after, silence, unacknowledged

Pair = tuple[socket.socket, socket.socket]
CUT_OFF = Path(__file__).with_name("cut_off.py")


class Keeper:
    """Looks after nothing: these connections are looked at by the tests."""

    def __init__(self) -> None:
        self.released: list[Connection] = []

    def watch_writing(self, connection: Connection, wanted: bool) -> None: ...

    def linger(self, connection: Connection) -> None: ...

    def release(self, connection: Connection) -> None:
        self.released.append(connection)

    def join(self, subscription: Subscription, source: Source, cursor: object) -> None: ...


@pytest.fixture
def pair() -> Iterator[Pair]:
    """The server's and the client's end of a TCP connection with small buffers."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        with closing(server):
            server.setblocking(False)
            yield server, client


class TestDoubt:
    def test_who_owes_no_answer_is_there(self) -> None:
        doubt = Doubt()
        assert not doubt.look(None, 0)
        assert not doubt.look(None, 1000)

    def test_who_answers_nothing_for_long_has_vanished(self) -> None:
        doubt = Doubt()
        assert not doubt.look(0.5, 0)
        assert not doubt.look(PATIENCE - 0.1, PATIENCE - 0.6)
        assert doubt.look(PATIENCE + 0.5, PATIENCE)

    def test_a_long_silence_in_which_nothing_was_asked_doesn_t_count(self) -> None:
        doubt = Doubt()
        assert not doubt.look(3600, 0)
        assert not doubt.look(3604, 4)
        assert doubt.look(3600 + PATIENCE, PATIENCE)

    def test_an_answer_ends_the_doubt(self) -> None:
        doubt = Doubt()
        assert not doubt.look(3600, 0)
        assert not doubt.look(None, 4)
        assert not doubt.look(3600 + PATIENCE, PATIENCE)

    def test_one_that_answers_now_and_then_is_there(self) -> None:
        doubt = Doubt()
        assert not any(doubt.look(PATIENCE / 2, at) for at in range(0, 1000, 4))


class TestLooking:
    def test_an_idle_connection_is_probed_by_the_kernel(self, pair: Pair) -> None:
        server, _ = pair
        look_after(server)
        assert server.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert server.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 0

    def test_a_unix_socket_is_left_alone(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX)
        with closing(ours), closing(theirs):
            look_after(ours)
            assert not ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert silence(ours) is None

    def test_a_client_that_reads_owes_nothing(self, pair: Pair) -> None:
        server, client = pair
        server.send(b"x" * 1000)
        assert len(client.recv(2000)) == 1000
        wait_until(lambda: unacknowledged(server) == 0, timeout=5)
        assert silence(server) is None

    def test_of_one_that_takes_nothing_it_is_known_what_it_has_not_taken(self, pair: Pair) -> None:
        server, client = pair
        sent = server.send(b"x" * 100_000)
        wait_until(lambda: unacknowledged(server) > 0, timeout=5)
        while sent:
            sent -= len(client.recv(65536))
        wait_until(lambda: unacknowledged(server) == 0, timeout=5)


class TestTheEndOfAStream:
    def test_it_waits_for_a_reader_that_pauses(self, pair: Pair) -> None:
        server, client = pair
        keeper = Keeper()
        connection = Connection(server, keeper, Manner(), None, None)
        connection.send(b"x" * 50_000)
        connection.close(b"end")
        assert connection.closed
        connection.end_if_taken()
        assert not keeper.released
        data = b""
        while part := client.recv(65536):
            data += part
        assert data == b"x" * 50_000 + b"end"
        wait_until(lambda: unacknowledged(server) == 0, timeout=5)
        connection.end_if_taken()
        assert keeper.released == [connection]

    def test_one_that_goes_on_is_not_ended(self, pair: Pair) -> None:
        connection = Connection(pair[0], keeper := Keeper(), Manner(), None, None)
        connection.send(b"x")
        connection.end_if_taken()
        assert not keeper.released


def test_a_stream_and_a_download_are_given_up_when_the_network_is_gone() -> None:
    unshare = shutil.which("unshare")
    assert unshare, "unshare of util-linux is needed, for a network of the test's own"
    done = subprocess.run(
        [unshare, "-r", "--net", sys.executable, "-m", "gevent.monkey", CUT_OFF],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "stream given up\ndownload given up\n"), (
        done.stderr
    )
