"""What ``/ws`` refuses, and what it leaves behind: nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from pipeline_host.testing.server import LiveServer
from pipeline_host.testing.waiting import wait_until

from .frames_of_clients import CONTINUATION, PING, TEXT, client_frame, close, text
from .raw_client import RawClient, exchange, upgrade
from .reporting import Reporter

ENDS = [
    ("not masked", client_frame(TEXT, b"{}", masked=False), 1002),
    ("reserved bit", text("{}", rsv=4), 1002),
    ("reserved opcode", client_frame(5), 1002),
    ("close code", close(1005), 1002),
    ("continuation of nothing", client_frame(CONTINUATION, b"{}"), 1002),
    ("ping in fragments", client_frame(PING, fin=False), 1002),
    ("not UTF-8", text(b'{"type": "\xff"}'), 1007),
    ("frame too big", client_frame(TEXT, announce=65537), 1009),
    ("a gigabyte announced", client_frame(TEXT, announce=2**30), 1009),
    (
        "message too big",
        text(b"a" * 65536, fin=0) + client_frame(CONTINUATION, announce=1),
        1009,
    ),
    ("the client's own end", close(1000, b"bye"), 1000),
]


@pytest.mark.parametrize(("name", "sent", "code"), ENDS, ids=[name for name, _, _ in ENDS])
def test_the_connection_ends_with_a_code(
    ws_server: LiveServer, name: str, sent: bytes, code: int
) -> None:
    with RawClient(ws_server.port) as client:
        assert client.hear()["type"] == "welcome"
        client.send(sent)
        assert client.end() == [code]


def test_more_streams_than_may_be_are_refused(live_server: Callable[..., LiveServer]) -> None:
    server = live_server("--max-streams", "2")
    with RawClient(server.port), RawClient(server.port) as second:
        status, _, body = exchange(server.port, upgrade())
        assert status == 503
        assert "2 open streams" in json.loads(body)["error"]
        second.leave()
        wait_until(lambda: exchange(server.port, upgrade())[0] == 101)
    assert requests.get(f"{server.url}/api/health", timeout=20).ok


def test_clients_that_come_and_go_leave_nothing_open(
    live_server: Callable[..., LiveServer],
) -> None:
    server = live_server()
    reporter = Reporter(server.port)
    (pid,) = server.worker_pids()

    def files() -> int:
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))

    def visit(number: int) -> None:
        with RawClient(server.port) as client:
            client.say(type="follow", processId=reporter.id)
            client.say(type="ping")
            client.hear_until(lambda message: message["type"] == "pong")
            if number % 3 == 0:
                client.reset()
            elif number % 3 == 1:
                client.leave()

    visit(0)
    before = files()
    for number in range(150):
        visit(number)
    wait_until(lambda: files() <= before)
