"""A process that has a lease is heard of in time, with or without anything to say of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from pipeline_host.client import Drop, ExtensionClient
from pipeline_host.client.known import Known, KnownProcesses, beat
from pipeline_host.testing.waiting import wait_until

from .scripted import ScriptedServer

Make = Callable[..., ExtensionClient]


@pytest.fixture
def make(server: ScriptedServer) -> Iterator[Make]:
    """Makes a client that has submitted a process with a lease, which may be shorter than real
    servers give."""
    with ExitStack() as ending:

        def make(seconds: float = 0.15, **options: Any) -> ExtensionClient:
            client = ExtensionClient(server.url, timeout=(5, 20), **options)
            ending.callback(client.close, 0)
            client.submit({"id": "a", "promptPreview": "p", "leaseSeconds": seconds})
            assert client.flush(10)
            return client

        yield make


def heartbeats(server: ScriptedServer) -> int:
    return len(server.requests("/heartbeat"))


def test_a_silent_client_sends_heartbeats_and_then_what_comes(
    server: ScriptedServer, make: Make
) -> None:
    client = make()
    wait_until(lambda: heartbeats(server) >= 3)
    client.output("a", "x")
    before = heartbeats(server)
    wait_until(lambda: heartbeats(server) > before)
    client.complete("a")
    assert client.flush(10)
    assert server.output("a") == b"x"
    assert server.processes["a"].process["status"] == "completed"


def test_one_that_an_earlier_start_made_is_heard_of(server: ScriptedServer, make: Make) -> None:
    server.create({"id": "a", "promptPreview": "old", "status": "running", "leaseSeconds": 0.15})
    client = make(60)
    assert client.dropped == 1
    wait_until(lambda: heartbeats(server) >= 2)


def test_a_silent_process_is_heard_of_while_others_have_much_to_say(
    server: ScriptedServer, make: Make
) -> None:
    client = make(0.03)
    for number in range(400):
        client.submit({"id": f"p{number}", "promptPreview": "p"})
    wait_until(lambda: len(server.seen) > 350)
    assert client.flush(30)
    beats = [n for n, seen in enumerate(server.seen) if seen.target.endswith("/a/heartbeat")]
    assert len([n for n in beats if n < 350]) >= 1


@pytest.mark.parametrize("end", ["complete", "remove"])
def test_after_the_end_there_are_none(server: ScriptedServer, make: Make, end: str) -> None:
    client = make()
    wait_until(lambda: heartbeats(server) >= 1)
    getattr(client, end)("a")
    assert client.flush(10)
    counted = heartbeats(server)
    client.submit({"id": "b", "promptPreview": "p", "leaseSeconds": 0.1})
    wait_until(lambda: heartbeats(server) >= counted + 4)
    assert {seen.target.split("/")[3] for seen in server.requests("/heartbeat")[counted:]} == {"b"}


def test_whoever_ended_it_the_first_heartbeat_after_that_tells_it_and_is_the_last(
    server: ScriptedServer, make: Make
) -> None:
    ends: list[tuple[str, str]] = []
    drops: list[Drop] = []
    client = make(on_terminal=lambda *end: ends.append(end), on_drop=drops.append)
    wait_until(lambda: heartbeats(server) >= 1)
    server.set_status("a", "failed")
    wait_until(lambda: ends)
    counted = heartbeats(server)
    client.update("a", {"exitCode": 0})
    assert client.flush(10)
    assert (ends, drops, heartbeats(server)) == ([("a", "failed")], [], counted)


def test_of_one_that_was_removed_nothing_more_is_sent(server: ScriptedServer, make: Make) -> None:
    drops: list[Drop] = []
    client = make(on_drop=drops.append)
    server.processes.clear()
    wait_until(lambda: (known := client._engine.desk.known.get("a")) and known.refused)
    client.output("a", "x")
    wait_until(lambda: drops)
    assert [drop.reason for drop in drops] == ["Process not found"]
    assert not server.requests("/output")


def test_offline_there_are_none(server: ScriptedServer, make: Make) -> None:
    client = make(0.3)
    client.offline = True
    client.flush()
    counted = heartbeats(server)
    other = ExtensionClient(server.url)
    other.submit({"id": "b", "promptPreview": "p", "leaseSeconds": 0.1})
    wait_until(lambda: heartbeats(server) >= counted + 10)
    other.close()
    assert "/api/processes/a/heartbeat" not in [s.target for s in server.seen[counted + 2 :]]


def test_a_server_that_is_away_is_tried_in_every_third_of_the_lease(
    server: ScriptedServer, make: Make
) -> None:
    make(0.6)
    server.fault("answer", times=1000, status=503, only="/heartbeat")
    server.fault("answer", times=1000, status=503, only="/health")
    # After 0.1, 0.2, 0.5, 1, 2 … 30 s that many would take longer than the test may.
    wait_until(lambda: len(server.requests("/health")) > 10, 30)


def test_what_was_sent_is_heard(server: ScriptedServer, make: Make) -> None:
    client = make(3600)
    known = client._engine.desk.known["a"]
    calls: list[Callable[[], None]] = [
        lambda: client.output("a", "x"),
        lambda: client.update("a", {"result": "r"}),
    ]
    for call in calls:
        before = known.beat_at
        call()
        assert client.flush(10)
        assert known.beat_at is not None
        assert before is not None
        assert known.beat_at > before


def test_a_heartbeat_is_due_when_a_third_of_the_lease_has_passed() -> None:
    assert Known(beat=beat({"lease": {"seconds": 30}}), heard=100).beat_at == 110
    assert Known(beat=10, ended="failed").beat_at is None
    assert Known(beat=10, refused="no").beat_at is None


@pytest.mark.parametrize(
    "process", [{}, {"lease": None}, {"lease": {}}, {"lease": {"seconds": ""}}]
)
def test_where_the_server_gave_no_lease_there_are_no_heartbeats(process: dict[str, Any]) -> None:
    known = KnownProcesses()
    known.granted("a", process)
    assert not known.leased


def test_only_so_many_processes_are_remembered_but_all_that_have_a_lease() -> None:
    known = KnownProcesses(most=2)
    known.granted("leased", {"lease": {"seconds": 3}})
    for name in "abc":
        known[name].offset = 1
    assert (known["a"].offset, known["c"].offset, known["leased"].beat) == (None, 1, 1)
