"""A follower that loses its connection at random misses nothing and sees nothing twice."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests

from pipeline_host.testing.server import LiveServer
from pipeline_host.testing.waiting import wait_until

START = "2026-11-22T07:00:00.000Z"


class Follower(threading.Thread):
    """Reads a stream over a plain socket and drops it after a random number of bytes."""

    def __init__(self, server: LiveServer, process_id: str, seed: int) -> None:
        super().__init__(name=f"follower-{seed}")
        self.server, self.path = server, f"/api/processes/{process_id}/stream"
        self.random = random.Random(seed)
        self.last_id: str | None = None
        self.content: list[str] = []
        self.kinds: list[str] = []
        self.connections = 0
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            while "done" not in self.kinds:
                assert self.connections < 5000, "the stream never ends"
                try:
                    self.connect_once()
                except OSError:
                    continue
        except BaseException as failure:  # noqa: BLE001 - told to the test by its own thread
            self.failure = failure

    def connect_once(self) -> None:
        budget = self.random.randrange(1, 60_000)
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=20) as connection:
            self.connections += 1
            resume = f"Last-Event-ID: {self.last_id}\r\n" if self.last_id else ""
            head = f"GET {self.path} HTTP/1.0\r\nHost: localhost\r\n{resume}\r\n"
            connection.sendall(head.encode())
            data, body = b"", None
            while budget > 0:
                piece = connection.recv(min(budget, 4096))
                if not piece:
                    return
                budget -= len(piece)
                data += piece
                if body is None and b"\r\n\r\n" in data:
                    head_, _, data = data.partition(b"\r\n\r\n")
                    assert head_.startswith(b"HTTP/1.1 200"), head_
                    body = True
                if body:
                    *frames, data = data.split(b"\n\n")
                    for frame in frames:
                        self.take(frame.decode())

    def take(self, frame: str) -> None:
        fields = dict(
            line.split(": ", 1) for line in frame.split("\n") if not line.startswith(":") and line
        )
        if "event" not in fields:
            return
        self.kinds.append(fields["event"])
        if fields["event"] == "chunk":
            self.content.append(json.loads(fields["data"])["content"])
        self.last_id = fields.get("id", self.last_id)


def create(server: LiveServer, **fields: Any) -> str:
    body = {"promptPreview": "p", "status": "running", "startTime": START, **fields}
    response = requests.post(f"{server.url}/api/processes", json=body, timeout=20)
    assert response.status_code == 201, response.text
    return f"{server.url}/api/processes/{body['id']}"


def persistently(request: Callable[[], requests.Response]) -> requests.Response:
    """Send a request that may be repeated until a server answers it."""

    def attempt() -> requests.Response | None:
        try:
            return request()
        except requests.RequestException:
            return None

    return wait_until(attempt, timeout=60)


def finish(followers: list[Follower], expected: str) -> None:
    for follower in followers:
        follower.join(90)
        assert not follower.is_alive(), f"{follower.name} still reads"
        assert follower.failure is None, follower.failure
        assert "".join(follower.content) == expected
        assert follower.kinds.count("done") == 1
        assert follower.kinds.count("status") == 1
        assert "gap" not in follower.kinds


@pytest.mark.timeout(240)
def test_followers_see_every_byte_once_across_disconnects_restarts_and_workers(
    live_server: Callable[..., LiveServer],
) -> None:
    server = live_server(workers=2)
    url = create(server, id="followed")
    followers = [Follower(server, "followed", seed) for seed in range(6)]
    for follower in followers:
        follower.start()
    chance, written = random.Random(7), ""
    for number in range(400):
        text = "".join(chance.choices("abc é日\n\r😀", k=chance.choice([1, 20, 300, 9000])))
        body = {"content": text, "offset": len(written.encode())}
        answer = persistently(
            lambda body=body: requests.post(f"{url}/output", json=body, timeout=5)
        )
        assert answer.status_code == 200, answer.text
        written += text
        if number in (100, 300):
            server.kill()
            server.start()
        elif number % 100 == 50:
            os.kill(wait_until(server.worker_pids)[0], signal.SIGKILL)
    answer = persistently(lambda: requests.patch(url, json={"status": "completed"}, timeout=5))
    assert answer.status_code == 200
    finish(followers, written)
    assert sum(follower.connections for follower in followers) > 60


def test_a_hundred_followers_of_one_stream_all_get_all_chunks_in_order(
    live_server: Callable[..., LiveServer],
) -> None:
    server = live_server(workers=2)
    url = create(server, id="popular")
    streams = [requests.get(f"{url}/stream", stream=True, timeout=30) for _ in range(100)]
    chunks = [f"chunk {number}\n" for number in range(200)]
    with requests.Session() as session:
        for chunk in chunks:
            assert session.post(f"{url}/output", json={"content": chunk}, timeout=20).ok
        assert session.patch(url, json={"status": "completed"}, timeout=20).ok
    for stream in streams:
        data = [
            json.loads(frame.split("data: ", 1)[1])["content"]
            for frame in stream.content.decode().split("\n\n")
            if "event: chunk\n" in frame
        ]
        assert data == chunks
