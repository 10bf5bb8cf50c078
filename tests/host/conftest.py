"""Real gunicorn servers with the project's worker, for small applications of the tests' own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline_host.testing.waiting import wait_until

from .installing import Install

APPS = Path(__file__).with_name("worker_apps.py")


class Gunicorn:
    """``gunicorn -k pipeline_host.worker.Worker worker_apps:NAME`` as a process of its own."""

    def __init__(self, folder: Path, app: str, *args: str) -> None:
        self.log_file = folder / f"gunicorn-{len(list(folder.iterdir()))}.log"
        command = [sys.executable, "-m", "gunicorn", "-k", "pipeline_host.worker.Worker"]
        command += ["--pythonpath", str(APPS.parent), "-b", "127.0.0.1:0"]
        application = app if ":" in app else f"worker_apps:{app}"
        command += ["--no-control-socket", *args, application]
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, env={**os.environ}
            )
        self.port = int(wait_until(self._port_in_log, 30, message=self.log))

    def _port_in_log(self) -> str | None:
        assert self.process.poll() is None, "gunicorn ended"
        found = re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", self.log())
        return found and found[1]

    def log(self) -> str:
        return self.log_file.read_text("utf-8")

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def worker_pids(self) -> list[int]:
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
        return sorted(int(child) for child in children.split())

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Servers:
    """Starts servers, and ends them all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[Gunicorn] = []

    def __call__(self, app: str, *args: str) -> Gunicorn:
        server = Gunicorn(self.folder, app, *args)
        self.started.append(server)
        return server


@pytest.fixture
def gunicorn(tmp_path: Path) -> Iterator[Servers]:
    servers = Servers(tmp_path)
    yield servers
    for server in servers.started:
        server.end()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    """One server of the application ``worker_apps:app``, where a client may be slow."""
    server = Gunicorn(tmp_path_factory.mktemp("worker"), "app", "--keep-alive", "10")
    yield server
    server.end()


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs plugins for one test: ``install("acme-store", {"acme": "<source>"})``."""
    installing = Install(tmp_path, monkeypatch)
    yield installing
    installing.forget()
