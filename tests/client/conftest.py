from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from pipeline_host.client import ApiClient

from .scripted import ScriptedServer


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    scripted = ScriptedServer().start()
    yield scripted
    scripted.close()


@pytest.fixture
def api(server: ScriptedServer) -> Iterator[ApiClient]:
    with ApiClient(server.url, timeout=(5, 20)) as client:
        yield client


@pytest.fixture
def process() -> Callable[..., dict[str, str]]:
    """What to create a process with."""

    def make(**fields: str) -> dict[str, str]:
        start = "2026-11-22T07:00:00.000Z"
        return {"promptPreview": "p", "status": "running", "startTime": start, **fields}

    return make
