"""Real servers for the tests of events, and a client that reports to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from pipeline_host.testing.server import LiveServer

from .reading import Events


class Client:
    """Reports processes to a server over HTTP, each request over a connection of its own."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}/api"

    def add(self, process_id: str, *, workspace: str = "", **fields: Any) -> None:
        body: dict[str, Any] = {
            "id": process_id,
            "promptPreview": f"what {process_id} is for",
            "status": "running",
            "startTime": "2026-11-22T07:00:00.000Z",
        }
        if workspace:
            body["workspaceId"] = workspace
        self._send("POST", "/processes", json=body | fields)

    def patch(self, process_id: str, **fields: Any) -> None:
        self._send("PATCH", f"/processes/{process_id}", json=fields)

    def remove(self, process_id: str) -> None:
        self._send("DELETE", f"/processes/{process_id}")

    def clear(self, status: str) -> None:
        self._send("DELETE", f"/processes?status={status}")

    def register(self, workspace: str) -> None:
        body = {"id": workspace, "name": f"the {workspace}", "rootPath": f"/home/{workspace}"}
        self._send("POST", "/workspaces", json=body)

    def events(self, after: str = "", **query: str) -> Events:
        return Events(self.port, after, **query)

    def _send(self, method: str, path: str, **options: Any) -> None:
        requests.request(method, self.url + path, timeout=20, **options).raise_for_status()


@pytest.fixture(scope="module", params=[1, 2], ids=["1-worker", "2-workers"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    """One server for the tests of a module; each uses processes and workspaces of its own."""
    folder = tmp_path_factory.mktemp("events") / "data"
    with LiveServer(folder, workers=request.param) as server:
        yield server


@pytest.fixture
def client(server: LiveServer) -> Client:
    return Client(server.port)
