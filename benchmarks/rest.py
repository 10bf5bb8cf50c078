"""How many reads a second the server answers, beside a yardstick server in the same run.

    python benchmarks/rest.py --yardstick path/to/server.mjs

The yardstick is started as ``node SCRIPT PORT DATA_DIR`` and has to answer POST /api/processes,
GET /api/processes/{id} and GET /api/processes. Both servers are driven in turn, round by round, and
each figure is the median of its rounds: the ratios hold on a noisy machine, the absolutes don't.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline_host.testing.server import LiveServer

CONNECTIONS = 8


def process(number: int) -> dict[str, object]:
    """A process of ordinary size: about 1.4 KB of JSON."""
    return {
        "id": f"process-{number:06}",
        "type": "code-review",
        "promptPreview": f"Review change {number}: make the parser accept trailing commas",
        "fullPrompt": "Look at the change below and say what could go wrong with it. " * 16,
        "status": "running",
        "startTime": f"2026-11-22T07:{number // 60 % 60:02}:{number % 60:02}.000Z",
        "workingDirectory": "/home/user/projects/parser",
        "backend": "local",
        "metadata": {"workspaceId": f"{number % 7:016x}", "workspaceName": "parser"},
    }


class Client:
    """Keeps several connections busy at once, so that the server never waits for the client."""

    def __init__(self, port: int) -> None:
        self.connections = [
            socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS)
        ]
        self.port = port

    def close(self) -> None:
        for connection in self.connections:
            connection.close()

    def rate(self, paths: list[str], seconds: float) -> float:
        """Requests a second over at least ``seconds``."""
        head = f" HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n\r\n".encode()
        requests = [b"GET " + path.encode() + head for path in paths]
        done, start = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - start) < seconds:
            for connection in self.connections:
                connection.sendall(random.choice(requests))
            for connection in self.connections:
                self._answer(connection)
            done += len(self.connections)
        return done / elapsed

    def post(self, body: dict[str, object]) -> None:
        data = json.dumps(body).encode()
        self.connections[0].sendall(
            b"POST /api/processes HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            % (self.port, len(data), data)
        )
        self._answer(self.connections[0], b"HTTP/1.1 201")

    def _answer(self, connection: socket.socket, expected: bytes = b"HTTP/1.1 200") -> None:
        data = connection.recv(1 << 18)
        while b"\r\n\r\n" not in data:
            data += connection.recv(1 << 18)
        head, _, body = data.partition(b"\r\n\r\n")
        if not head.startswith(expected):
            raise SystemExit(f"unexpected answer: {data[:300]!r}")
        lower = head.lower()
        at = lower.index(b"content-length:") + 15
        left = int(lower[at:].split(b"\r\n", 1)[0]) - len(body)
        while left > 0:
            left -= len(connection.recv(1 << 18))


@contextmanager
def ours(count: int) -> Iterator[Client]:
    folder = Path(tempfile.mkdtemp())
    with LiveServer(folder, "--set", "file.durability=os") as server:
        client = Client(server.port)
        for number in range(count):
            client.post(process(number))
        yield client
        client.close()
    shutil.rmtree(folder)


@contextmanager
def yardstick(script: str, count: int) -> Iterator[Client]:
    folder = Path(tempfile.mkdtemp())
    (folder / "processes.json").write_text(json.dumps([process(n) for n in range(count)], indent=2))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = subprocess.Popen(["node", script, str(port), str(folder)], stdout=subprocess.PIPE)
    assert server.stdout is not None
    server.stdout.readline()
    client = Client(port)
    yield client
    client.close()
    server.kill()
    server.wait()
    server.stdout.close()
    shutil.rmtree(folder)


def measure(clients: dict[str, tuple[Client, int]], rounds: int, seconds: float) -> None:
    found: dict[tuple[str, str], list[float]] = {}
    for _ in range(rounds):
        for name, (client, count) in clients.items():
            paths = [f"/api/processes/process-{n:06}" for n in range(count)]
            found.setdefault((name, "get"), []).append(client.rate(paths, seconds))
            found.setdefault((name, "list"), []).append(client.rate(["/api/processes"], seconds))
    median = {key: statistics.median(values) for key, values in found.items()}
    base = next(iter(clients))
    for operation in ("get", "list"):
        for name in clients:
            value = median[name, operation]
            print(f"{operation:5}{name:24}{value:10.0f}/s   {value / median[base, operation]:6.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--yardstick", metavar="SCRIPT")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    options = parser.parse_args()
    with ours(500) as small, ours(5000) as large:
        measure({"ours, 500": (small, 500), "ours, 5000": (large, 5000)}, options.rounds, 1.0)
    if options.yardstick:
        with yardstick(options.yardstick, 500) as node, ours(500) as mine:
            measure(
                {"yardstick, 500": (node, 500), "ours, 500": (mine, 500)},
                options.rounds,
                options.seconds,
            )


if __name__ == "__main__":
    main()
