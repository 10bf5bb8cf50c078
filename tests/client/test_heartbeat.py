"""A reporter that has a lease is heard from in time, with or without anything to say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

from pipeline_host.client import ApiClient, ClientError, Reporter
from pipeline_host.client.sender import Sender
from pipeline_host.testing.waiting import wait_until

from .scripted import ScriptedServer

Make = Callable[..., Reporter]
MakeProcess = Callable[..., dict[str, Any]]


@pytest.fixture
def report(api: ApiClient, process: MakeProcess) -> Iterator[Make]:
    """Starts a reporter with a lease, which may be shorter than real servers give; ends them."""
    with ExitStack() as ending:

        def make(seconds: float = 0.15, **options: Any) -> Reporter:
            reporter = Reporter(api, process(id="a") | {"leaseSeconds": seconds}, **options)
            ending.callback(reporter.close, 0)
            return reporter

        yield make


class Conversation:
    """A sender that waits for nothing; what it would have waited for, and was told."""

    def __init__(self, api: ApiClient) -> None:
        self.pauses: list[float] = []
        self.ends: list[str] = []
        self.problems: list[ClientError] = []
        self.sender = Sender(
            api,
            "a",
            pause=self._pause,
            on_terminal=self.ends.append,
            on_problem=self.problems.append,
        )

    def _pause(self, seconds: float, *, asked: bool) -> None:
        self.pauses.append(seconds)

    def left(self) -> float:
        """Seconds until a heartbeat is due, which one must be."""
        left = self.sender.silence_left()
        assert left is not None
        return left


@pytest.fixture
def talk(api: ApiClient, server: ScriptedServer) -> Conversation:
    return Conversation(api)


def heartbeats(server: ScriptedServer) -> int:
    return len(server.requests("/heartbeat"))


def test_a_silent_reporter_sends_heartbeats_and_then_what_comes(
    server: ScriptedServer, report: Make
) -> None:
    reporter = report()
    wait_until(lambda: heartbeats(server) >= 3)
    reporter.output("x")
    before = heartbeats(server)
    wait_until(lambda: heartbeats(server) > before)
    reporter.patch({"status": "completed"})
    assert reporter.close(10)
    assert server.output("a") == b"x"
    assert server.processes["a"].process["status"] == "completed"


def test_whoever_ended_it_the_first_heartbeat_after_that_tells_it_and_is_the_last(
    server: ScriptedServer, report: Make
) -> None:
    ends: list[str] = []
    problems: list[ClientError] = []
    reporter = report(on_terminal=ends.append, on_problem=problems.append)
    wait_until(lambda: heartbeats(server) >= 1)
    server.set_status("a", "failed")
    wait_until(lambda: ends)
    assert reporter.terminal_status == "failed"
    counted = heartbeats(server)
    reporter.patch({"exitCode": 0})
    assert reporter.close(10)
    assert (ends, problems, heartbeats(server)) == (["failed"], [], counted)


@pytest.mark.parametrize("told", [{}, {"leaseSeconds": 0.1}])
def test_where_the_server_gave_no_lease_there_are_no_heartbeats(
    server: ScriptedServer, talk: Conversation, process: MakeProcess, told: dict[str, Any]
) -> None:
    server.fault("answer", status=201, body=b'{"id": "a"}', only="POST /api/processes")
    talk.sender.register(process(id="a") | told, None)
    assert talk.sender.registered
    assert talk.sender.silence_left() is None


def lower_than(talk: Conversation, seconds: float) -> bool:
    return talk.left() < seconds


def test_whatever_is_sent_is_heard(talk: Conversation, process: MakeProcess) -> None:
    talk.sender.register(process(id="a") | {"leaseSeconds": 3600}, None)
    sends: list[Callable[[], None]] = [
        lambda: talk.sender.output([{"content": "x"}]),
        lambda: talk.sender.patch({"result": "r"}),
        talk.sender.heartbeat,
    ]
    for send in sends:
        before = talk.left()
        assert 1100 < before <= 1200
        wait_until(partial(lower_than, talk, before - 0.01))
        at_last = talk.left()
        send()
        assert talk.left() > at_last


def test_one_that_was_removed_is_told_once(
    server: ScriptedServer, talk: Conversation, process: MakeProcess
) -> None:
    talk.sender.register(process(id="a") | {"leaseSeconds": 3600}, None)
    server.processes.clear()
    talk.sender.heartbeat()
    assert [str(problem) for problem in talk.problems] == ["Process not found"]
    assert talk.sender.silence_left() is None


def test_a_server_that_is_away_is_tried_in_every_third_of_the_lease(
    server: ScriptedServer, talk: Conversation, process: MakeProcess
) -> None:
    talk.sender.register(process(id="a") | {"leaseSeconds": 6}, None)
    server.fault("answer", times=12, status=503)
    talk.sender.heartbeat()
    assert len(talk.pauses) == 12
    assert max(talk.pauses) == 2


def test_a_server_that_asks_to_be_left_alone_is(
    server: ScriptedServer, talk: Conversation, process: MakeProcess
) -> None:
    talk.sender.register(process(id="a") | {"leaseSeconds": 6}, None)
    server.fault("answer", status=503, headers={"Retry-After": "5"})
    talk.sender.heartbeat()
    assert talk.pauses == [5.0]
