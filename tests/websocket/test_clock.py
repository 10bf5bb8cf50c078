"""What is due on connections: their start, a question after silence, their end."""

from __future__ import annotations

import threading
import time

from pipeline_host.testing.waiting import wait_until
from pipeline_host_websocket.clock import Clock, Options


class Client:
    def __init__(self, heard: float = 0.0) -> None:
        self.heard = heard
        self.asked: float | None = None
        self.calls: list[str] = []

    def start(self) -> None:
        self.calls.append("start")

    def ask(self) -> None:
        self.calls.append("ask")

    def drop(self) -> None:
        self.calls.append("drop")


def test_a_client_is_asked_once_in_each_silence_and_dropped_after_the_longer_one() -> None:
    clock = Clock(Options(silence=90, ping=30, grace=1000))
    client = Client(heard=time.monotonic() + 1000)
    clock.add(client)
    begun = client.heard
    for seconds in (29, 30, 35, 89):
        clock.look(begun + seconds)
    assert client.calls == ["ask"]
    client.heard, client.asked = begun + 89, None
    clock.look(begun + 100)
    clock.look(begun + 119)
    clock.look(begun + 178)
    assert client.calls == ["ask", "ask"]
    clock.look(begun + 179)
    assert client.calls == ["ask", "ask", "drop"]
    clock.discard(client)


def test_nobody_is_dropped_unasked_after_the_server_stood_still() -> None:
    clock = Clock(Options(silence=90, ping=30, grace=1000))
    client = Client(heard=time.monotonic() + 1000)
    clock.add(client)
    begun = client.heard
    for seconds in (500, 501, 559):
        clock.look(begun + seconds)
    assert client.calls == ["ask"]
    clock.look(begun + 560)
    assert client.calls == ["ask", "drop"]
    clock.discard(client)


def test_a_new_client_is_started_when_its_time_is_over() -> None:
    clock = Clock(Options(grace=0.2))
    clients = [Client(time.monotonic()) for _ in range(3)]
    for client in clients:
        clock.add(client)
    wait_until(lambda: all(client.calls == ["start"] for client in clients))
    assert time.monotonic() - clients[0].heard >= 0.2
    for client in clients:
        clock.discard(client)


def test_a_client_that_talks_all_the_time_keeps_no_other_from_its_start() -> None:
    clock = Clock(Options(grace=0.1))
    talker, silent = Client(time.monotonic() + 1000), Client(time.monotonic())
    clock.add(talker)
    clock.add(silent)
    wait_until(lambda: silent.calls == ["start"])
    for client in (talker, silent):
        clock.discard(client)


def test_its_thread_ends_with_the_last_client_and_begins_again_with_the_next() -> None:
    clock = Clock(Options(silence=0.3, ping=0.1))
    for _ in range(2):
        client = Client(time.monotonic())
        clock.add(client)
        wait_until(lambda: "websocket" in {thread.name for thread in threading.enumerate()})
        clock.discard(client)
        wait_until(lambda: "websocket" not in {thread.name for thread in threading.enumerate()})
        assert len(clock) == 0
