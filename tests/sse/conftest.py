"""Real servers for the tests of streams, and a client that does to a process what reporters do."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest
import requests

from pipeline_host.testing.server import LiveServer
from pipeline_host.testing.waiting import wait_until

from .reading import Stream

_numbers: Final = itertools.count(1)
_PORT: Final = re.compile(r"Listening at: http://127\.0\.0\.1:(\d+)")
WORKERS: Final = {
    "pipeline_host": "pipeline_host.worker.Worker",
    "gevent": "gevent",
    "gthread": "gthread",
    "wsgiref": "",
}


class Reporter:
    """Reports one process to a server, over HTTP."""

    def __init__(self, port: int, process_id: str = "", **fields: Any) -> None:
        self.port = port
        self.id = process_id or f"p-{next(_numbers)}"
        self.url = f"http://127.0.0.1:{port}/api/processes"
        self.create(**fields)

    def create(self, **fields: Any) -> None:
        body = {
            "id": self.id,
            "promptPreview": "",
            "status": "running",
            "startTime": "2026-11-22T07:00:00.000Z",
        }
        self._send("POST", "", body | fields)

    def write(self, *contents: str, stream: str | None = None) -> int:
        told = {} if stream is None else {"stream": stream}
        chunks = [{"content": content, **told} for content in contents]
        return int(self._send("POST", f"/{self.path}/output", {"chunks": chunks})["offset"])

    def patch(self, **fields: Any) -> None:
        self._send("PATCH", f"/{self.path}", fields)

    def complete(self, status: str = "completed") -> None:
        self.patch(status=status, endTime="2026-11-22T07:02:34.000Z")

    def cancel(self) -> None:
        self._send("POST", f"/{self.path}/cancel", None)

    def delete(self) -> None:
        self._send("DELETE", f"/{self.path}", None)

    def stream(self, last_event_id: str = "", query: str = "") -> Stream:
        return Stream(self.port, self.id, last_event_id, query)

    @property
    def path(self) -> str:
        return quote(self.id, safe="")

    def _send(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        """Sends the path as it is, where other clients would resolve its dots."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with closing(connection):
            headers = {"Content-Type": "application/json"}
            content = None if body is None else json.dumps(body)
            connection.request(method, f"/api/processes{path}", content, headers)
            answer = connection.getresponse()
            text = answer.read()
        assert answer.status < 300, text
        return json.loads(text) if text else None


@pytest.fixture(scope="session")
def sse_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """One server for many tests; each uses processes of its own."""
    with LiveServer(tmp_path_factory.mktemp("sse") / "data") as server:
        yield server


@pytest.fixture
def reporter(sse_server: LiveServer) -> Reporter:
    return Reporter(sse_server.port)


class CountedServer:
    """The application under some WSGI server, with what its streams hold told at ``/counts``."""

    def __init__(self, worker: str, folder: Path, heartbeat: float) -> None:
        here = Path(__file__).parent
        self.worker = worker
        command = [sys.executable, str(here / "counted.py")]
        if WORKERS[worker]:
            command = [sys.executable, "-m", "gunicorn", "-k", WORKERS[worker], "--threads", "8"]
            command += ["-b", "127.0.0.1:0", "--graceful-timeout", "2", "--no-control-socket"]
            command += ["--chdir", str(here), "counted:app"]
        settings = {
            "PIPELINE_HOST_DATA_DIR": str(folder / "data"),
            "PIPELINE_HOST_HEARTBEAT": str(heartbeat),
        }
        self._log = folder / "server.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(command, stderr=log, env=os.environ | settings)
        self.port = wait_until(self._port, timeout=30, message=self.log)

    def log(self) -> str:
        return self._log.read_text()

    def _port(self) -> int:
        assert self.process.poll() is None, self.log()
        found = _PORT.search(self.log())
        return int(found[1]) if found else 0

    def counts(self) -> dict[str, int]:
        counts = requests.get(f"http://127.0.0.1:{self.port}/counts", timeout=20).json()
        self.pid = counts.pop("pid")
        return dict(counts)

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        finally:
            self.process.kill()
