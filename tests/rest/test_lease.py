"""Leases over HTTP: asked for, renewed by whatever a reporter sends, and lost exactly once."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pipeline_host.testing import LiveServer
from pipeline_host.testing.waiting import wait_until
from pipeline_host.times import now_ms, to_ms
from pipeline_host_filestore.store import FileProcessStore

from .client import Answer, Api, item, new_process, unique

Report = Callable[[Api, str], Answer]


def heartbeat(api: Api, path: str) -> Answer:
    return api.request("POST", f"{path}/heartbeat")


REPORTS: dict[str, Report] = {
    "heartbeat": heartbeat,
    "patch": lambda api, path: api.patch(path, {"metadata": {"a": 1}}),
    "a patch that changes nothing": lambda api, path: api.patch(path, {}),
    "output as JSON": lambda api, path: api.post(f"{path}/output", {"content": "x"}),
    "raw output": lambda api, path: api.request("POST", f"{path}/output", b"x"),
}


def look(api: Api, path: str) -> dict[str, Any]:
    process = api.get(path).json()["process"]
    assert isinstance(process, dict)
    return process


def end_of(process: dict[str, Any]) -> int:
    """When a process's lease ends, in milliseconds since 1970."""
    return to_ms(process["lease"]["expires"])


def lost(api: Api, path: str) -> bool:
    process = look(api, path)
    return process["status"] == "failed" and str(process["error"]).startswith("lost contact: ")


def test_a_lease_is_told_with_its_end(api: Api) -> None:
    before = now_ms()
    process = api.create(leaseSeconds=60)
    assert process["lease"].keys() == {"seconds", "expires"}
    assert process["lease"]["seconds"] == 60
    assert before + 60_000 <= end_of(process) <= now_ms() + 60_000
    assert "leaseSeconds" not in process
    assert look(api, item(process["id"])) == process


def test_a_repeated_create_is_known_by_what_was_asked_for(api: Api) -> None:
    sent = new_process(leaseSeconds=60)
    created = api.post("/api/processes", sent)
    again = api.post("/api/processes", sent)
    assert (again.status, again.json()) == (200, created.json())
    for other in (61, None):
        assert api.post("/api/processes", sent | {"leaseSeconds": other}).status == 409


@pytest.mark.parametrize("seconds", [0, 86_401, "60", True, {"seconds": 60}])
def test_a_lease_that_can_not_be_had_is_refused(api: Api, seconds: object) -> None:
    answer = api.post("/api/processes", new_process(leaseSeconds=seconds))
    assert answer.status == 400
    assert answer.error == "leaseSeconds: expected a number from 1 to 86400"


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS.keys())
def test_whatever_a_reporter_sends_renews_its_lease(api: Api, report: Report) -> None:
    path = item((process := api.create(leaseSeconds=6))["id"])

    def renewed() -> bool:
        assert report(api, path).status == 200
        return end_of(look(api, path)) > end_of(process)

    wait_until(renewed, interval=0.1)
    assert look(api, path)["status"] == "running"


def test_a_heartbeat_of_one_without_a_lease_changes_nothing(api: Api) -> None:
    process = api.create()
    answer = heartbeat(api, item(process["id"]))
    assert (answer.status, answer.json()) == (200, {"process": process})


def test_a_heartbeat_of_one_that_is_unknown_or_has_ended_is_refused(api: Api) -> None:
    assert heartbeat(api, item(unique())).status == 404
    path = item(api.create(status="completed", leaseSeconds=60)["id"])
    answer = heartbeat(api, path)
    assert answer.status == 409
    assert answer.error == "Process is already in terminal state: completed"


