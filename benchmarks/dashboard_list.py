"""How smoothly the list shows very many processes, measured in Chromium.

    python benchmarks/dashboard_list.py [--many 5000] [--news 300]

Prints how long it takes until the first row is seen, the longest task of the page while all pages
are read, while processes come and end, and while one searches, and what the page takes in memory.
On a busy machine a task is long because it waits; so its time on the processor is told beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import requests
from playwright.sync_api import Browser, Page, sync_playwright

from pipeline_host.testing.server import LiveServer

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
from sample_data import Filler

WATCH: Final = """
window.longest = 0;
new PerformanceObserver(list => {
    for (const {duration} of list.getEntries()) longest = Math.max(longest, duration);
}).observe({type: "longtask", buffered: true});
"""
MORE: Final = """() => {
    const ends = [...document.querySelectorAll(".group-end")].filter(end => !end.hidden);
    ends[0]?.scrollIntoView();
    return ends.length;
}"""


def longest(page: Page) -> str:
    """The longest task since the last question, and forgets it; below 50 ms none counts."""
    found = page.evaluate("() => { const found = longest; longest = 0; return found; }")
    return f"longest task {found:.0f} ms" if found else "no task over 50 ms"


@contextmanager
def traced(browser: Browser, page: Page, told: dict[str, float]) -> Iterator[None]:
    """Puts into ``told`` how much of the processor the longest task meanwhile used, in ms."""
    browser.start_tracing(page=page, categories=["toplevel", "devtools.timeline"])
    yield
    events = json.loads(browser.stop_tracing())["traceEvents"]
    threads = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    used = (
        event.get("tdur", 0)
        for event in events
        if event["name"].endswith("RunTask") and (event["pid"], event["tid"]) in threads
    )
    told["CPU"] = max(used, default=0) / 1000


def news(url: str, count: int) -> float:
    """Create and complete ``count`` processes; returns how many changes a second that were."""
    begin = time.monotonic()
    with requests.Session() as session:
        for number in range(count):
            body = {"id": f"new-{number}", "promptPreview": "new", "status": "running"}
            processes = f"{url}/api/processes"
            start = f"2099-01-01T00:{number // 60 % 60:02}:{number % 60:02}Z"
            session.post(processes, json={**body, "startTime": start}, timeout=20)
            session.patch(f"{processes}/new-{number}", json={"status": "completed"}, timeout=20)
    return 2 * count / (time.monotonic() - begin)


def measure(page: Page, url: str, count: int) -> None:
    begin = time.monotonic()
    page.goto(url)
    page.wait_for_selector(".row")
    print(f"first row seen after {1000 * (time.monotonic() - begin):.0f} ms")
    begin = time.monotonic()
    while page.evaluate(MORE):
        page.wait_for_timeout(10)
    print(f"all pages read in {time.monotonic() - begin:.1f} s, {longest(page)}")
    page.evaluate("scrollTo(0, 0)")
    rate = news(url, count)
    page.wait_for_selector(f".group[data-status=completed] .row[data-id='new-{count - 1}']")
    print(f"{rate:.0f} changes a second, {longest(page)}")
    page.get_by_role("searchbox").fill("voucher")
    page.wait_for_url("**q=voucher")
    page.wait_for_load_state("networkidle")
    print(f"a search, {longest(page)}")


def memory(page: Page) -> str:
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    heap = session.send("Runtime.getHeapUsage")["usedSize"]
    elements = page.evaluate("document.querySelectorAll('*').length")
    return f"heap {heap / 1e6:.1f} MB, {elements} elements"


def main() -> None:
    parser = argparse.ArgumentParser(description="How smoothly the list shows very many processes.")
    parser.add_argument("--many", type=int, default=5000)
    parser.add_argument("--news", type=int, default=300)
    options = parser.parse_args()
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with (
        tempfile.TemporaryDirectory() as folder,
        LiveServer(Path(folder) / "data") as server,
        sync_playwright() as playwright,
    ):
        filler = Filler(server.url)
        filler.fill()
        filler.many(options.many)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.add_init_script(WATCH)
        told: dict[str, float] = {}
        with traced(browser, page, told):
            measure(page, server.url, options.news)
        print(f"longest task in all, without what it waited: {told['CPU']:.0f} ms of the processor")
        print(memory(page))
        browser.close()


if __name__ == "__main__":
    main()
