"""How fast events reach many subscribers, what an idle one costs, and what those who left leave.

    python benchmarks/fanout.py --client path/to/fanout --yardstick path/to/server.mjs

The client is a program that holds subscribers open and tells what reached them as one line of JSON:
``CLIENT HOST PORT PATH SUBSCRIBERS SECONDS EXPECT``. It writes a line to stderr once all have their
heads, and ends when each has EXPECT events that carry a ``"ts"`` (a monotonic clock's nanoseconds).
The yardstick is started as ``node SCRIPT PORT DATA_DIR``. Both servers are driven in turn, with the
same chunks posted one at a time, and each figure is the median of its rounds: the ratios hold on a
noisy machine, the absolutes don't.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import resource
import shutil
import socket
import statistics
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from pipeline_host.testing.server import LiveServer

PADDING: Final = "x" * 130
REQUEST: Final = b"GET /api/processes/%b/stream HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Server:
    """A server of either kind, and a connection that writes to it."""

    def __init__(self, name: str, port: int, pid: int) -> None:
        self.name = name
        self.port = port
        self.pid = pid
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        content = None if body is None else json.dumps(body)
        self._connection.request(method, path, content, {"Content-Type": "application/json"})
        with self._connection.getresponse() as answer:
            text = answer.read()
            if answer.status >= 300:
                raise SystemExit(f"{self.name}: {answer.status} {text!r}")
        return json.loads(text)

    def create(self, process_id: str) -> None:
        body = {"id": process_id, "type": "benchmark", "promptPreview": "", "status": "running"}
        self.request("POST", "/api/processes", {**body, "startTime": "2026-11-22T07:00:00.000Z"})

    def write(self, process_id: str) -> None:
        content = json.dumps({"ts": time.monotonic_ns(), "pad": PADDING}, separators=(",", ":"))
        self.request("POST", f"/api/processes/{process_id}/output", {"content": content})

    def resident(self) -> int:
        """The worker's resident memory, in bytes."""
        status = Path(f"/proc/{self.pid}/status").read_text("ascii")
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def close(self) -> None:
        self._connection.close()


@contextmanager
def ours() -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp())
    with (
        LiveServer(folder / "data") as live,
        closing(Server("ours", live.port, live.worker_pids()[0])) as server,
    ):
        yield server
    shutil.rmtree(folder)


@contextmanager
def yardstick(script: str) -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp())
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    node = subprocess.Popen(["node", script, str(port), str(folder)], stdout=subprocess.PIPE)
    assert node.stdout is not None
    node.stdout.readline()
    with closing(Server("yardstick", port, node.pid)) as server:
        yield server
    node.kill()
    node.wait()
    node.stdout.close()
    shutil.rmtree(folder)


@contextmanager
def subscribed(
    client: str, server: Server, process_id: str, count: int, seconds: float, expect: int
) -> Iterator[subprocess.Popen[str]]:
    """So many subscribers, all of which have their heads."""
    path = f"/api/processes/{process_id}/stream"
    command = [client, "127.0.0.1", str(server.port), path, str(count), str(seconds), str(expect)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    ) as process:
        assert process.stderr is not None
        if not process.stderr.readline():
            raise SystemExit(f"{command} ended early")
        yield process
        process.kill()


def speed(client: str, server: Server, name: str, subscribers: int, events: int) -> dict[str, Any]:
    """What the client tells of a number of events, posted one at a time."""
    server.create(name)
    with subscribed(client, server, name, subscribers, 120, events) as process:
        for _ in range(events):
            server.write(name)
        assert process.stdout is not None
        told: dict[str, Any] = json.loads(process.stdout.read())
    if told["min_per_sub"] < events:
        raise SystemExit(f"{server.name}: events are missing: {told}")
    return told


def compare(options: argparse.Namespace) -> None:
    """Both servers in turn, round by round."""
    figures: dict[str, list[dict[str, Any]]] = {}
    with yardstick(options.yardstick) as node, ours() as mine:
        for number in range(options.rounds):
            for server in (node, mine):
                told = speed(
                    options.client, server, f"p{number}", options.subscribers, options.events
                )
                figures.setdefault(server.name, []).append(told)
                print(f"{server.name:10}{told['events_per_s']:10.0f}/s  {told['lat_ms']}")
    rate = {
        name: statistics.median(one["events_per_s"] for one in told)
        for name, told in figures.items()
    }
    ratio = rate["ours"] / rate["yardstick"]
    print(f"{options.subscribers} subscribers: {ratio:.2f} times the yardstick's events a second")


def idle(options: argparse.Namespace) -> None:
    """What a subscriber costs that nothing is sent to, and whether reading goes on beside many."""
    servers: list[Callable[[], Any]] = [ours]
    if options.yardstick:
        servers.append(lambda: yardstick(options.yardstick))
    for make in servers:
        with make() as server:
            server.create("idle")
            with subscribed(options.client, server, "idle", 50, 0.5, 0) as process:
                process.wait()
            time.sleep(1)
            before = server.resident()
            with subscribed(options.client, server, "idle", options.idle, 60, 0):
                time.sleep(2)
                each = (server.resident() - before) / options.idle
                server.close()  # the yardstick ends what is idle, and http.client opens it anew
                began = time.perf_counter()
                for _ in range(100):
                    server.request("GET", "/api/processes/idle")
                millis = (time.perf_counter() - began) * 10
            print(
                f"{server.name:10}{each:8.0f} bytes for each of {options.idle} idle subscribers; "
                f"a request takes {millis:.2f} ms"
            )


def churn(options: argparse.Namespace) -> None:
    """Connects and disconnects, a third of the times by a reset."""
    chance = random.Random(1)
    reset = struct.pack("ii", 1, 0)
    with ours() as server:
        server.create("churn")
        server.write("churn")

        def rounds(count: int) -> None:
            waiting: list[socket.socket] = []
            for _ in range(count):
                client = socket.create_connection(("127.0.0.1", server.port))
                client.sendall(REQUEST % b"churn")
                waiting.append(client)
                if len(waiting) > 50:
                    leaving = waiting.pop(chance.randrange(50))
                    if chance.random() < 1 / 3:
                        leaving.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
                    leaving.close()
            for client in waiting:
                client.close()
            time.sleep(1)

        rounds(1000)
        before = server.resident(), server.descriptors()
        rounds(options.churn)
        after = server.resident(), server.descriptors()
    print(
        f"{options.churn} connections came and went: {after[1] - before[1]:+} descriptors, "
        f"{(after[0] - before[0]) / 1024:+.0f} KiB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--client", metavar="PROGRAM", required=True)
    parser.add_argument("--yardstick", metavar="SCRIPT")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--subscribers", type=int, default=1000)
    parser.add_argument("--events", type=int, default=300)
    parser.add_argument("--idle", type=int, default=10_000, help="idle subscribers; 0 for none")
    parser.add_argument("--churn", type=int, default=10_000, help="connections that come and go")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if options.yardstick:
        compare(options)
    if options.idle:
        idle(options)
    if options.churn:
        churn(options)


if __name__ == "__main__":
    main()
