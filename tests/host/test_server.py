"""``pipeline-host serve`` as a process: how it starts, survives and ends."""

from __future__ import annotations

import contextlib
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from pipeline_host.testing.server import LiveServer, hold_port
from pipeline_host.testing.waiting import wait_until

EXAMPLE = Path(__file__).parents[2] / "examples" / "gunicorn.conf.py"
GUNICORN = [sys.executable, "-m", "gunicorn", "--no-control-socket"]
APP = "pipeline_host.wsgi:app"
WORKER = ["-k", "pipeline_host.worker.Worker"]
StartServer = Callable[..., LiveServer]
PROCESS = {
    "id": "p",
    "promptPreview": "p",
    "status": "running",
    "startTime": "2026-11-22T07:00:00.000Z",
}


def answers(server: LiveServer) -> bool:
    with contextlib.suppress(requests.ConnectionError):
        return requests.get(f"{server.url}/api/health", timeout=10).status_code == 200
    return False


def test_it_says_where_it_listens_when_it_answers_and_nothing_else(
    live_server: StartServer,
) -> None:
    server = live_server(workers=2)
    assert answers(server)
    wait_until(lambda: len(server.worker_pids()) == 2)
    assert server.log() == f"Listening on http://127.0.0.1:{server.port}\n"
    assert server.stop() == 0
    assert server.log() == f"Listening on http://127.0.0.1:{server.port}\n"


def test_it_serves_on_ipv6_too(live_server: StartServer) -> None:
    server = live_server("--host", "::1")
    assert server.url == f"http://[::1]:{server.port}"
    assert answers(server)


def test_several_workers_serve_one_port(live_server: StartServer) -> None:
    server = live_server(workers=4)
    wait_until(lambda: len(server.worker_pids()) == 4)
    assert requests.post(f"{server.url}/api/processes", json=PROCESS, timeout=10).ok
    for _ in range(40):
        assert requests.get(f"{server.url}/api/processes/p", timeout=10).status_code == 200


def test_two_servers_share_a_data_directory(live_server: StartServer) -> None:
    one, two = live_server(), live_server()
    assert one.port != two.port
    assert requests.post(f"{one.url}/api/processes", json=PROCESS, timeout=10).ok
    assert requests.get(f"{two.url}/api/processes/p", timeout=10).status_code == 200


def test_the_application_is_loaded_in_the_workers_alone(live_server: StartServer) -> None:
    server = live_server()

    def libraries(pid: int) -> str:
        return Path(f"/proc/{pid}/maps").read_text("utf-8")

    (worker,) = server.worker_pids()
    assert "falcon" in libraries(worker)
    assert "falcon" not in libraries(server.pid)


def test_a_killed_worker_is_replaced_and_the_port_answers(live_server: StartServer) -> None:
    server = live_server()
    (before,) = server.worker_pids()
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: server.worker_pids() not in ([], [before]))
    wait_until(lambda: answers(server))


def test_a_worker_that_can_not_start_again_ends_the_server_with_a_sentence(
    live_server: StartServer, tmp_path: Path
) -> None:
    server = live_server(data_dir=tmp_path / "lost")
    first, (worker,) = server.pid, server.worker_pids()
    os.kill(worker, signal.SIGSTOP)  # or it may notice what becomes of its data, and say so
    shutil.rmtree(tmp_path / "lost")
    (tmp_path / "lost").write_bytes(b"")
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: "Error: Data directory" in server.log())
    wait_until(lambda: "State:\tZ" in Path(f"/proc/{first}/status").read_text("utf-8"))
    assert "Traceback" not in server.log()


def test_workers_go_when_the_first_process_is_killed(live_server: StartServer) -> None:
    server = live_server(workers=2)
    wait_until(lambda: len(server.worker_pids()) == 2)
    os.kill(server.pid, signal.SIGKILL)

    def port_is_free() -> bool:
        with contextlib.closing(socket.socket()) as sock:
            return sock.connect_ex(("127.0.0.1", server.port)) != 0

    wait_until(port_is_free)


@contextlib.contextmanager
def open_streams(server: LiveServer, count: int) -> Iterator[list[socket.socket]]:
    requests.post(f"{server.url}/api/processes", json=PROCESS, timeout=10).raise_for_status()
    request = f"GET /api/processes/p/stream HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n"
    with contextlib.ExitStack() as stack:
        streams = []
        for _ in range(count):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            sock.settimeout(20)
            sock.sendall(request.encode())
            streams.append(sock)
        for sock in streams:
            assert sock.recv(12) == b"HTTP/1.1 200"
        yield streams


