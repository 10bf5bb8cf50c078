"""``/metrics`` of real servers: one truth, whichever worker is asked and whichever was killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from pipeline_host.testing.pytest_plugin import StartServer
from pipeline_host.testing.server import LiveServer
from pipeline_host.testing.waiting import wait_until
from pipeline_host_metrics.folding import COUNTER, HISTOGRAM, MAX, SUM
from pipeline_host_metrics.lives import name_of
from pipeline_host_metrics.shelf import Number, Seconds, Shelf

PREFIX = "pipeline_host_"
Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def samples(server: LiveServer) -> Samples:
    """All samples of one answer, on a connection and so a worker of its own."""
    answer = requests.get(f"{server.url}/metrics", timeout=10)
    assert answer.status_code == 200
    return parsed(answer.text)


def parsed(text: str) -> Samples:
    found: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            key = (one.name, frozenset(one.labels.items()))
            assert key not in found, f"{key} is there twice"
            found[key] = one.value
    return found


def value(found: Samples, name: str, **labels: str) -> float:
    """The sum of what has at least these labels."""
    return sum(
        number
        for (each, its), number in found.items()
        if each == PREFIX + name and frozenset(labels.items()) <= its
    )


def post(server: LiveServer) -> str:
    body = {"promptPreview": "x", "status": "running", "startTime": "2026-11-22T07:00:00Z"}
    answer = requests.post(f"{server.url}/api/processes", json=body, timeout=10)
    answer.raise_for_status()
    return str(answer.json()["id"])


def test_it_is_text_that_prometheus_reads(live_server: StartServer) -> None:
    server = live_server()
    answer = requests.get(f"{server.url}/metrics", timeout=10)
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert "# TYPE pipeline_host_request_seconds histogram" not in answer.text
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    answer = requests.get(f"{server.url}/metrics", headers=accept, timeout=10)
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert "# TYPE pipeline_host_request_seconds histogram" in answer.text
    assert answer.text.endswith("# EOF\n")


def test_four_workers_have_one_truth(live_server: StartServer) -> None:
    server = live_server(workers=4)
    ids = [post(server) for _ in range(60)]
    for process_id in ids[:20]:
        body = {"status": "completed"}
        requests.patch(f"{server.url}/api/processes/{process_id}", json=body, timeout=10)
    requests.get(f"{server.url}/api/processes/nobody", timeout=10)
    wait_until(lambda: value(samples(server), "events_total") == 80)
    wait_until(lambda: value(samples(server), "event_lag_seconds_count") == 80)
    wait_until(lambda: value(samples(server), "workers") == 4)
    for _ in range(8):
        found = samples(server)
        assert value(found, "processes", status="running") == 40
        assert value(found, "processes", status="completed") == 20
        assert value(found, "processes", status="queued") == 0
        requests_ = "request_seconds_count"
        route = "/api/processes/{process_id}"
        created = {"method": "POST", "route": "/api/processes", "status": "201"}
        assert value(found, requests_, **created) == 60
        assert value(found, requests_, method="PATCH", route=route, status="200") == 20
        assert value(found, requests_, method="GET", route=route, status="404") == 1
        assert value(found, "request_seconds_bucket", le="+Inf", **created) == 60
        assert value(found, "events_total", type="process-added") == 60
        assert value(found, "events_total", type="process-updated") == 20
        assert value(found, "event_lag_seconds_count") == 80
        assert value(found, "store_seconds_count", operation="add") == 60


def test_no_counter_goes_back_when_a_worker_is_killed(live_server: StartServer) -> None:
    server = live_server(workers=3)
    for _ in range(30):
        post(server)
    wait_until(lambda: value(samples(server), "events_total") == 30)
    before = samples(server)
    killed = server.worker_pids()
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(set(server.worker_pids()) - set(killed)) == 3)
    after = samples(server)
    for (name, labels), number in before.items():
        if name.endswith(("_total", "_count", "_bucket", "_sum")):
            assert after[name, labels] >= number, name
    created = {"method": "POST", "route": "/api/processes", "status": "201"}
    assert value(after, "request_seconds_count", **created) == 30
    wait_until(lambda: value(samples(server), "workers") == 3)


def test_what_is_asked_often_does_not_go_through_all_workspaces(live_server: StartServer) -> None:
    server = live_server()
    requests.get(f"{server.url}/api/health", timeout=10)
    samples(server)
    found = samples(server)
    assert value(found, "store_seconds_count", operation="list") > 0
    assert value(found, "store_seconds_count", operation="stats") == 0


def test_what_clients_send_makes_no_labels(live_server: StartServer) -> None:
    server = live_server()
    for number in range(20):
        requests.request(f"M{number}", f"{server.url}/nowhere/{number}", timeout=10)
        requests.get(f"{server.url}/api/processes/p{number}", timeout=10)
    found = samples(server)
    assert value(found, "request_seconds_count", method="other", route="none") == 20
    routes = {dict(labels).get("route") for _, labels in found} - {None}
    assert routes <= {"none", "/api/processes/{process_id}", "/metrics"}


def test_open_streams_are_counted(live_server: StartServer) -> None:
    server = live_server(workers=2)
    process_id = post(server)
    url = f"{server.url}/api/processes/{process_id}/stream"
    with requests.get(url, stream=True, timeout=10), requests.get(url, stream=True, timeout=10):
        wait_until(lambda: value(samples(server), "streams") == 2)
    wait_until(lambda: value(samples(server), "streams") == 0)


def test_a_server_that_ended_leaves_no_numbers(live_server: StartServer) -> None:
    server = live_server()
    post(server)
    server.kill()
    server.start()
    assert value(samples(server), "request_seconds_count", method="POST") == 0
    assert len(list((server.data_dir / "metrics").iterdir())) == 1


def test_numbers_of_a_dead_worker_count_but_its_gauges(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    for kind, number in ((COUNTER, 3.0), (SUM, 4.0), (MAX, 5.0)):
        Number(shelf, kind, f"n{kind}", "help", "a").set(number, "b")
    Seconds(shelf, "n", "help", ("a",), (1.0, 2.0)).observe(1.5, ("b",))
    shelf.close()
    for kind in (COUNTER, SUM, MAX, HISTOGRAM):
        (tmp_path / f"{kind}_{name_of(os.getpid())}.db").rename(tmp_path / f"{kind}_4194999-1.db")
    again = Shelf(tmp_path)
    Number(again, COUNTER, f"n{COUNTER}", "help", "a").count("b")
    found: dict[str, Any] = {m.name: [s.value for s in m.samples] for m in again.collect()}
    again.close()
    assert found == {f"n{COUNTER}": [4.0], "n": [1.5, 0.0, 1.0, 1.0, 1.0]}


@pytest.mark.parametrize("labels", [("GET", "/api/processes/{process_id}", "200")])
def test_a_request_costs_little(tmp_path: Path, labels: tuple[str, ...]) -> None:
    """Of ten rounds the best, as other programs run here too."""
    shelf = Shelf(tmp_path)
    seconds = Seconds(shelf, "n", "help", ("method", "route", "status"), (0.001, 0.01, 0.1, 1.0))
    best = 1.0
    for _ in range(10):
        begun = time.perf_counter()
        for _ in range(1000):
            seconds.observe(0.05, labels)
        best = min(best, (time.perf_counter() - begun) / 1000)
    shelf.close()
    assert best < 20e-6
