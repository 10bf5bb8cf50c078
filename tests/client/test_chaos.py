"""A real server that is killed again and again while five clients report to it."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from pipeline_host.client import ApiClient, ApiError, Drop, ExtensionClient
from pipeline_host.testing.server import LiveServer
from pipeline_host.testing.waiting import wait_until

KILLS: Final = 50
CLIENTS: Final = 5
WITHOUT: Final = [f"--block={name}" for name in ("dashboard", "metrics", "webhook", "websocket")]
"""What has no part in this, and would only make a start slower."""
FEW: Final = 12
"""How many processes of a client are under way at most."""


class Reporter:
    """Tells a client to do this and that, and remembers what the store must say at the end."""

    def __init__(self, client: ExtensionClient, number: int) -> None:
        self._client = client
        self._random = random.Random(number)
        self._number = number
        self._made = 0
        self._running: list[str] = []
        self.expected: dict[str, dict[str, Any]] = {}
        self.output: dict[str, str] = {}
        self.removed: set[str] = set()

    def step(self) -> None:
        steps = [self._submit, self._update, self._complete, self._remove]
        steps += [self._write] * 6
        self._random.choice(steps if self._running else steps[:1])()

    def _submit(self) -> None:
        if len(self._running) >= FEW:
            self._complete()
        name = f"{self._number}/{self._made}"
        self._made += 1
        self._client.submit({"id": name, "promptPreview": name, "fullPrompt": "日本" * 10})
        self._running.append(name)
        self.expected[name] = {"status": "running", "metadata": {}}
        self.output[name] = ""

    def _update(self) -> None:
        name = self._random.choice(self._running)
        key, value = f"k{self._random.randrange(4)}", self._random.random()
        self._client.update(name, {"metadata": {key: value}, "result": str(value)})
        self.expected[name]["metadata"][key] = value
        self.expected[name]["result"] = str(value)

    def _write(self) -> None:
        name = self._random.choice(self._running)
        text = f"{len(self.output[name])}:{'日€x' * self._random.randrange(40)}\n"
        self._client.output(name, text, self._random.choice(["stdout", "stderr"]))
        self.output[name] += text

    def _complete(self) -> None:
        name = self._running.pop(self._random.randrange(len(self._running)))
        status = self._random.choice(["completed", "failed"])
        self._client.complete(name, status, exitCode=self._number)
        self.expected[name] |= {"status": status, "exitCode": self._number}

    def _remove(self) -> None:
        name = self._random.choice(list(self.expected))
        self._client.remove(name)
        if name in self._running:
            self._running.remove(name)
        del self.expected[name], self.output[name]
        self.removed.add(name)


def report_until(stop: threading.Event, reporter: Reporter) -> None:
    while not stop.wait(0.03):
        reporter.step()


def as_told(api: ApiClient, reporter: Reporter) -> None:
    for name, fields in reporter.expected.items():
        process = api.get(name)
        assert {key: process.get(key, {}) for key in fields} == fields
        assert api.output(name) == reporter.output[name].encode()
    for name in reporter.removed:
        with pytest.raises(ApiError, match="Process not found"):
            api.get(name)


@pytest.mark.timeout(300)
def test_the_store_says_what_the_clients_were_told(
    live_server: Callable[..., LiveServer], tmp_path: Path
) -> None:
    server = live_server(*WITHOUT)
    chance = random.Random()
    drops: list[Drop] = []
    clients = [
        # Without a limit, as on a slow machine the server is away for long.
        ExtensionClient(server.url, on_drop=drops.append, timeout=(2, 2), max_queue=None)
        for _ in range(CLIENTS)
    ]
    reporters = [Reporter(client, number) for number, client in enumerate(clients)]
    stop = threading.Event()
    threads = [threading.Thread(target=report_until, args=(stop, each)) for each in reporters]
    for thread in threads:
        thread.start()
    try:
        for _ in range(KILLS):
            time.sleep(chance.uniform(0, 0.2))
            server.kill()
            server.start()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    wait_until(lambda: all(client.flush(1) for client in clients), 60)
    assert not drops
    with ApiClient(server.url) as api:
        for reporter in reporters:
            assert reporter.expected
            as_told(api, reporter)
        total = sum(len(reporter.expected) for reporter in reporters)
        assert api.stats()["totalProcesses"] == total
    for client in clients:
        client.close()
