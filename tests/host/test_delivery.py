"""Delivery over real sockets: who gets what, in which order, and what stays of those who left."""

from __future__ import annotations

import hashlib
import itertools
import json
import random
import signal
import socket
import struct
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest

from pipeline_host.delivery import Delivery
from pipeline_host.testing.waiting import wait_until

from .conftest import Gunicorn, Servers
from .delivery_app import HEAD, frame

NOBODY = {"connections": 0, "watches": 0}
MEGABYTE = 1024 * 1024
numbers = itertools.count(1)


class Client:
    """Asks a server of ``delivery_app``, and opens streams to it."""

    def __init__(self, server: Gunicorn) -> None:
        self.server = server

    def ask(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.server.port}/{path}") as answer:
            return json.load(answer)

    def open(self, path: str, more: bytes = b"", receive_buffer: int = 0) -> socket.socket:
        """A connection that was asked for a stream, and read up to the end of the head."""
        sock = socket.socket()
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(20)
        sock.connect(("127.0.0.1", self.server.port))
        sock.sendall(f"GET /{path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() + more)
        assert read(sock, len(HEAD)) == HEAD
        return sock

    def nobody_left(self) -> bool:
        counts = self.ask("counts")
        return bool(counts["objects"] == 0 and {key: counts[key] for key in NOBODY} == NOBODY)


def read(sock: socket.socket, size: int) -> bytes:
    """So many bytes, or less at the end."""
    parts = []
    while size and (part := sock.recv(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def read_all(sock: socket.socket) -> bytes:
    data = b""
    while part := sock.recv(65536):
        data += part
    return data


def frames(log: str, first: int, last: int, size: int = 32) -> bytes:
    return b"".join(frame(log, number, size) for number in range(first, last))


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def half_close(sock: socket.socket) -> None:
    sock.shutdown(socket.SHUT_WR)


WAYS: dict[str, Callable[[socket.socket], None]] = {
    "closes": socket.socket.close,
    "half-closes": half_close,
    "resets": reset,
}


@contextmanager
def serving(gunicorn: Servers, *args: str) -> Iterator[Client]:
    yield Client(gunicorn("delivery_app:app", *args))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    servers = Servers(tmp_path_factory.mktemp("delivery"))
    yield Client(servers("delivery_app:app"))
    for server in servers.started:
        server.end()


@pytest.fixture
def client(shared: Client) -> Iterator[Client]:
    """A client of a server that nobody follows anything on, before or after."""
    yield shared
    wait_until(shared.nobody_left, timeout=5)


@pytest.fixture
def log() -> str:
    """A log of the test's own."""
    return f"log-{next(numbers)}"


class TestFollowing:
    def test_a_follower_gets_what_there_is_and_then_what_comes(
        self, client: Client, log: str
    ) -> None:
        client.ask(f"write?log={log}&count=3")
        with client.open(f"follow?log={log}") as sock:
            assert read(sock, 96) == frames(log, 0, 3)
            client.ask(f"write?log={log}&count=2")
            assert read(sock, 64) == frames(log, 3, 5)

    def test_it_may_begin_anywhere(self, client: Client, log: str) -> None:
        client.ask(f"write?log={log}&count=3")
        with client.open(f"follow?log={log}&after=2") as sock:
            assert read(sock, 32) == frames(log, 2, 3)

    def test_what_all_are_to_get_is_read_once(self, client: Client, log: str) -> None:
        with ExitStack() as stack:
            socks = [stack.enter_context(client.open(f"follow?log={log}")) for _ in range(50)]
            before = client.ask(f"reads?log={log}")
            client.ask(f"write?log={log}")
            for sock in socks:
                assert read(sock, 32) == frames(log, 0, 1)
            assert client.ask(f"reads?log={log}") - before <= 3

    def test_at_the_end_the_last_is_sent_and_the_connection_closed(
        self, client: Client, log: str
    ) -> None:
        with client.open(f"follow?log={log}&last=last&then_close=1") as sock:
            client.ask(f"write?log={log}")
            client.ask(f"end?log={log}")
            assert read_all(sock) == frames(log, 0, 1) + b"last"
        with client.open(f"follow?log={log}&last=last&then_close=1") as sock:
            assert read_all(sock) == frames(log, 0, 1) + b"last"

    def test_one_connection_follows_several_logs(self, client: Client, log: str) -> None:
        names = [f"{log}-{number}" for number in range(3)]
        path = f"follow?log={names[0]}&also={names[1]}%20{names[2]}&last=over%0A"
        with client.open(path) as sock:
            for name in names:
                client.ask(f"write?log={name}&count=40")
            client.ask(f"end?log={names[0]}")
            wanted = 120 * 32 + 5
            lines = read(sock, wanted).splitlines(keepends=True)
        lines.remove(b"over\n")
        for name in names:
            told = [line for line in lines if line.startswith(f"{name}:".encode())]
            assert b"".join(told) == frames(name, 0, 40)

    def test_a_log_that_cannot_be_read_ends_its_followers_and_no_others(
        self, client: Client, log: str
    ) -> None:
        with client.open(f"follow?log={log}") as sock, client.open("follow?log=other") as other:
            client.ask(f"fail?log={log}")
            assert read_all(sock) == b"farewell\n"
            client.ask("write?log=other&count=1")
            assert read(other, 32).startswith(b"other:")

    def test_silence_is_broken_by_heartbeats_and_only_silence(
        self, client: Client, log: str
    ) -> None:
        last, silences = time.monotonic(), 0
        with client.open(f"follow?log={log}&heartbeat=0.2&then_close=1") as sock:
            assert read(sock, 20) == b"heartbeat\n" * 2
            end = time.monotonic() + 0.5
            while (began := time.monotonic()) < end:
                client.ask(f"write?log={log}")
                silences += int((time.monotonic() - last) / 0.2)
                last = began
            client.ask(f"end?log={log}")
            silences += int((time.monotonic() - last) / 0.2)
            assert 2 + read_all(sock).count(b"heartbeat") <= silences


class TestLeaving:
    @pytest.mark.parametrize("way", WAYS)
    def test_it_is_noticed_at_once_when_a_client(self, client: Client, log: str, way: str) -> None:
        sock = client.open(f"follow?log={log}")
        WAYS[way](sock)
        wait_until(lambda: log in client.ask("closed"))
        wait_until(client.nobody_left)
        assert client.ask("closed").count(log) == 1
        sock.close()

    def test_what_a_follower_sends_is_ignored(self, client: Client, log: str) -> None:
        with client.open(f"follow?log={log}", more=b"more") as sock:
            sock.sendall(b"and more")
            client.ask(f"write?log={log}")
            assert read(sock, 32) == frames(log, 0, 1)

    def test_nothing_is_left_of_those_who_come_and_go(self, client: Client, log: str) -> None:
        chance = random.Random(3)
        client.ask(f"write?log={log}&count=3")

        def rounds(count: int) -> None:
            open_ones: list[socket.socket] = []
            for _ in range(count):
                open_ones.append(client.open(f"follow?log={log}&heartbeat=3600"))
                if len(open_ones) > 20:
                    leave = chance.choice([reset, socket.socket.close, socket.socket.close])
                    leave(open_ones.pop(chance.randrange(20)))
            for sock in open_ones:
                sock.close()
            wait_until(client.nobody_left, timeout=5)

        rounds(300)
        before = client.ask("counts")
        rounds(2000)
        after = client.ask("counts")
        for what in ("descriptors", "greenlets", "threads"):
            assert after[what] <= before[what] + 2, what
        assert after["resident"] - before["resident"] < 2 * MEGABYTE

    def test_who_gets_the_descriptor_of_another_gets_nothing_else_of_it(
        self, client: Client, log: str
    ) -> None:
        stop = threading.Event()

        def write() -> None:
            while not stop.is_set():
                client.ask(f"write?log={log}-a&count=2&times=20")
                client.ask(f"write?log={log}-b&count=2&times=20")

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for number in range(300):
                name = f"{log}-{'ab'[number % 2]}"
                sock = client.open(f"follow?log={name}")
                assert read(sock, 320) == frames(name, 0, 10)
                (reset if number % 3 else socket.socket.close)(sock)
        finally:
            stop.set()
            writer.join()


class TestSlowOnes:
    def test_beside_slow_stalled_and_breaking_ones_the_others_get_everything_in_order(
        self, client: Client, log: str
    ) -> None:
        size, count = 4096, 4000
        expected = hashlib.sha256(frames(log, 0, count, size)).digest()
        got: dict[int, bytes] = {}

        def follow(number: int, slow: bool) -> None:
            digest = hashlib.sha256()
            left = size * count
            with client.open(f"follow?log={log}", receive_buffer=8192 if slow else 0) as sock:
                while left:
                    data = sock.recv(min(left, 4096 if slow else 262144))
                    digest.update(data)
                    left -= len(data)
            got[number] = digest.digest()

        client.ask(f"write?log={log}&count=0&size={size}")
        stalled = [client.open(f"follow?log={log}") for _ in range(3)]
        breaking = [client.open(f"follow?log={log}") for _ in range(6)]
        readers = [threading.Thread(target=follow, args=(n, n % 2 == 0)) for n in range(8)]
        for reader in readers:
            reader.start()
        for number in range(10):
            client.ask(f"write?log={log}&count={count // 200}&times=20")
            if number < len(breaking):
                (reset if number % 2 else socket.socket.close)(breaking[number])
        for reader in readers:
            reader.join()
        assert set(got.values()) == {expected}
        assert len(got) == 8
        for sock in stalled:
            sock.close()

    def test_one_that_stalls_costs_no_memory_and_gets_every_byte_when_it_reads_again(
        self, client: Client, log: str
    ) -> None:
        size, count = 16384, 4000
        client.ask(f"write?log={log}&count=0&size={size}")
        with client.open(f"follow?log={log}&last=end&then_close=1") as stalled:
            with client.open(f"follow?log={log}") as fast:
                before = client.ask("counts")["resident"]
                for _ in range(40):
                    client.ask(f"write?log={log}&count={count // 40}")
                    assert len(read(fast, size * count // 40)) == size * count // 40
                assert client.ask("counts")["resident"] - before < 20 * MEGABYTE
            client.ask(f"end?log={log}")
            digest, got = hashlib.sha256(), 0
            while data := stalled.recv(262144):
                digest.update(data)
                got += len(data)
        expected = hashlib.sha256()
        for number in range(count):
            expected.update(frame(log, number, size))
        expected.update(b"end")
        assert got == size * count + 3
        assert digest.digest() == expected.digest()

    def test_one_that_lets_frames_of_its_own_wait_is_dropped(self, client: Client) -> None:
        with client.open("echo?times=100000") as sock:

            def dropped() -> bool:
                with suppress(ConnectionError):
                    sock.sendall(b"x" * 100)
                return client.nobody_left()

            wait_until(dropped, timeout=5)


class TestReceiving:
    def test_what_arrives_is_handed_on_even_if_it_came_with_the_request(
        self, client: Client
    ) -> None:
        with client.open("echo", more=b"early") as sock:
            assert read(sock, 5) == b"early"
            sock.sendall(b"later")
            assert read(sock, 5) == b"later"

    @pytest.mark.parametrize("way", WAYS)
    def test_the_end_is_told_once_when_a_client(self, client: Client, way: str) -> None:
        before = client.ask("closed").count("echo")
        sock = client.open("echo")
        WAYS[way](sock)
        wait_until(lambda: client.ask("closed").count("echo") == before + 1)
        sock.close()

    def test_what_is_sent_last_arrives_though_the_client_sends_on(self, client: Client) -> None:
        with client.open("echo") as sock:
            sock.sendall(b"close")
            assert read(sock, 5) == b"final"
            with suppress(ConnectionError):  # it is not waited for for ever
                sock.sendall(b"x" * 100_000)
            assert sock.recv(100) == b""

    def test_an_error_in_the_receiver_ends_its_connection_alone(self, client: Client) -> None:
        with client.open("echo") as sock, client.open("echo") as other:
            sock.sendall(b"fail")
            assert read_all(sock) == b""
            other.sendall(b"hello")
            assert read(other, 5) == b"hello"
        assert "this is the application's own" in client.server.log()


def test_when_the_worker_stops_a_thousand_streams_end_in_good_order_at_once(
    gunicorn: Servers,
) -> None:
    with serving(gunicorn, "--graceful-timeout", "30") as client, ExitStack() as stack:
        socks = [stack.enter_context(client.open("follow?log=a")) for _ in range(1000)]
        began = time.monotonic()
        client.server.process.send_signal(signal.SIGTERM)
        for sock in socks:
            assert read_all(sock) == b"farewell\n"
        assert client.server.process.wait(30) == 0
        assert time.monotonic() - began < 15


def test_what_stalls_does_not_keep_a_worker_from_stopping(gunicorn: Servers) -> None:
    with serving(gunicorn, "--graceful-timeout", "1") as client:
        client.ask("write?log=a&count=1000&size=65536")
        with client.open("follow?log=a"), client.open("echo"):
            began = time.monotonic()
            client.server.process.send_signal(signal.SIGTERM)
            assert client.server.process.wait(30) == 0
            assert time.monotonic() - began < 15


def test_beyond_the_most_that_may_be_streams_are_refused(
    gunicorn: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_STREAMS", "2")
    with serving(gunicorn) as client:
        with client.open("follow?log=a"), client.open("follow?log=a"):
            with pytest.raises(urllib.error.HTTPError, match="503") as refused:
                client.ask("follow?log=a")
            assert b"There are 2 open streams" in refused.value.read()
        wait_until(client.nobody_left, timeout=5)
        client.open("follow?log=a").close()


def test_where_the_server_hands_nothing_over_nothing_is_taken() -> None:
    delivery = Delivery(10)
    assert delivery.take({}, HEAD) is None
    assert len(delivery) == 0
    delivery.drain()
    delivery.close()
