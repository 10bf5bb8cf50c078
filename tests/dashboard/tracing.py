"""What a page's tasks cost, told by Chromium."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page


@contextmanager
def traced(page: Page) -> Iterator[list[float]]:
    """Fills a list, at the end, with the time that each task of the page used, in milliseconds.

    It is the processor's time: on a busy machine tasks take longer, but use no more of that.
    """
    browser = page.context.browser
    assert browser is not None
    browser.start_tracing(page=page, categories=["toplevel", "__metadata"])
    used: list[float] = []
    try:
        yield used
    finally:
        trace = browser.stop_tracing()
    events = json.loads(trace)["traceEvents"]
    threads = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    used += [
        event.get("tdur", 0) / 1000
        for event in events
        if event["name"].endswith("RunTask") and (event["pid"], event["tid"]) in threads
    ]
    assert used
