"""Results as HTML over HTTP, and the process that renders: it comes and goes with its worker."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from pipeline_host.testing.pytest_plugin import StartServer
from pipeline_host.testing.server import LiveServer
from pipeline_host.testing.waiting import wait_until

from .conftest import Api


def rendered(url: str, process_id: str) -> requests.Response:
    path = f"{url}/api/dashboard/processes/{quote(process_id, safe='')}/rendered"
    return requests.get(path, timeout=60)


def renderers(server: LiveServer) -> set[int]:
    """The processes that the workers have started."""
    found: set[int] = set()
    for pid in server.worker_pids():
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            found |= {int(child) for child in task.read_text("ascii").split()}
    return found


def test_a_result_is_told_as_html(api: Api) -> None:
    api.create("a/b %")
    assert rendered(api.url, "a/b %").json() == {}
    api.patch("a/b %", result="*done* <b>")
    answer = rendered(api.url, "a/b %")
    assert answer.json() == {"result": "<p><em>done</em> &lt;b&gt;</p>\n"}
    assert answer.headers["Cache-Control"] == "no-cache"


def test_of_a_process_that_there_is_not_nothing_is_told(api: Api) -> None:
    answer = rendered(api.url, "nobody")
    assert answer.status_code == 404
    assert answer.json() == {"error": "Process not found"}


def test_both_routes_are_described(api: Api) -> None:
    paths = requests.get(f"{api.url}/api/openapi.json", timeout=20).json()["paths"]
    assert "/api/dashboard/processes/{process_id}/rendered" in paths
    assert "/api/dashboard/timeline" in paths


@pytest.mark.parametrize("ending", ["stop", "kill the worker"])
def test_the_process_that_renders_ends_with_its_worker(
    live_server: StartServer, ending: str
) -> None:
    server = live_server()
    api = Api(server.url)
    api.create("one")
    api.patch("one", result="words")
    api.close()
    assert renderers(server) == set()
    assert rendered(server.url, "one").json() == {"result": "<p>words</p>\n"}
    (child,) = renderers(server)
    if ending == "stop":
        assert server.stop() == 0
    else:
        os.kill(server.worker_pids()[0], signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{child}").exists())
