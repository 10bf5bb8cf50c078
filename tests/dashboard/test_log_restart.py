"""A server that goes away and comes back under an open log: nothing is lost, nothing is doubled."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from pipeline_host.testing.server import LiveServer
from pipeline_host.testing.waiting import wait_until

from .conftest import Api, watched

LINES = ".log-rows .log-row"
LAST = "the end"


@contextmanager
def opened(chromium: Browser, server: LiveServer, process_id: str) -> Iterator[Page]:
    """The page of a process, in a window that is high enough to show all of its output."""
    page = chromium.new_page(viewport={"width": 600, "height": 12_000}, reduced_motion="reduce")
    wrong = watched(page)
    with closing(page):
        page.add_init_script("localStorage['pipeline-host.log'] = '{\"wrap\":false}'")
        page.goto(f"{server.url}/process/{process_id}")
        page.get_by_role("button", name="Fill the window").click()
        yield page
    assert [text for text in wrong if "WebSocket connection" not in text] == []


def stored(server: LiveServer, process_id: str) -> list[str]:
    url = f"{server.url}/api/processes/{process_id}/output"
    return requests.get(url, timeout=20).text.splitlines()


class Writer:
    """Writes lines up to a limit, again and again where the server is away, until it is stopped."""

    def __init__(self, server: LiveServer, process_id: str) -> None:
        self._url = f"{server.url}/api/processes/{process_id}/output"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.written = self.limit = 0
        self._offset = 0

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join(20)

    def write(self, line: str) -> bool:
        body = {"content": f"{line}\n", "offset": self._offset}
        try:
            answer = requests.post(self._url, json=body, timeout=20)
        except requests.ConnectionError:
            return False
        if not answer.ok:
            return False
        self._offset = answer.json()["offset"]
        return True

    def _run(self) -> None:
        while not self._over.is_set():
            if self.written < self.limit and self.write(f"{self.written} é日"):
                self.written += 1
            self._over.wait(0.01)


@pytest.mark.parametrize("flags", [(), ("--block", "websocket")], ids=["WebSocket", "SSE"])
def test_the_page_shows_what_the_store_has(
    live_server: Callable[..., LiveServer], chromium: Browser, flags: tuple[str, ...]
) -> None:
    server = live_server(*flags)
    api = Api(server.url)
    api.create("p")
    with opened(chromium, server, "p") as page, Writer(server, "p") as writer:
        expect(page.locator(".live-state[data-state=online]")).to_be_attached()
        for stop in (server.stop, server.kill):
            before = writer.written
            writer.limit = before + 150
            expect(page.locator(LINES).nth(before + 20)).to_be_attached()
            stop()
            expect(page.locator(".live-state[data-state=offline]")).to_be_attached()
            server.start()
            wait_until(lambda: writer.written > before + 60, timeout=30)  # noqa: B023
        writer.__exit__()
        wait_until(lambda: writer.write(LAST))
        api.patch("p", status="completed")
        expect(page.locator(LINES).last).to_have_text(re.compile(LAST), timeout=60_000)
        lines = page.locator(f"{LINES} .log-text").all_text_contents()
        assert lines == stored(server, "p")
        assert len(lines) == writer.written + 1
    api.close()


def test_a_server_that_comes_back_with_other_data_is_shown_from_its_start(
    live_server: Callable[..., LiveServer], chromium: Browser
) -> None:
    server = live_server()
    api = Api(server.url)
    api.create("p")
    api.output("p", "of the old data\n")
    with opened(chromium, server, "p") as page:
        expect(page.locator(LINES)).to_have_text(re.compile("of the old data"))
        server.stop()
        server.data_dir.rename(server.data_dir.with_name("old"))
        server.start()
        api.create("p")
        api.output("p", "of the new data\n")
        expect(page.locator(LINES)).to_have_text(re.compile("of the new data"), timeout=30_000)
        page.get_by_role("searchbox").fill("data")
        expect(page.locator(".log-count")).to_have_text("1/1")
    api.close()
