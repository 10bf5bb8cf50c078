"""One real server for the tests of the HTTP API; each test uses processes of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipeline_host.testing import LiveServer

from .client import Api


@pytest.fixture(scope="session")
def rest_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """The server of all these tests; whatever they send, it has no reason for a traceback."""
    with LiveServer(tmp_path_factory.mktemp("rest") / "data") as server:
        yield server
        log = server.log()
    assert "Traceback" not in log, log


@pytest.fixture
def api(rest_server: LiveServer) -> Api:
    return Api(rest_server.port)