def test_it_ends_with_its_terminal(live_server: StartServer) -> None:
    server = live_server()
    os.killpg(server.pid, signal.SIGHUP)
    wait_until(lambda: "State:\tZ" in Path(f"/proc/{server.pid}/status").read_text("utf-8"))
    assert "Traceback" not in server.log()


def test_it_survives_its_terminal_under_nohup(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipeline_host", "serve", "--no-open", "--port", "0"]
    server = subprocess.Popen(
        ["nohup", *command, "--data-dir", str(tmp_path / "data")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        start_new_session=True,
    )
    try:
        assert server.stdout
        url = server.stdout.readline().split()[-1]
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children")
        before = children.read_text("ascii")
        os.killpg(server.pid, signal.SIGHUP)
        assert requests.get(f"{url}/api/health", timeout=10).ok
        assert children.read_text("ascii") == before
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.communicate(timeout=10)


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once_with_streams_open(
    live_server: StartServer, sig: signal.Signals
) -> None:
    server = live_server("--graceful-timeout", "30", workers=2)
    with open_streams(server, 200) as streams:
        start = time.monotonic()
        if sig == signal.SIGINT:
            os.killpg(server.pid, sig)  # as a terminal sends it
        else:
            os.kill(server.pid, sig)
        for sock in streams:
            with contextlib.suppress(ConnectionResetError):
                while sock.recv(65536):
                    pass
        wait_until(lambda: "State:\tZ" in Path(f"/proc/{server.pid}/status").read_text("utf-8"))
        assert time.monotonic() - start < 15
    assert "Traceback" not in server.log()


def test_the_access_log_goes_to_stderr(live_server: StartServer) -> None:
    server = live_server("--access-log")
    assert answers(server)
    wait_until(lambda: '"GET /api/health HTTP/1.1" 200' in server.log())
    out, _, err = server.log().partition("\n")
    assert out == f"Listening on {server.url}"
    assert "/api/health" in err


def test_the_log_tells_time_level_and_place(live_server: StartServer) -> None:
    server = live_server("--block", "nobody", "--log-level", "warning")
    assert " WARNING pipeline_host.plugins [" in server.log()


FRONT_PAGE = """
import falcon
from pipeline_host.hookspecs import Route, RouteSpec, hookimpl

class FrontPage:
    def on_get(self, req, resp):
        resp.text = "welcome"

@hookimpl
def pipeline_host_routes():
    return [RouteSpec("front", "A page", lambda host: [Route("/", FrontPage())], ["/"])]
"""


def test_a_browser_is_opened_from_a_terminal(tmp_path: Path) -> None:
    assert opened_in_browser(tmp_path).startswith("http://127.0.0.1:")


def test_a_browser_is_opened_at_a_page_of_another_plugin(tmp_path: Path) -> None:
    (tmp_path / "front_page.py").write_text(FRONT_PAGE, "utf-8")
    metadata = tmp_path / "front_page-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: front-page\nVersion: 1.0\n", "utf-8"
    )
    (metadata / "entry_points.txt").write_text("[pipeline_host]\nfront = front_page\n", "utf-8")
    assert opened_in_browser(tmp_path, "--block", "dashboard").startswith("http://127.0.0.1:")


def opened_in_browser(tmp_path: Path, *flags: str) -> str:
    """The address that a server opened in the browser, started in a terminal."""
    browser = tmp_path / "browser"
    browser.write_text(f"#!/bin/sh\necho $1 >> {tmp_path}/opened\n", "utf-8")
    browser.chmod(0o755)
    terminal, inner = pty.openpty()
    command = [sys.executable, "-m", "pipeline_host", "serve", "--port", "0"]
    server = subprocess.Popen(
        [*command, "--data-dir", str(tmp_path / "data"), *flags],
        stdin=inner,
        stdout=inner,
        stderr=inner,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "BROWSER": f"{browser} %s"},
        start_new_session=True,
    )
    try:
        return wait_until(
            lambda: (
                (tmp_path / "opened").read_text("utf-8") if (tmp_path / "opened").exists() else ""
            ),
            timeout=60,
        )
    finally:
        server.terminate()
        server.wait(20)
        os.close(inner)
        os.close(terminal)


