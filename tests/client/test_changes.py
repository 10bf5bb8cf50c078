"""Following what happens to all processes, at a real server."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pipeline_host.client import ApiClient, Event, Interrupt, changes
from pipeline_host.testing import LiveServer
from pipeline_host.testing.waiting import wait_until

Make = Callable[..., dict[str, str]]


@pytest.fixture
def live(live_server: Callable[..., LiveServer]) -> LiveServer:
    return live_server()


class Watching:
    """Follows in a thread until it is left."""

    def __init__(self, url: str, **options: Any) -> None:
        self.events: list[Event] = []
        self._interrupt = Interrupt()
        self._api = ApiClient(url)
        self._source = changes(self._api, interrupt=self._interrupt, **options)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        for event in self._source:
            self.events.append(event)

    def told(self) -> list[tuple[str, str]]:
        """Kind and process of each change."""
        messages = [(event.type, json.loads(event.data)) for event in self.events[1:]]
        return [(kind, data["process"]["id"]) for kind, data in messages if "process" in data]

    def __enter__(self) -> Watching:
        self._thread.start()
        wait_until(lambda: self.events)
        return self

    def __exit__(self, *_: object) -> None:
        self._interrupt.stop()
        self._thread.join(20)
        self._api.close()
        assert not self._thread.is_alive()


@pytest.fixture
def api(live: LiveServer) -> Iterator[ApiClient]:
    with ApiClient(live.url) as client:
        yield client


def test_they_are_told_from_now_on_through_a_restart(
    live: LiveServer, api: ApiClient, process: Make
) -> None:
    with Watching(live.url, longest=0.1) as watching:
        api.create(process(id="a"))
        wait_until(lambda: watching.told() == [("process-added", "a")])
        live.kill()
        live.start()
        api.patch("a", {"status": "completed"})
        api.create(process(id="b"))
        wait_until(lambda: len(watching.told()) == 3)
    assert watching.events[0].type == "welcome"
    assert watching.told()[1:] == [("process-updated", "a"), ("process-added", "b")]


def test_they_can_be_those_of_one_workspace(
    live: LiveServer, api: ApiClient, process: Make
) -> None:
    with Watching(live.url, workspace="mine") as watching:
        api.create(process(id="theirs", workspaceId="theirs"))
        api.create(process(id="mine", workspaceId="mine"))
        wait_until(watching.told)
    assert watching.told() == [("process-added", "mine")]
