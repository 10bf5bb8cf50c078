"""Many clients over several workers are told the same, in the same order."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import requests

from pipeline_host.testing.server import LiveServer
from pipeline_host.testing.waiting import wait_until

from .raw_client import RawClient

WORKERS = 4
CLIENTS = 50
WRITERS = 8
WRITES = 2000
START = "2026-11-22T07:00:00.000Z"


def writes(server: LiveServer, writer: int) -> None:
    """Adds, patches and removals, in an order of this writer's own."""
    api = f"{server.url}/api/processes"
    chance = random.Random(writer)
    living: list[str] = []
    left = WRITES // WRITERS
    while left:
        # a new connection now and then, so that all workers are written through
        with requests.Session() as session:
            for _ in range(min(left, 25)):
                left -= 1
                kind = chance.random()
                if living and kind < 0.4:
                    body: dict[str, Any] = {"metadata": {"n": left}, "error": f"e{left}"}
                    answer = session.patch(f"{api}/{chance.choice(living)}", json=body, timeout=20)
                elif living and kind < 0.5:
                    name = living.pop(chance.randrange(len(living)))
                    answer = session.delete(f"{api}/{name}", timeout=20)
                else:
                    name = f"{writer}-{left}"
                    living.append(name)
                    body = {"id": name, "promptPreview": "p", "status": "running"}
                    answer = session.post(api, json=body | {"startTime": START}, timeout=20)
                assert answer.ok, answer.text


def sockets(pid: int) -> int:
    """How many sockets a worker has open; one is what it listens on."""
    count = 0
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since it was listed
            count += str(path.readlink()).startswith("socket:")
    return count


def welcomed(server: LiveServer) -> RawClient:
    client = RawClient(server.port)
    assert client.hear()["type"] == "welcome"
    return client


def spread_clients(server: LiveServer, ending: ExitStack) -> list[RawClient]:
    """Fifty clients or some more, of which every worker has some."""
    clients: list[RawClient] = []

    def are_spread() -> bool:
        clients.append(ending.enter_context(welcomed(server)))
        return len(server.worker_pids()) == WORKERS and all(
            sockets(pid) > 2 for pid in server.worker_pids()
        )

    # a worker that is still starting takes none yet
    wait_until(are_spread, timeout=20, interval=0.05)
    while len(clients) < CLIENTS:
        clients.append(ending.enter_context(welcomed(server)))
    return clients


def test_fifty_clients_of_four_workers_see_two_thousand_writes_alike(
    live_server: Callable[..., LiveServer],
) -> None:
    server = live_server(workers=WORKERS)

    def listen(client: RawClient, messages: list[str]) -> None:
        for message in client.messages():
            if "seq" in message:
                messages.append(f"{message['seq']} {message}")
                if len(messages) == WRITES:
                    return

    with ExitStack() as ending:
        clients = spread_clients(server, ending)
        heard: list[list[str]] = [[] for _ in clients]
        threads = [
            threading.Thread(target=listen, args=pair, daemon=True)
            for pair in zip(clients, heard, strict=True)
        ]
        for thread in threads:
            thread.start()
        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(lambda writer: writes(server, writer), range(WRITERS)))
        for thread in threads:
            thread.join(20)
    numbers = [int(message.split(" ")[0]) for message in heard[0]]
    assert numbers == list(range(1, WRITES + 1))
    assert all(messages == heard[0] for messages in heard[1:])