def test_it_serves_with_the_greatest_numbers_that_it_takes(
    live_server: StartServer,
) -> None:
    day = (
        *("heartbeat", "head-timeout", "body-timeout", "keepalive", "retention-interval"),
        *("file.flush_interval", "file.lock_timeout", "webhook.timeout"),
        *("websocket.silence", "websocket.ping", "websocket.grace"),
    )
    flags = [f"--set={name}=86400" if "." in name else f"--{name}=86400" for name in day] + [
        *("--max-streams=1000000", "--retention-max-age=3153600000"),
        *("--retention-max-count=1000000000000", "--set=webhook.urls=http://127.0.0.1:9/x"),
        *(f"--set=file.{name}={2**40}" for name in ("compact_size", "cache_size")),
        *("--set=file.open_outputs=1000000", "--set=webhook.max_attempts=1000000"),
    ]
    server = live_server(*flags)
    health = requests.get(f"{server.url}/api/health", timeout=10).json()
    assert "failedPlugins" not in health
    assert requests.post(f"{server.url}/api/processes", json=PROCESS, timeout=10).ok
    url = f"{server.url}/api/processes/{PROCESS['id']}/stream"
    with requests.get(url, stream=True, timeout=10) as stream:
        assert stream.ok
        assert next(stream.iter_content(1)) == b":"
    assert server.stop() == 0
    assert "Traceback" not in server.log()


@pytest.mark.parametrize(
    "arguments",
    [
        ["-c", str(EXAMPLE)],
        [*WORKER, "-b", "0.0.0.0:0"],
        [*WORKER, "-b", "127.0.0.1:0", "-b", "[::]:0"],
    ],
    ids=["example", "bind", "second-bind"],
)
def test_plain_gunicorn_refuses_to_listen_beyond_loopback(
    tmp_path: Path, arguments: list[str]
) -> None:
    ended = subprocess.run(
        [*GUNICORN, *arguments, APP],
        env=os.environ
        | {"PIPELINE_HOST_HOST": "0.0.0.0", "PIPELINE_HOST_PORT": "0"}
        | {"PIPELINE_HOST_DATA_DIR": str(tmp_path / "data")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode in (1, 3)
    assert "can be reached from other machines" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_plain_gunicorn_serves_on_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    server = subprocess.Popen(
        [*GUNICORN, *WORKER, "-b", f"unix:{path}", APP],
        env=os.environ | {"PIPELINE_HOST_DATA_DIR": str(tmp_path / "data")},
        stderr=subprocess.DEVNULL,
    )
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(60)
            wait_until(lambda: client.connect_ex(str(path)) == 0, timeout=60)
            client.sendall(b"GET /api/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
    finally:
        server.terminate()
        server.wait(60)


def test_the_example_serves_the_same_under_plain_gunicorn(tmp_path: Path) -> None:
    with hold_port() as hold:
        serves_under_gunicorn(tmp_path, hold.getsockname()[1])


def serves_under_gunicorn(tmp_path: Path, port: int) -> None:
    env = {
        **os.environ,
        "PIPELINE_HOST_PORT": str(port),
        "PIPELINE_HOST_WORKERS": "2",
        "PIPELINE_HOST_DATA_DIR": str(tmp_path / "data"),
        "PIPELINE_HOST_GRACEFUL_TIMEOUT": "30",
    }
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            [*GUNICORN, "-c", str(EXAMPLE), APP],
            stdout=log,
            stderr=log,
            env=env,
        )
    try:
        url = f"http://127.0.0.1:{port}"

        def healthy() -> bool:
            assert server.poll() is None, (tmp_path / "log").read_text("utf-8")
            with contextlib.suppress(requests.ConnectionError):
                return requests.get(f"{url}/api/health", timeout=10).ok
            return False

        wait_until(healthy, timeout=60)
        assert requests.post(f"{url}/api/processes", json=PROCESS, timeout=10).status_code == 201
        start = time.monotonic()
        server.terminate()
        assert server.wait(20) == 0
        assert time.monotonic() - start < 10
    finally:
        server.kill()
        server.wait()
    assert "Traceback" not in (tmp_path / "log").read_text("utf-8")
