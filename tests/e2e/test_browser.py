"""A real browser's EventSource follows a process, and stops by itself at the end."""

from __future__ import annotations

from collections.abc import Callable

import requests
from playwright.sync_api import Browser, Response

from pipeline_host.testing.server import LiveServer

START = "2026-11-22T07:00:00.000Z"

FOLLOW = """id => new Promise(resolve => {
    const source = new EventSource(`/api/processes/${id}/stream`);
    const seen = {content: "", kinds: [], errors: 0};
    for (const kind of ["chunk", "status", "done", "gap"])
        source.addEventListener(kind, event => {
            seen.kinds.push(kind);
            if (kind === "chunk") seen.content += JSON.parse(event.data).content;
        });
    source.onerror = () => {
        seen.errors += 1;
        if (source.readyState === EventSource.CLOSED) resolve(seen);
    };
})"""


def test_an_event_source_on_a_finished_process_stops_by_itself(
    live_server: Callable[..., LiveServer], chromium: Browser
) -> None:
    server = live_server()
    url = f"{server.url}/api/processes"
    body = {"id": "a/b 50%", "promptPreview": "p", "status": "running", "startTime": START}
    assert requests.post(url, json=body, timeout=20).status_code == 201
    text = "first\r\nsecond 日本 \N{GRINNING FACE}\n\nlast"
    item = f"{url}/a%2Fb%2050%25"
    assert requests.post(f"{item}/output", json={"content": text}, timeout=20).ok
    assert requests.patch(item, json={"status": "completed"}, timeout=20).ok

    page = chromium.new_page()
    answers: list[Response] = []
    page.on("response", lambda response: answers.append(response))
    page.goto(f"{server.url}/api/health")
    seen = page.evaluate(FOLLOW, "a%2Fb%2050%25")
    statuses = [answer.status for answer in answers if "/stream" in answer.url]
    page.close()

    assert seen["content"] == text
    assert seen["kinds"] == ["chunk", "status", "done"]
    assert statuses == [200, 204]


def test_an_event_source_survives_a_restart_of_the_server(
    live_server: Callable[..., LiveServer], chromium: Browser
) -> None:
    server = live_server()
    url = f"{server.url}/api/processes"
    body = {"id": "long", "promptPreview": "p", "status": "running", "startTime": START}
    assert requests.post(url, json=body, timeout=20).status_code == 201
    assert requests.post(f"{url}/long/output", json={"content": "before "}, timeout=20).ok

    page = chromium.new_page()
    page.goto(f"{server.url}/api/health")
    page.evaluate(f"() => {{ window.seen = ({FOLLOW})('long'); }}")
    server.restart()
    assert requests.post(f"{url}/long/output", json={"content": "after"}, timeout=20).ok
    assert requests.patch(f"{url}/long", json={"status": "completed"}, timeout=20).ok
    seen = page.evaluate("() => window.seen")
    page.close()

    assert seen["content"] == "before after"
    assert seen["kinds"][-2:] == ["status", "done"]
    assert "gap" not in seen["kinds"]
