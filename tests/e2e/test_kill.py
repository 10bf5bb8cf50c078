"""Nothing that was acknowledged is lost, and nothing is doubled, when processes are killed.

Writers create, patch and append over HTTP while workers and whole servers are killed with SIGKILL
at random moments. Each writer keeps a ledger of what was acknowledged; after every restart the
server is compared with the ledgers.
"""

from __future__ import annotations

import json
import os
import random
import signal
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any

import pytest
import requests

from pipeline_host.testing.server import LiveServer
from pipeline_host.testing.waiting import wait_until

START = "2026-11-22T07:00:00.000Z"
KILLS = 105
WITHOUT = [f"--block={name}" for name in ("dashboard", "metrics", "webhook", "websocket")]
"""What has no part in this, and would only make a start slower."""
SERVERS = (2, 5)
"""Of seven kills those, counted from 0, that take the whole server: 30. The others take a worker,
which is cheaper to replace."""


@dataclass
class Process:
    """What one writer knows of one process of its own."""

    id: str
    acknowledged: str = ""
    maybe: str = ""
    fields: dict[str, Any] = field(default_factory=dict)
    pending: dict[str, Any] = field(default_factory=dict)


def get(connection: HTTPConnection, path: str) -> tuple[int, bytes]:
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read()


def new_session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # looking for proxies costs more than the request
    return session


class Writer(threading.Thread):
    """Writes to its own processes one request at a time, until told to pause or stop."""

    def __init__(self, port: int, lane: int) -> None:
        super().__init__(name=f"writer-{lane}")
        self.port, self.lane = port, lane
        self.url = f"http://127.0.0.1:{port}/api/processes"
        self.random = random.Random(lane)
        self.processes: list[Process] = []
        self.creating: Process | None = None
        self.acknowledged = 0
        self.errors: list[str] = []
        self.go = threading.Event()
        self.stepping = threading.Lock()
        self.ended = False
        self.session = new_session()
        self.touched: dict[str, Process] = {}

    def run(self) -> None:
        while not self.ended:
            self.go.wait()
            with self.stepping:
                if self.go.is_set() and not self.ended:
                    self.try_step()
        self.session.close()

    def try_step(self) -> None:
        try:
            self.step()
        except requests.RequestException:
            self.session.close()
            self.session = new_session()

    def pause(self) -> None:
        self.go.clear()
        assert self.stepping.acquire(timeout=60), "a writer hangs"
        self.stepping.release()

    def expect(self, response: requests.Response, *statuses: int) -> None:
        if response.status_code not in statuses:
            self.errors.append(f"{response.status_code} {response.text[:300]}")
        self.acknowledged += 1

    def step(self) -> None:
        if self.creating or not self.processes or self.random.random() < 0.1:
            self.create()
        elif self.random.random() < 0.3:
            self.patch(self.random.choice(self.processes[-5:]))
        else:
            self.append(self.random.choice(self.processes[-5:]))

    def create(self) -> None:
        process = self.creating = self.creating or Process(f"{self.lane}-{len(self.processes)}")
        self.touched[process.id] = process
        body = {"id": process.id, "promptPreview": "p", "status": "running", "startTime": START}
        self.expect(self.session.post(self.url, json=body, timeout=10), 201, 200)
        self.processes.append(process)
        self.creating = None

    def patch(self, process: Process) -> None:
        self.touched[process.id] = process
        key = f"k{self.random.randrange(5)}"
        process.pending = process.pending or {key: self.random.randrange(10**9)}
        answer = self.session.patch(
            f"{self.url}/{process.id}", json={"metadata": process.pending}, timeout=10
        )
        self.expect(answer, 200)
        process.fields |= process.pending
        process.pending = {}

    def append(self, process: Process) -> None:
        self.touched[process.id] = process
        text = process.maybe or f"<{self.lane}:{self.random.randrange(10**9)}:é>" * (
            self.random.randrange(1, 40)
        )
        process.maybe = text
        offset = len(process.acknowledged.encode())
        answer = self.session.post(
            f"{self.url}/{process.id}/output",
            json={"content": text, "offset": offset},
            timeout=10,
        )
        self.expect(answer, 200)
        if answer.status_code == 200 and answer.json()["offset"] != offset + len(text.encode()):
            self.errors.append(f"offset {answer.json()} after {offset} and {len(text.encode())}")
        process.acknowledged += text
        process.maybe = ""

    def compare(self) -> None:
        """The server has what was acknowledged, and beyond it only what is still in question.

        Compared is what was written since the last time; in the end it is everything.
        """
        assert self.errors == []
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            for process in self.touched.values():
                if process is not self.creating:
                    self.compare_one(connection, process)
        self.touched.clear()

    def compare_all(self) -> None:
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            for process in self.processes:
                self.compare_one(connection, process)

    def compare_one(self, connection: HTTPConnection, process: Process) -> None:
        status, found = get(connection, f"/api/processes/{process.id}")
        assert status == 200, f"{process.id} is lost"
        metadata = json.loads(found)["process"].get("metadata", {})
        assert metadata in (process.fields, process.fields | process.pending)
        process.fields = metadata
        process.pending = {}
        status, output = get(connection, f"/api/processes/{process.id}/output")
        assert status == 200, output
        sure = process.acknowledged.encode()
        assert output.startswith(sure), f"{process.id}: acknowledged output is lost"
        assert (process.acknowledged + process.maybe).encode().startswith(output)


@pytest.mark.timeout(400)
def test_nothing_acknowledged_is_lost_in_a_hundred_kills(
    live_server: Callable[..., LiveServer],
) -> None:
    server = live_server(*WITHOUT, workers=2)
    chance = random.Random(1)
    writers = [Writer(server.port, lane) for lane in range(4)]
    for writer in writers:
        writer.start()
    try:
        for number in range(KILLS):
            before = sum(writer.acknowledged for writer in writers)
            target = before + chance.randrange(3, 40)
            for writer in writers:
                writer.go.set()
            wait_until(lambda t=target: sum(w.acknowledged for w in writers) >= t, timeout=60)
            if number % 7 in SERVERS:
                server.kill()
                server.start()
            else:
                kill_a_worker(server, chance)
            for writer in writers:
                writer.pause()
            for writer in writers:
                writer.compare()
    finally:
        for writer in writers:
            writer.ended = True
            writer.go.set()
        for writer in writers:
            writer.join()
    for writer in writers:
        writer.compare_all()
        assert writer.errors == []


def kill_a_worker(server: LiveServer, chance: random.Random) -> None:
    victim = chance.choice(wait_until(server.worker_pids))
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: victim not in server.worker_pids() and len(server.worker_pids()) == 2)
