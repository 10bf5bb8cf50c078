"""A real server for tests: ``pipeline-host serve`` as a process of its own."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final

START_TIMEOUT: Final = 30.0
STOP_TIMEOUT: Final = 10.0

_PORTS: Final = (10_000, 30_000)
_chance: Final = random.SystemRandom()  # a test may have seeded the other
_LISTENING: Final = re.compile(r"^Listening on (?P<url>http://\S+:(?P<port>\d+))$", re.MULTILINE)
_numbers: Final = itertools.count(1)


class LiveServer:
    """``python -m pipeline_host serve`` with all its workers, to be started, killed, restarted.

    ::

        with LiveServer(tmp_path / "data", workers=2) as server:
            requests.get(f"{server.url}/api/health")

    Args:
        data_dir: the server's data directory; it is kept when the server ends. What the server
            writes goes to files beside it.
        args: more flags of ``serve``.
        workers: how many worker processes.
        port: 0 picks a free one and holds it (see :func:`hold_port`) until ``close``: ``start``
            after ``stop`` or ``kill`` listens where it did before, and nobody else did meanwhile.
        env: environment variables for the server beside those of this process.
    """

    def __init__(
        self,
        data_dir: Path,
        *args: str,
        workers: int = 1,
        port: int = 0,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.data_dir = data_dir
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._args = args
        self._workers = workers
        self._env = env or {}
        self._process: subprocess.Popen[bytes] | None = None
        self._hold: socket.socket | None = None
        written = f"{data_dir.name}.server-{next(_numbers)}"
        self._stdout = data_dir.with_name(f"{written}.out")
        self._log = data_dir.with_name(f"{written}.log")

    @property
    def pid(self) -> int:
        """The process id of the server's first process, which starts the workers."""
        return self._running().pid

    def start(self, timeout: float = START_TIMEOUT) -> LiveServer:
        """Start it and wait until it says that it listens.

        Args:
            timeout: how long that may take, in seconds.

        Raises:
            RuntimeError: it ended, or said nothing in time; tells what it wrote.
        """
        if self._process is not None and self._process.poll() is None:
            raise RuntimeError("the server is running")
        if not self.port:
            self._hold = hold_port()
            self.port = self._hold.getsockname()[1]
        try:
            self._process = self._spawn()
            self._wait_until_listening(time.monotonic() + timeout)
        except BaseException:
            self.close()
            raise
        return self

    def stop(self, timeout: float = STOP_TIMEOUT) -> int:
        """Ask it to end (SIGTERM) and wait for it; returns its exit code.

        Raises:
            RuntimeError: it was still there after ``timeout`` seconds, and was killed.
        """
        process = self._running()
        process.terminate()
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"the server didn't end in {timeout:g} s\n{self.log()}") from None
        self._process = None
        return code

    def kill(self) -> None:
        """End all of its processes at once (SIGKILL), as a power cut would, if it runs."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        while _group_runs(process.pid):
            time.sleep(0.001)
        process.wait()

    def close(self) -> None:
        """Kill it, if it runs, and let go of its port."""
        self.kill()
        hold, self._hold = self._hold, None
        if hold is not None:
            hold.close()

    def restart(self) -> LiveServer:
        """Stop it in good order and start it again on the same port."""
        self.stop()
        return self.start()

    def worker_pids(self) -> list[int]:
        """The process ids of the workers that exist now, in ascending order."""
        pid = self._running().pid
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
        except FileNotFoundError:
            return []
        return sorted(int(child) for child in children.split())

    def log(self) -> str:
        """What it has written to stdout and stderr, of all its starts."""
        return "".join(
            path.read_text("utf-8", "replace")
            for path in (self._stdout, self._log)
            if path.exists()
        )

    def __enter__(self) -> LiveServer:
        return self if self._process is not None else self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the server isn't running")
        return self._process

    def _spawn(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "pipeline_host", "serve", "--no-open"]
        command += ["--port", str(self.port), "--workers", str(self._workers)]
        command += ["--data-dir", str(self.data_dir), *self._args]
        self._stdout.parent.mkdir(parents=True, exist_ok=True)
        self._stdout.write_bytes(b"")
        with self._stdout.open("ab") as stdout, self._log.open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=log,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **self._env},
                start_new_session=True,
            )

    def _wait_until_listening(self, deadline: float) -> None:
        while not (line := _LISTENING.search(self._stdout.read_text("utf-8", errors="replace"))):
            code = self._running().poll()
            if code is not None:
                raise RuntimeError(f"the server ended with exit code {code}\n{self.log()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"the server didn't start in time\n{self.log()}")
            time.sleep(0.01)
        self.url, self.port = line["url"], int(line["port"])


def hold_port() -> socket.socket:
    """A socket on a free TCP port of 127.0.0.1 that keeps it free until the socket is closed.

    Nobody answers there; a server that sets ``SO_REUSEADDR``, as ours does, may listen on it beside
    the socket, and whoever else looks for a free port finds it taken. (A port of the kernel's
    choice may be somebody else's by the time that a stopped server starts on it again, and then the
    clients that wait for the one server find another.)

    Raises:
        RuntimeError: there is none.
    """
    for _ in range(1000):
        hold = socket.socket()
        try:
            hold.bind(("127.0.0.1", _chance.randrange(*_PORTS)))
        except OSError:
            hold.close()
            continue
        hold.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return hold
    raise RuntimeError(f"no free port from {_PORTS[0]} to {_PORTS[1]}")


def _group_runs(group: int) -> bool:
    """Whether a process group has any left; one that was killed keeps its port a moment longer.

    By proc(5) a process is a zombie as soon as its first thread has ended. What is open is closed
    when the last one has.
    """
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text("utf-8", errors="replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        threads = int(fields[17])
        ended = fields[0] in ("Z", "X") and threads <= 1
        if not ended and int(fields[2]) == group:
            return True
    return False
