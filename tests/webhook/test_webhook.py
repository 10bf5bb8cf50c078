"""Webhooks of a real server with several workers: each message once, in order, and none is lost."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from pipeline_host.dead_letters import read_dead_letters
from pipeline_host.testing.pytest_plugin import StartServer
from pipeline_host.testing.server import LiveServer
from pipeline_host.testing.waiting import wait_until

from .receiver import Receiver


@pytest.fixture
def serve(tmp_path: Path, live_server: StartServer) -> Callable[..., LiveServer]:
    """Starts a server with these options of the webhook."""

    def start(workers: int = 1, **options: Any) -> LiveServer:
        config = tmp_path / "config.toml"
        rows = [f"{key} = {json.dumps(value)}" for key, value in options.items()]
        config.write_text("\n".join(["[plugins.webhook]", *rows]), "utf-8")
        return live_server("--config", str(config), workers=workers)

    return start


def post(server: LiveServer, turn: int) -> Mapping[str, Any]:
    body = {"promptPreview": f"{turn}", "status": "running", "startTime": "2026-11-22T07:00:00Z"}
    answer = requests.post(f"{server.url}/api/processes", json=body, timeout=10)
    answer.raise_for_status()
    created: Mapping[str, Any] = answer.json()
    return created


def test_four_workers_post_each_message_once_and_in_order(
    serve: Callable[..., LiveServer], receiver: Receiver
) -> None:
    server = serve(workers=4, urls=[receiver.url], secret="s")
    ids = [post(server, turn)["id"] for turn in range(100)]
    wait_until(lambda: receiver.answered >= 100)
    assert receiver.seqs == list(range(1, 101))
    assert [one.message["process"]["id"] for one in receiver.received] == ids
    server.restart()
    ids.append(post(server, 100)["id"])
    wait_until(lambda: receiver.answered > 100)
    assert receiver.received[-1].message["process"]["id"] == ids[-1]
    assert receiver.seqs == list(range(1, 102))


def test_when_workers_are_killed_nothing_is_left_out(
    serve: Callable[..., LiveServer], receiver: Receiver
) -> None:
    server = serve(workers=3, urls=[receiver.url])
    for turn in range(60):
        if turn in (20, 40):
            for pid in server.worker_pids()[:2]:
                os.kill(pid, signal.SIGKILL)
        try:
            post(server, turn)
        except requests.ConnectionError:
            continue
    total = requests.get(f"{server.url}/api/stats", timeout=10).json()["totalProcesses"]
    wait_until(lambda: set(receiver.seqs) == set(range(1, total + 1)))


def test_an_endpoint_that_is_down_holds_up_no_other(
    serve: Callable[..., LiveServer], new_receiver: Callable[[], Receiver]
) -> None:
    well, ill = new_receiver(), new_receiver()
    ill.answers += [503] * 2
    server = serve(urls=["http://127.0.0.1:1", ill.url, well.url])
    for turn in range(5):
        post(server, turn)
    wait_until(lambda: well.seqs == [1, 2, 3, 4, 5])
    wait_until(lambda: ill.seqs == [1, 1, 1, 2, 3, 4, 5])


def test_what_is_refused_is_kept_and_told(
    serve: Callable[..., LiveServer], receiver: Receiver
) -> None:
    receiver.answers += [400]
    server = serve(urls=[receiver.url], events=["process-updated"])
    process = post(server, 0)
    for result in ("a", "b"):
        requests.patch(
            f"{server.url}/api/processes/{process['id']}", json={"result": result}, timeout=10
        ).raise_for_status()
    wait_until(lambda: receiver.seqs == [2, 3])
    assert [letter.seq for letter in read_dead_letters(server.data_dir)] == [2]


def test_without_urls_there_is_no_sink(live_server: StartServer) -> None:
    server = live_server()
    post(server, 0)
    assert not list((server.data_dir / "sinks").glob("webhook*"))


@pytest.mark.parametrize(
    "url", ["ftp://x/", "file:///etc/passwd", "http://u:p@x/", "x", "http:///"]
)
def test_what_is_no_url_stops_the_start(serve: Callable[..., LiveServer], url: str) -> None:
    with pytest.raises(RuntimeError, match=r"plugins\.webhook\.urls .*http or https URL"):
        serve(urls=[url])


def test_urls_may_be_one_text(live_server: StartServer, new_receiver: Any) -> None:
    one, two = new_receiver(), new_receiver()
    server = live_server("--set", f"webhook.urls={one.url},{two.url}")
    post(server, 0)
    wait_until(lambda: one.seqs == two.seqs == [1])
