"""A server with the dashboard for each module of tests, and pages in one Chromium."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import pytest
import requests
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Route,
    ViewportSize,
    expect,
)

from pipeline_host.testing.server import LiveServer
from pipeline_host.testing.waiting import wait_until

expect.set_options(timeout=20_000)

SIZE: Final[ViewportSize] = {"width": 1280, "height": 800}
BLANK: Final = "/api/health"
SOON: Final = 1.0
"""In seconds. A try counts if it shows within 0.85: Playwright looks at 0.1, 0.35 and 0.85."""
TRIES: Final = 20
RECORD_TOASTS: Final = """() => {
    window.toasted = [];
    new MutationObserver(changes => {
        for (const {addedNodes} of changes)
            toasted.push(...[...addedNodes].map(node => node.textContent));
    }).observe(document.getElementById("toasts"), {childList: true});
}"""


def ago(seconds: float) -> str:
    """The moment so many seconds ago, as the API has it."""
    return _written(datetime.now(UTC) - timedelta(seconds=seconds))


def later(time: str, seconds: float) -> str:
    """The moment so many seconds after another, both as the API has them."""
    return _written(datetime.fromisoformat(time) + timedelta(seconds=seconds))


def _written(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def soon(act: Callable[[], None], shown: Callable[[], None], within: float = SOON) -> None:
    """Prove that something shows within a second: a machine may be busy once, but not each time."""
    for _ in range(TRIES):
        act()
        begin = time.monotonic()
        shown()
        if time.monotonic() - begin <= within:
            return
    raise AssertionError(f"it never showed within {within:g} s, in {TRIES} tries")


def fail_once(page: Page, url: str, status: int | None) -> list[str]:
    """Have the next request fail, with a status or without an answer; returns those that come."""
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) > 1:
            route.continue_()
        elif status is None:
            route.abort()
        else:
            route.fulfill(status=status, body='{"error": "busy"}', content_type="application/json")

    page.route(url, answer)
    return asked


def recorded_toasts(page: Page) -> Callable[[str], None]:
    """Keep what a page says in passing from now on; returns how to wait until it says something.

    A notice is gone after four seconds, and a test may be slower than that.
    """
    page.evaluate(RECORD_TOASTS)

    def wait_for(text: str) -> None:
        def said() -> list[str]:
            found: list[str] = page.evaluate("toasted")
            return found

        wait_until(
            lambda: any(text in toast for toast in said()),
            timeout=20,
            message=lambda: f"{text!r} in {said()}",
        )

    return wait_for


class Api:
    """What happens from outside, over HTTP, while a page is open."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()

    def create(self, process_id: str, /, **fields: Any) -> str:
        """Create a process, a running one unless told otherwise; returns its id."""
        body = {"id": process_id, "promptPreview": process_id, "status": "running"}
        self._send("POST", "", json={**body, "startTime": ago(60), **fields})
        return process_id

    def patch(self, process_id: str, /, **fields: Any) -> None:
        self._send("PATCH", f"/{quote(process_id, safe='')}", json=fields)

    def output(self, process_id: str, content: str, stream: str | None = None) -> None:
        body = {"content": content} | ({"stream": stream} if stream else {})
        self._send("POST", f"/{quote(process_id, safe='')}/output", json=body)

    def cancel(self, process_id: str) -> None:
        self._send("POST", f"/{quote(process_id, safe='')}/cancel")

    def delete(self, process_id: str) -> None:
        self._send("DELETE", f"/{quote(process_id, safe='')}")

    def get(self, process_id: str) -> dict[str, Any]:
        answer = self._send("GET", f"/{quote(process_id, safe='')}").json()
        found: dict[str, Any] = answer["process"]
        return found

    def workspace(self, workspace_id: str, **fields: Any) -> None:
        body = {"id": workspace_id, "name": workspace_id, "rootPath": f"/{workspace_id}", **fields}
        answer = self._session.post(f"{self.url}/api/workspaces", json=body, timeout=20)
        assert answer.ok, answer.text

    def close(self) -> None:
        self._session.close()

    def _send(self, method: str, path: str, **options: Any) -> requests.Response:
        answer = self._session.request(
            method, f"{self.url}/api/processes{path}", timeout=20, **options
        )
        assert answer.ok, answer.text
        return answer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """One for all tests of a module: they must not mind each other's processes."""
    with LiveServer(tmp_path_factory.mktemp("dashboard") / "data") as started:
        yield started


@pytest.fixture(scope="module")
def api(server: LiveServer) -> Iterator[Api]:
    made = Api(server.url)
    yield made
    made.close()


@pytest.fixture(scope="module")
def context(chromium: Browser, server: LiveServer) -> Iterator[BrowserContext]:
    """Like a window of its own, at the server's address, in UTC, with the clipboard allowed."""
    made = chromium.new_context(
        base_url=server.url,
        viewport=SIZE,
        timezone_id="UTC",
        reduced_motion="reduce",
        permissions=["clipboard-read", "clipboard-write"],
    )
    yield made
    made.close()


@pytest.fixture(scope="module")
def tab(context: BrowserContext) -> tuple[Page, list[str]]:
    """The one page of a module, and what went wrong in it: a new one would load all anew."""
    made = context.new_page()
    return made, watched(made)


@pytest.fixture
def page(tab: tuple[Page, list[str]]) -> Iterator[Page]:
    """A page as good as new; the test fails if anything goes wrong in it that nobody catches."""
    made, wrong = tab
    renew(made)
    wrong.clear()
    yield made
    assert wrong == []


def renew(page: Page) -> None:
    """Have a page forget what a test before did: what it kept, its routes, look and size.

    It ends up at the server's address, without the dashboard.
    """
    page.unroute_all(behavior="ignoreErrors")
    page.goto(BLANK)
    page.evaluate("localStorage.clear(), sessionStorage.clear()")
    page.emulate_media(color_scheme="light")
    if page.viewport_size != SIZE:
        page.set_viewport_size(SIZE)


def watched(page: Page) -> list[str]:
    """Gathers what goes wrong in a page: errors of its scripts, and all it writes as an error.

    Requests that fail are no errors of the page: tests cause them.
    """
    wrong: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            wrong.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    return wrong
