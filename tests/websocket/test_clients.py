"""Real clients follow, survive a restart of the server, and miss nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from pipeline_host.testing.server import LiveServer
from pipeline_host.testing.waiting import wait_until

from .following import (
    LAST,
    Follower,
    NodeFollower,
    PageFollower,
    WebsocketClientFollower,
    WebsocketsFollower,
)
from .reporting import Reporter

GOING_AWAY = 1001


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    page = chromium.new_page()
    yield page
    page.close()


def server(live_server: Callable[..., LiveServer]) -> LiveServer:
    """One that has the time to say goodbye and waits for what a client wants, on a busy machine."""
    return live_server("--graceful-timeout", "8", "--set", "websocket.grace=60")


def survives(follow: Callable[[LiveServer, str], Follower], server: LiveServer) -> None:
    """Let a client follow, take the server away in the middle, and look at what it saw."""
    reporter = Reporter(server.port)
    with closing(follow(server, reporter.id)) as follower:
        reporter.write("before ")
        wait_until(lambda: follower.content() == "before ", timeout=20)
        server.restart()
        for _ in range(3):
            Reporter(server.port)
        reporter.write("after")
        reporter.complete()
        Reporter(server.port, promptPreview=LAST).complete()
        wait_until(lambda: follower.content() == "before after", timeout=20)
        seen = follower.result()
    assert seen["content"] == "before after"
    assert seen["numbers"] == list(range(1, 8))
    assert seen["codes"][0] == GOING_AWAY


def test_the_library_websockets(live_server: Callable[..., LiveServer]) -> None:
    survives(WebsocketsFollower, server(live_server))


def test_the_library_websocket_client(live_server: Callable[..., LiveServer]) -> None:
    survives(WebsocketClientFollower, server(live_server))


def test_the_package_ws_of_npm(live_server: Callable[..., LiveServer], node_modules: Path) -> None:
    survives(lambda server, id_: NodeFollower(server, id_, node_modules), server(live_server))


def test_a_page_in_chromium(live_server: Callable[..., LiveServer], page: Page) -> None:
    survives(lambda server, id_: PageFollower(server, id_, page), server(live_server))
