"""The server that tests are run against."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from pipeline_host.client import command
from pipeline_host.testing import server as live
from pipeline_host.testing.server import LiveServer
from pipeline_host.testing.waiting import wait_until

FIRST_THREAD_ENDS = """
import ctypes, threading
threading.Thread(target=threading.Event().wait).start()
ctypes.CDLL(None).pthread_exit(None)
"""


def test_it_runs_within_a_with_and_not_after(tmp_path: Path) -> None:
    with LiveServer(tmp_path / "data", workers=2) as server:
        assert requests.get(f"{server.url}/api/health", timeout=10).ok
        assert 0 < len(server.worker_pids()) <= 2
        workers = server.worker_pids()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{server.url}/api/health", timeout=10)
    for pid in workers:
        with suppress(FileNotFoundError, ProcessLookupError):
            assert "State:\tZ" in Path(f"/proc/{pid}/status").read_text("utf-8")


def test_it_keeps_its_port_and_data_when_it_is_started_again(tmp_path: Path) -> None:
    with LiveServer(tmp_path / "data") as server:
        url, pid = server.url, server.pid
        requests.post(
            f"{url}/api/workspaces", json={"id": "a", "name": "a", "rootPath": "/"}, timeout=10
        ).raise_for_status()
        for again in (server.restart, lambda: (server.kill(), server.start())):
            again()
            assert server.url == url
            assert server.pid != pid
            found = requests.get(f"{url}/api/workspaces", timeout=10).json()
            assert [workspace["id"] for workspace in found["workspaces"]] == ["a"]


def test_kill_may_be_called_at_any_time(tmp_path: Path) -> None:
    server = LiveServer(tmp_path / "data")
    server.kill()
    with server:
        os.kill(server.pid, signal.SIGKILL)
        server.kill()
        server.kill()
        with pytest.raises(RuntimeError, match="isn't running"):
            server.worker_pids()


def test_its_port_is_its_own_until_it_is_closed(tmp_path: Path) -> None:
    with LiveServer(tmp_path / "data") as server:
        for end in (server.stop, server.kill):
            end()
            with pytest.raises(ConnectionRefusedError), socket.socket() as client:
                client.connect(("127.0.0.1", server.port))
            with pytest.raises(OSError, match="in use"), socket.socket() as other:
                other.bind(("127.0.0.1", server.port))
            server.start()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", server.port))
        other.listen()


def test_it_stops_with_the_servers_exit_code(tmp_path: Path) -> None:
    with LiveServer(tmp_path / "data") as server:
        assert server.stop() == 0


def test_a_server_that_can_not_start_is_told_with_its_log(tmp_path: Path) -> None:
    server = LiveServer(tmp_path / "data", "--store", "nothing")
    with pytest.raises(RuntimeError, match=r"exit code 1\n(.|\n)*no such store"):
        server.start()


def test_variables_reach_the_server(tmp_path: Path) -> None:
    server = LiveServer(tmp_path / "data", env={"PIPELINE_HOST_STORE": "nothing"})
    with pytest.raises(RuntimeError, match="no such store"):
        server.start()


@pytest.mark.parametrize("runs", [live._group_runs, command._runs])
def test_a_process_runs_until_its_last_thread_has_ended(runs: Callable[[int], bool]) -> None:
    program = [sys.executable, "-c", FIRST_THREAD_ENDS]
    with subprocess.Popen(program, start_new_session=True) as process:
        try:
            wait_until(lambda: " Z " in Path(f"/proc/{process.pid}/stat").read_text("utf-8"))
            assert runs(process.pid)
        finally:
            process.kill()
        wait_until(lambda: not runs(process.pid))
