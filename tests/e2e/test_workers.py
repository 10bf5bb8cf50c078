"""Several workers on one data directory behave as one server.

A worker is singled out by stopping all others with SIGSTOP while a request is made: a new
connection can then be accepted by that one alone.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from pipeline_host.testing.server import LiveServer
from pipeline_host.testing.waiting import wait_until

START = "2026-11-22T07:00:00.000Z"


@contextmanager
def only(server: LiveServer, pid: int) -> Iterator[None]:
    """While inside, new connections are served by the worker ``pid``."""
    others = [other for other in server.worker_pids() if other != pid]
    for other in others:
        os.kill(other, signal.SIGSTOP)
    try:
        yield
    finally:
        for other in others:
            os.kill(other, signal.SIGCONT)


def create(server: LiveServer, **fields: Any) -> dict[str, Any]:
    body = {"promptPreview": "p", "status": "running", "startTime": START, **fields}
    response = requests.post(f"{server.url}/api/processes", json=body, timeout=20)
    assert response.status_code == 201, response.text
    created: dict[str, Any] = response.json()
    return created


def metrics(server: LiveServer) -> str:
    """What tells how many workers have started; one that hasn't must not be stopped."""
    return requests.get(f"{server.url}/metrics", timeout=20).text


def events(response: requests.Response) -> str:
    return response.content.decode()


@pytest.mark.parametrize("workers", [2, 4])
def test_what_one_worker_wrote_the_others_read_stream_and_cancel(
    live_server: Callable[..., LiveServer], workers: int
) -> None:
    server = live_server(workers=workers)
    wait_until(lambda: f"\npipeline_host_workers {workers}.0\n" in metrics(server), 30)
    pids = server.worker_pids()
    for number, writer in enumerate(pids):
        reader = pids[(number + 1) % workers]
        process_url = f"{server.url}/api/processes/p{number}"
        with only(server, writer):
            create(server, id=f"p{number}")
            requests.post(f"{process_url}/output", json={"content": "héllo\n"}, timeout=20)
        with only(server, reader):
            assert requests.get(process_url, timeout=20).json()["process"]["status"] == "running"
            stream = requests.get(f"{process_url}/stream", stream=True, timeout=20)
            assert requests.get(f"{process_url}/output", timeout=20).text == "héllo\n"
        with only(server, writer):
            requests.post(f"{process_url}/output", json={"content": "more"}, timeout=20)
            cancelled = requests.post(f"{process_url}/cancel", timeout=20)
            assert cancelled.json()["process"]["status"] == "cancelled"
        text = events(stream)
        assert text.index('{"content":"héllo\\n"}') < text.index('{"content":"more"}')
        assert '"status":"cancelled"' in text
        assert text.rstrip().endswith(f'data: {{"processId":"p{number}"}}')


def test_concurrent_creates_and_updates_lose_nothing(
    live_server: Callable[..., LiveServer],
) -> None:
    server = live_server(workers=4)

    def client(lane: int) -> None:
        with requests.Session() as session:
            for number in range(250):
                process_id = f"{lane}-{number}"
                body = {"id": process_id, "promptPreview": "p", "status": "running"}
                url = f"{server.url}/api/processes"
                made = session.post(url, json={**body, "startTime": START}, timeout=30)
                assert made.status_code == 201, made.text
                change = {"metadata": {"lane": lane, "number": number}, "result": f"r{number}"}
                patched = session.patch(f"{url}/{process_id}", json=change, timeout=30)
                assert patched.status_code == 200, patched.text

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(client, range(4)))

    assert requests.get(f"{server.url}/api/stats", timeout=20).json()["totalProcesses"] == 1000
    listed = requests.get(f"{server.url}/api/processes?limit=1000", timeout=20).json()["processes"]
    found = {p["id"]: (p["metadata"], p["result"]) for p in listed}
    assert found == {
        f"{lane}-{number}": ({"lane": lane, "number": number}, f"r{number}")
        for lane in range(4)
        for number in range(250)
    }


def test_of_complete_and_cancel_racing_on_different_workers_exactly_one_wins(
    live_server: Callable[..., LiveServer],
) -> None:
    server = live_server(workers=4)
    won = set()
    for number in range(60):
        url = f"{server.url}/api/processes/race-{number}"
        create(server, id=f"race-{number}")
        barrier = threading.Barrier(4)

        def race(way: str, url: str = url, barrier: threading.Barrier = barrier) -> tuple[str, int]:
            with requests.Session() as session:
                session.get(f"{server.url}/api/health", timeout=20)
                barrier.wait()
                if way == "cancel":
                    return way, session.post(f"{url}/cancel", timeout=20).status_code
                return way, session.patch(url, json={"status": way}, timeout=20).status_code

        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(race, ["completed", "cancel", "failed", "cancel"]))
        winners = [way for way, status in answers if status == 200]
        assert len(winners) == 1, answers
        assert sorted(status for _, status in answers) == [200, 409, 409, 409]
        final = requests.get(url, timeout=20).json()["process"]["status"]
        assert final == {"cancel": "cancelled"}.get(winners[0], winners[0])
        won.add(winners[0])
    assert won