def test_a_lost_process_fails_and_its_stream_ends(api: Api) -> None:
    process = api.create(leaseSeconds=3)
    path = item(process["id"])
    assert api.post(f"{path}/output", {"content": "the last words"}).status == 200
    events = api.get(f"{path}/stream").body.decode()
    assert lost(api, path)
    told = look(api, path)
    assert to_ms(told["endTime"]) >= end_of(process)
    status, done = events.rstrip().split("\n\n")[-2:]
    data = json.loads(status.partition("data: ")[2])
    assert (data["status"], data["error"]) == ("failed", told["error"])
    assert "event: done" in done
    assert "the last words" in events
    refused = api.post(f"{path}/output", {"content": "too late"})
    assert (refused.status, refused.error) == (
        409,
        "Process is already in terminal state: failed",
    )


def test_what_ended_in_time_is_not_lost(api: Api) -> None:
    completed, cancelled = (api.create(leaseSeconds=3) for _ in range(2))
    assert api.patch(item(completed["id"]), {"status": "completed"}).status == 200
    assert api.request("POST", item(cancelled["id"], "/cancel")).status == 200
    silent = item(api.create(leaseSeconds=3)["id"])
    wait_until(lambda: lost(api, silent))
    assert look(api, item(completed["id"]))["status"] == "completed"
    assert look(api, item(cancelled["id"]))["status"] == "cancelled"


def test_an_upload_that_is_silent_does_not_count(api: Api) -> None:
    path = item(api.create(leaseSeconds=1)["id"])
    with closing(api.connect()) as connection:
        head = f"POST {path}/output HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
        connection.sendall(f"{head}\r\n1\r\nx\r\n".encode())
        wait_until(lambda: lost(api, path))
        connection.sendall(b"1\r\ny\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 409 ")


def stopped_just_before_the_end(server: LiveServer, api: Api) -> tuple[str, int] | None:
    """A process whose lease ends while the server is stopped, and when; None if that was missed."""
    (worker,) = server.worker_pids()
    process = api.create(leaseSeconds=1)
    end = end_of(process)
    wait_until(lambda: now_ms() > end - 400)
    os.kill(worker, signal.SIGSTOP)
    wait_until(lambda: Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2][1] == "T")
    if now_ms() < end:
        return item(process["id"]), end
    os.kill(worker, signal.SIGCONT)
    return None


def test_a_heartbeat_that_came_while_the_server_stood_still_counts(
    live_server: Callable[..., LiveServer],
) -> None:
    server = live_server()
    api = Api(server.port)
    path, end = wait_until(lambda: stopped_just_before_the_end(server, api), 30)
    head = f"POST {path}/heartbeat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
    with closing(api.connect()) as connection:
        connection.sendall(head.encode())
        wait_until(lambda: now_ms() > end + 200)
        os.kill(server.worker_pids()[0], signal.SIGCONT)
        assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")


def test_of_four_workers_one_fails_each_lost_process(
    live_server: Callable[..., LiveServer],
) -> None:
    server = live_server(workers=4)
    wait_until(lambda: len(server.worker_pids()) == 4)
    api = Api(server.port)
    paths = [item(api.create(leaseSeconds=1)["id"]) for _ in range(20)]
    wait_until(lambda: all(lost(api, path) for path in paths), 20)
    server.stop()
    with closing(FileProcessStore(server.data_dir)) as store:
        changes = store.changes(0).changes
    counted = Counter(change.process.id for change in changes if change.process)
    assert set(counted.values()) == {2}
    assert Counter(change.kind for change in changes) == {
        "process-added": 20,
        "process-updated": 20,
    }


def test_after_a_restart_a_reporter_has_a_whole_lease_to_be_heard_from(
    live_server: Callable[..., LiveServer],
) -> None:
    server = live_server()
    api = Api(server.port)
    process = api.create(leaseSeconds=6)
    path = item(process["id"])
    server.kill()
    wait_until(lambda: now_ms() > end_of(process))
    server.start()
    assert look(api, path)["status"] == "running"
    assert heartbeat(api, path).status == 200
    assert end_of(look(api, path)) > end_of(process)
    wait_until(lambda: lost(api, path), 20)
