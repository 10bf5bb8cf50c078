"""``/api/health``."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline_host.testing import LiveServer

from .client import Api
from .plugins import install


def test_health_tells_uptime_and_the_number_of_processes(api: Api) -> None:
    api.create()
    answer = api.get("/api/health")
    health = answer.json()
    assert answer.status == 200
    assert health.keys() == {"status", "uptime", "processCount"}
    assert health["status"] == "ok"
    assert health["processCount"] == api.get("/api/stats").json()["totalProcesses"]
    later = api.get("/api/health").json()["uptime"]
    assert 0 < health["uptime"] <= later


def test_a_plugin_that_failed_is_named_with_its_error(tmp_path: Path) -> None:
    path = install(tmp_path / "site", "broken_plugin", 'raise RuntimeError("no such luck")')
    with LiveServer(tmp_path / "data", env={"PYTHONPATH": path}) as server:
        health = Api(server.port).get("/api/health").json()
    (failed,) = health["failedPlugins"]
    assert health["status"] == "ok"
    assert (failed["name"], failed["distribution"]) == ("broken_plugin", "broken-plugin")
    assert "no such luck" in failed["error"]


@pytest.mark.parametrize("path", ["/api/health", "/api/stats", "/api/workspaces", "/api/processes"])
def test_head_is_get_without_the_body(api: Api, path: str) -> None:
    answer = api.request("HEAD", path)
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-type"] == "application/json"
    assert int(answer.headers["content-length"]) > 10
