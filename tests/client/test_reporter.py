"""Reporting in the background: in order, once, whatever the server does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from pipeline_host.client import ApiClient, ClientError, Reporter
from pipeline_host.client.batch import MAX_BATCH, MAX_PIECE
from pipeline_host.testing.waiting import wait_until

from .scripted import ScriptedServer

Make = Callable[..., Reporter]


@pytest.fixture
def report(api: ApiClient, process: Callable[..., dict[str, str]]) -> Iterator[Make]:
    """Starts a reporter; all are ended with the test."""
    with ExitStack() as ending:

        def make(**options: Any) -> Reporter:
            reporter = Reporter(api, process(id="a"), **options)
            ending.callback(reporter.close, 0)
            return reporter

        yield make


def test_a_process_its_output_and_its_end_arrive_in_order(
    server: ScriptedServer, report: Make
) -> None:
    reporter = report(workspace={"id": "w", "name": "w", "rootPath": "/w"})
    reporter.output("hello ", "stdout")
    reporter.output("world", "stderr")
    reporter.patch({"status": "completed", "exitCode": 0})
    assert reporter.close(10)
    assert list(server.workspaces) == ["w"]
    stored = server.processes["a"]
    assert stored.output == b"hello world"
    assert [chunk["stream"] for chunk in stored.chunks] == ["stdout", "stderr"]
    assert (stored.process["status"], stored.process["exitCode"]) == ("completed", 0)
    assert [seen.method for seen in server.seen][-1] == "PATCH"


def test_it_chooses_an_id(server: ScriptedServer, api: ApiClient) -> None:
    reporter = Reporter(api, {"promptPreview": "p"})
    assert reporter.wait_registered(10)
    assert reporter.close(10)
    assert list(server.processes) == [reporter.process_id]


def test_what_waits_goes_in_few_requests(server: ScriptedServer, report: Make) -> None:
    server.fault("hang", only="POST /api/processes")
    reporter = report()
    lines = [f"line {number}\n" for number in range(5000)]
    for line in lines:
        reporter.output(line, "stdout")
    assert reporter.close(20)
    assert server.output("a") == "".join(lines).encode()
    assert len(server.requests("/output")) <= 3
    assert max(len(chunk["content"]) for chunk in server.processes["a"].chunks) <= MAX_PIECE


def test_a_flood_is_cut_into_requests_of_a_bounded_size(
    server: ScriptedServer, report: Make
) -> None:
    reporter = report()
    content = "日" * (MAX_BATCH * 2)
    reporter.output(content)
    assert reporter.close(30)
    assert server.output("a") == content.encode()
    sizes = [
        sum(len(chunk["content"].encode()) for chunk in seen.body["chunks"])
        for seen in server.requests("/output")
    ]
    assert max(sizes) <= MAX_BATCH + 3 * MAX_PIECE


@pytest.mark.parametrize("kind", ["truncate", "drop", "hang"])
@pytest.mark.parametrize("where", ["POST /api/processes", "/output", "PATCH"])
def test_a_lost_answer_loses_and_doubles_nothing(
    server: ScriptedServer, report: Make, kind: str, where: str
) -> None:
    server.fault(kind, only=where)
    reporter = report()
    reporter.output("one€")
    wait_until(lambda: server.output("a"))
    reporter.output("two")
    reporter.patch({"status": "failed"})
    assert reporter.close(20)
    assert server.output("a") == "one€two".encode()
    assert server.processes["a"].process["status"] == "failed"
    assert not server.faults


@pytest.mark.parametrize("status", [500, 502, 503, 408, 429, 200])
def test_trouble_is_waited_out(server: ScriptedServer, report: Make, status: int) -> None:
    server.fault("answer", times=2, status=status, body=b"<html>")
    server.fault("answer", times=2, status=status, body=b"<html>", only="/output")
    reporter = report()
    reporter.output("text")
    assert reporter.close(20)
    assert server.output("a") == b"text"


def test_retry_after_is_obeyed(server: ScriptedServer, report: Make) -> None:
    server.fault("answer", status=429, headers={"Retry-After": "1"})
    before = time.monotonic()
    assert report().close(20)
    assert time.monotonic() - before >= 1


def test_a_server_that_comes_back_gets_everything(server: ScriptedServer, report: Make) -> None:
    problems: list[ClientError] = []
    reporter = report(on_problem=problems.append)
    reporter.output("before ")
    wait_until(lambda: server.output("a"))
    server.stop()
    reporter.output("meanwhile ")
    wait_until(lambda: problems)
    server.start()
    reporter.output("after")
    assert reporter.close(20)
    assert server.output("a") == b"before meanwhile after"
    assert len(problems) == 1
    assert problems[0].retryable


def test_closing_gives_up_in_time_and_says_so(server: ScriptedServer, report: Make) -> None:
    server.stop()
    reporter = report()
    reporter.output("12345")
    before = time.monotonic()
    assert not reporter.close(0.3)
    assert time.monotonic() - before < 5
    assert reporter.pending_bytes == 5
    assert not reporter.drained


def test_the_reporting_one_never_waits_and_memory_stays_bounded(
    server: ScriptedServer, report: Make
) -> None:
    server.stop()
    reporter = report(memory_limit=100_000)
    text = "x" * 1_000_000
    for _ in range(20):
        reporter.output(text)
    assert reporter.pending_bytes == 20_000_000
    server.start()
    assert reporter.close(60)
    assert server.output("a") == text.encode() * 20


def test_output_after_the_end_on_the_server_is_dropped_and_told_once(
    server: ScriptedServer, report: Make
) -> None:
    told: list[str] = []
    reporter = report(on_terminal=told.append)
    reporter.output("one")
    wait_until(lambda: server.output("a"))
    server.set_status("a", "cancelled")
    reporter.output("two")
    wait_until(lambda: told)
    requests = len(server.requests("/output"))
    reporter.output("three")
    reporter.patch({"status": "completed", "exitCode": 3})
    assert reporter.close(10)
    assert told == ["cancelled"]
    assert reporter.terminal_status == "cancelled"
    assert len(server.requests("/output")) == requests
    stored = server.processes["a"]
    assert stored.output == b"one"
    assert (stored.process["status"], stored.process["exitCode"]) == ("cancelled", 3)


def test_a_change_made_when_the_end_is_told_still_arrives(
    server: ScriptedServer, report: Make
) -> None:
    reporter: Reporter
    made = threading.Event()

    def on_terminal(status: str) -> None:
        made.wait(10)
        reporter.patch({"error": f"was {status}"})

    reporter = report(on_terminal=on_terminal)
    made.set()
    assert reporter.wait_registered(10)
    server.set_status("a", "cancelled")
    reporter.patch({"status": "completed"})
    assert reporter.close(10)
    assert server.processes["a"].process["error"] == "was cancelled"


def test_a_refused_change_is_told_and_the_rest_goes_on(
    server: ScriptedServer, report: Make
) -> None:
    problems: list[ClientError] = []
    reporter = report(on_problem=problems.append)
    server.fault("answer", status=400, only="PATCH")
    reporter.patch({"status": "strange"})
    reporter.output("text")
    assert not reporter.close(10)
    assert [str(problem) for problem in problems] == ["as told"]
    assert reporter.drained
    assert server.output("a") == b"text"


def test_an_id_that_is_somebody_elses_gets_nothing(server: ScriptedServer, report: Make) -> None:
    server.create({"id": "a", "promptPreview": "another", "status": "running"})
    problems: list[ClientError] = []
    reporter = report(on_problem=problems.append)
    assert reporter.wait_attempted(10)
    reporter.output("text")
    reporter.patch({"status": "completed"})
    assert not reporter.close(10)
    assert len(problems) == 1
    assert not reporter.wait_registered(0)
    assert server.output("a") == b""
    assert server.processes["a"].process["status"] == "running"


def test_a_deleted_process_gets_no_more(server: ScriptedServer, report: Make) -> None:
    problems: list[ClientError] = []
    reporter = report(on_problem=problems.append)
    assert reporter.wait_registered(10)
    del server.processes["a"]
    for _ in range(3):
        reporter.output("text")
    wait_until(lambda: problems)
    reporter.output("text")
    assert not reporter.close(10)
    assert [str(problem) for problem in problems] == ["Process not found"]


def test_a_server_that_lost_output_gets_what_there_still_is(
    server: ScriptedServer, report: Make
) -> None:
    problems: list[ClientError] = []
    reporter = report(on_problem=problems.append)
    reporter.output("lost")
    wait_until(lambda: reporter.pending_bytes == 0)
    server.processes["a"].chunks.clear()
    reporter.output("kept")
    assert not reporter.close(10)
    assert server.output("a") == b"kept"
    assert len(problems) == 1


def test_text_that_utf8_cannot_hold_is_mended_and_other_nonsense_refused(
    server: ScriptedServer, report: Make
) -> None:
    reporter = report()
    reporter.output("a\udcffb")
    with pytest.raises(ValueError, match="JSON"):
        reporter.patch({"metadata": {"x": float("nan")}})
    assert reporter.close(10)
    assert server.output("a") == "a\ufffdb".encode()
