"""``/ws`` as its clients meet it: welcome, changes, workspaces, resuming."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from pipeline_host.testing.server import LiveServer
from pipeline_host.testing.waiting import wait_until

from .frames_of_clients import BINARY, PING, PONG, Frame, client_frame, text
from .raw_client import RawClient
from .reporting import Reporter

CHANGES = ("process-added", "process-updated", "process-removed")
SUMMARY = {"id", "promptPreview", "status", "type", "startTime", "endTime", "workspaceId"}


def welcomed(server: LiveServer, **options: Any) -> RawClient:
    client = RawClient(server.port, **options)
    assert client.hear()["type"] == "welcome"
    return client


def about(process_id: str, kind: str = "") -> Callable[[Any], bool]:
    """Whether a message is a change of this process (and of this kind)."""

    def is_about(message: Any) -> bool:
        told = message.get("processId") or message.get("process", {}).get("id")
        return bool(told == process_id and kind in ("", message["type"]))

    return is_about


def test_the_first_message_is_a_welcome(ws_server: LiveServer) -> None:
    before = time.time() * 1000
    with RawClient(ws_server.port) as client, RawClient(ws_server.port) as other:
        welcome = client.hear()
        assert set(welcome) == {"type", "clientId", "timestamp"}
        assert welcome["type"] == "welcome"
        assert before - 1 <= welcome["timestamp"] <= time.time() * 1000 + 1
        assert other.hear()["clientId"] != welcome["clientId"]


def test_a_ping_in_json_is_answered(ws_server: LiveServer) -> None:
    with welcomed(ws_server) as client:
        client.say(type="ping")
        assert client.hear() == {"type": "pong"}


@pytest.mark.parametrize(
    "said",
    [
        "not json",
        "[]",
        "{}",
        '{"type": 7}',
        '{"type": "shutdown"}',
        '{"type": "subscribe", "since": -1}',
        '{"type": "subscribe", "since": "yesterday"}',
        '{"type": "subscribe", "workspaceId": 5}',
        '{"type": "follow"}',
        '{"type": "follow", "processId": null}',
        '{"type": "unfollow", "processId": "nobody"}',
        '{"type": "ping", "type": "pong"}',
        "[" * 30000,
        '{"a":' * 10000,
        '{"type": "nothing", "more": ' + "[" * 20000 + "]" * 20000 + "}",
    ],
    ids=lambda said: said[:40],
)
def test_anything_else_is_ignored(ws_server: LiveServer, said: str) -> None:
    with welcomed(ws_server) as client:
        client.send(text(said) + client_frame(PING, b"still there?"))
        assert client.frame() == Frame(PONG, b"still there?")


def test_what_is_not_text_is_ignored(ws_server: LiveServer) -> None:
    with welcomed(ws_server) as client:
        client.send(client_frame(BINARY, b'{"type": "ping"}') + client_frame(PONG, b"unasked"))
        client.send(client_frame(PING, b"still there?"))
        assert client.frame() == Frame(PONG, b"still there?")


def test_all_changes_are_told_from_the_welcome_on(ws_server: LiveServer) -> None:
    with welcomed(ws_server) as client:
        reporter = Reporter(ws_server.port, workspaceId="w1")
        reporter.patch(status="completed", result="not told")
        reporter.delete()
        heard = client.hear_until(about(reporter.id, "process-removed"))
    mine = [message for message in heard if about(reporter.id)(message)]
    assert [message["type"] for message in mine] == list(CHANGES)
    added, updated, removed = mine
    assert set(added) == {"type", "process", "timestamp", "seq"}
    assert set(updated["process"]) == SUMMARY
    assert updated["process"]["status"] == "completed"
    assert removed["workspaceId"] == "w1"
    assert added["seq"] < updated["seq"] < removed["seq"]


def test_workspaces_and_clearing_are_told(ws_server: LiveServer) -> None:
    with welcomed(ws_server) as client:
        client.say(type="subscribe", workspaceId="w-clear")
        workspace = {"id": "w-clear", "name": "n", "rootPath": "/r"}
        assert requests.post(f"{ws_server.url}/api/workspaces", json=workspace, timeout=20).ok
        ids = [Reporter(ws_server.port, workspaceId="w-clear", status="failed").id for _ in "ab"]
        other = Reporter(ws_server.port, status="failed")
        url = f"{ws_server.url}/api/processes?status=failed"
        assert requests.delete(url, timeout=20).json()["removed"] >= 3
        heard = client.hear_until(lambda message: message["type"] == "processes-cleared")
    registered, *_, cleared = heard
    assert registered["type"] == "workspace-registered"
    assert registered["workspace"] == workspace
    assert (cleared["count"], cleared["processIds"]) == (2, ids)
    assert other.id not in str(heard)


def test_a_subscriber_of_a_workspace_is_told_of_no_other(ws_server: LiveServer) -> None:
    with welcomed(ws_server) as client:
        client.say(type="subscribe", workspaceId="w-mine")
        Reporter(ws_server.port, workspaceId="w-other")
        Reporter(ws_server.port)
        mine = Reporter(ws_server.port, workspaceId="w-mine")
        assert about(mine.id)(client.hear())


def test_a_change_of_subscription_leaves_no_gap_and_repeats_nothing(
    ws_server: LiveServer,
) -> None:
    with welcomed(ws_server) as client:
        reporters = []
        for number in range(60):
            reporters.append(Reporter(ws_server.port, workspaceId="w-switch"))
            if number % 3 == 0:
                workspace = {"workspaceId": "w-switch"} if number % 2 else {}
                client.say(type="subscribe", **workspace)
        heard = client.hear_until(about(reporters[-1].id))
    told = [one["process"]["id"] for one in heard if "process" in one]
    mine = {reporter.id for reporter in reporters}
    assert [one for one in told if one in mine] == [reporter.id for reporter in reporters]
    numbers = [message["seq"] for message in heard]
    assert numbers == sorted(set(numbers))


def test_a_subscriber_with_since_is_told_everything_after_it_and_goes_on_live(
    ws_server: LiveServer,
) -> None:
    first = Reporter(ws_server.port)
    with welcomed(ws_server) as client:
        client.say(type="subscribe", since=0)
        seen = client.hear_until(about(first.id))
    since = seen[-1]["seq"]
    missed = [Reporter(ws_server.port) for _ in range(5)]
    with welcomed(ws_server) as client:
        client.say(type="subscribe", since=since)
        live = Reporter(ws_server.port)
        heard = client.hear_until(about(live.id))
    assert [one["process"]["id"] for one in heard] == [one.id for one in (*missed, live)]
    assert [one["seq"] for one in heard] == list(range(since + 1, since + 7))


def test_a_number_that_was_never_given_out_is_answered_with_resync(ws_server: LiveServer) -> None:
    for since in (2**53, 2**63 - 1, 2**80):
        with welcomed(ws_server) as client:
            client.say(type="subscribe", since=since)
            assert client.hear() == {"type": "resync"}
            reporter = Reporter(ws_server.port)
            assert about(reporter.id, "process-added")(client.hear())


def test_the_client_of_a_stopping_server_is_told(live_server: Callable[..., LiveServer]) -> None:
    server = live_server("--graceful-timeout", "30")
    with welcomed(server) as client:
        begun = time.monotonic()
        server.stop(timeout=20)
        assert client.end()[-1] == 1001
        assert time.monotonic() - begun < 10


def test_a_silent_client_is_asked_and_then_dropped(live_server: Callable[..., LiveServer]) -> None:
    server = live_server("--set", "websocket.silence=6", "--set", "websocket.ping=0.5")
    with welcomed(server) as answering, welcomed(server) as silent:
        end = time.monotonic() + 8
        for frame in answering.frames():
            if frame.opcode == PING:
                answering.send(client_frame(PONG, frame.payload))
            if time.monotonic() > end:
                break
        assert silent.end() == [Frame(PING, b""), 1001]
        answering.say(type="ping")
        answering.hear_until(lambda message: message == {"type": "pong"})


def test_a_client_that_never_reads_is_dropped_in_time(
    live_server: Callable[..., LiveServer],
) -> None:
    server = live_server("--set", "websocket.silence=1", "--set", "websocket.ping=0.3")
    reporter = Reporter(server.port)
    with RawClient(server.port, receive_buffer=4096) as client:
        client.say(type="follow", processId=reporter.id)
        for _ in range(40):
            reporter.write("x" * 100_000)
        reporter.write("last")
        wait_until(lambda: not connections_to(server), timeout=20)


def connections_to(server: LiveServer) -> int:
    """How many WebSockets the server has, as its worker's open sockets tell."""
    (pid,) = server.worker_pids()
    listed = Path(f"/proc/{pid}/net/tcp").read_text("ascii").splitlines()[1:]
    rows = [line.split() for line in listed]
    port = f"{server.port:04X}"
    return sum(row[1].endswith(f":{port}") and row[3] == "01" for row in rows)


def test_wrong_options_are_refused_with_a_sentence(
    live_server: Callable[..., LiveServer],
) -> None:
    with pytest.raises(RuntimeError, match=r"Error: plugins\.websocket\.silence .*expected"):
        live_server("--set", "websocket.silence=soon")
