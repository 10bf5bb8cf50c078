"""Real servers for the tests of the WebSocket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline_host.testing.server import LiveServer

from .reporting import Reporter

ECHO = Path(__file__).with_name("echo.py")


@pytest.fixture(scope="session")
def ws_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """One server for many tests; whatever they send, it has no reason for a traceback."""
    with LiveServer(tmp_path_factory.mktemp("ws") / "data") as server:
        yield server
        log = server.log()
    assert "Traceback" not in log, log


@pytest.fixture(scope="session")
def echo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with the plugin ``echo`` beside its own, really installed."""
    site = tmp_path_factory.mktemp("echo")
    (site / "pipeline_host_echo.py").write_text(ECHO.read_text("utf-8"), "utf-8")
    metadata = site / "pipeline_host_echo-1.0.dist-info"
    metadata.mkdir()
    head = "Metadata-Version: 2.1\nName: pipeline-host-echo\nVersion: 1.0\n"
    (metadata / "METADATA").write_text(head, "utf-8")
    points = "[pipeline_host]\necho = pipeline_host_echo\n"
    (metadata / "entry_points.txt").write_text(points, "utf-8")
    with LiveServer(site / "data", env={"PYTHONPATH": str(site)}) as server:
        yield server
        log = server.log()
    assert "Traceback" not in log, log


@pytest.fixture
def reporter(ws_server: LiveServer) -> Reporter:
    return Reporter(ws_server.port)
