"""How smoothly the dashboard shows a log: while it grows fast, and when it is very long.

    python benchmarks/dashboard_log.py [--lines 200000] [--rate 2000] [--long 1000000]

First a page is open while ``--lines`` lines arrive at ``--rate`` a second, each a chunk of its own.
Then a page is opened on a process that has ``--long`` lines already, and scrolled through. Told are
the long tasks of the page (over 50 ms), the memory that its JavaScript holds, and how far apart its
frames were; a screen refreshes every 16.7 ms. On a busy machine a task is long because it waits:
``longest task CPU ms`` is what one has used of the processor, over the whole of the second part and
some seconds of the first.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import requests
from playwright.sync_api import CDPSession, Page, sync_playwright

from pipeline_host.testing.server import LiveServer

FLAGS: Final = ["--no-sandbox", "--disable-gpu", "--no-first-run"]
START: Final = "2026-11-22T07:00:00.000Z"
TICK: Final = 0.01

WATCH: Final = """() => {
    window.tasks = [];
    new PerformanceObserver(list => window.tasks.push(...list.getEntries().map(e => e.duration)))
        .observe({type: "longtask", buffered: true});
    window.frames = [];
    let last = performance.now();
    const frame = now => {
        window.frames.push(now - last);
        last = now;
        requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
}"""
LINES: Final = r"""() => {
    const total = document.querySelector(".log-total");
    return total === null ? 0 : Number(total.textContent.replace(/\D/g, ""));
}"""
SCROLL: Final = "top => document.querySelector('.log-scroll').scrollTo({top, behavior: 'instant'})"


def line(number: int) -> str:
    """A line as programs write them: some colour, 80 characters or so."""
    level = ("\x1b[32mINFO\x1b[0m", "\x1b[33mWARN\x1b[0m", "\x1b[2mDEBUG\x1b[0m")[number % 3]
    return f"12:00:{number % 60:02} {level} worker.{number % 8} handled request {number} in 7 ms\n"


class Reporter:
    """One process of a server, and who writes to it."""

    def __init__(self, server: LiveServer, process_id: str) -> None:
        self._http = requests.Session()
        self.url = f"{server.url}/api/processes/{process_id}"
        body = {"id": process_id, "promptPreview": process_id, "status": "running"}
        self._send(f"{server.url}/api/processes", json={**body, "startTime": START})

    def write_at_once(self, count: int) -> None:
        text = "".join(map(line, range(count)))
        self._send(f"{self.url}/output", data=text.encode(), headers={"Content-Type": "text/plain"})

    def write_steadily(self, count: int, rate: int) -> None:
        began, done = time.monotonic(), 0
        while done < count:
            due = min(count, int((time.monotonic() - began) * rate) + 1)
            if due > done:
                chunks = [{"content": line(number)} for number in range(done, due)]
                self._send(f"{self.url}/output", json={"chunks": chunks})
                done = due
            time.sleep(TICK)

    def _send(self, url: str, **options: Any) -> None:
        answer = self._http.post(url, timeout=300, **options)
        if not answer.ok:
            raise SystemExit(f"{answer.status_code} {answer.text}")


def memory(session: CDPSession, *, collect: bool = True) -> dict[str, float]:
    """What the page's JavaScript holds, in megabytes; as a rule without what is garbage."""
    if collect:
        session.send("HeapProfiler.collectGarbage")
    usage = session.send("Runtime.getHeapUsage")
    heap, buffers = usage["usedSize"], usage.get("backingStorageSize", 0)
    return {"heap": round(heap / 1e6, 1), "and buffers": round((heap + buffers) / 1e6, 1)}


def smoothness(page: Page) -> dict[str, Any]:
    """Long tasks and frames since this was asked last; that has to be some frames ago."""
    page.wait_for_timeout(200)
    tasks, frames = page.evaluate(
        "() => [window.tasks.splice(0), window.frames.splice(0).slice(1)]"
    )
    return {
        "long tasks": len(tasks),
        "longest task ms": round(max(tasks, default=0)),
        "frames": len(frames),
        "frame ms p50": round(statistics.median(frames), 1),
        "p99": round(statistics.quantiles(frames, n=100)[98], 1),
        "max": round(max(frames), 1),
    }


@contextmanager
def traced(page: Page) -> Iterator[dict[str, int]]:
    """Fills a dictionary, at the end, with the most that a task of the page used of the CPU."""
    browser = page.context.browser
    assert browser is not None
    browser.start_tracing(page=page, categories=["toplevel", "__metadata"])
    told: dict[str, int] = {}
    try:
        yield told
    finally:
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
        told["longest task CPU ms"] = round(max(used, default=0) / 1000)


def grows(server: LiveServer, page: Page, session: CDPSession, count: int, rate: int) -> None:
    reporter = Reporter(server, "grows")
    page.goto(f"{server.url}/process/grows")
    page.wait_for_selector(".log")
    page.evaluate(WATCH)
    writer = threading.Thread(target=reporter.write_steadily, args=(count, rate), daemon=True)
    began = time.monotonic()
    writer.start()
    most = {"heap": 0.0, "and buffers": 0.0}
    with traced(page) as used:
        page.wait_for_timeout(4000)
    while writer.is_alive():
        page.wait_for_timeout(2000)
        most = {name: max(most[name], now) for name, now in memory(session, collect=False).items()}
    page.wait_for_function(f"count => ({LINES})() === count", arg=count, timeout=60_000)
    seconds = time.monotonic() - began
    most = {name: max(most[name], now) for name, now in memory(session, collect=False).items()}
    tell(f"{count} lines at {rate} a second", seconds, smoothness(page), used, most)


def is_long(server: LiveServer, page: Page, session: CDPSession, count: int) -> None:
    Reporter(server, "long").write_at_once(count)
    page.add_init_script(f"({WATCH})()")
    began = time.monotonic()
    with traced(page) as used:
        page.goto(f"{server.url}/process/long")
        page.wait_for_function(f"count => ({LINES})() === count", arg=count, timeout=300_000)
        seconds = time.monotonic() - began
    tell(f"open {count} lines", seconds, smoothness(page), used, memory(session))
    page.hover(".log-scroll")
    act(page, "turn the wheel up", lambda turn: page.mouse.wheel(0, -300))
    act(page, "drag the scroll bar", lambda turn: page.evaluate(SCROLL, 50_000 * turn))
    act(page, "turn the wheel down", lambda turn: page.mouse.wheel(0, 300))
    began = time.monotonic()
    with traced(page) as used:
        page.fill(".log-field", f"request {count - 7} ")
        page.wait_for_function("() => document.querySelector('.log-count').textContent === '1/1'")
        seconds = time.monotonic() - began
    tell("find one line", seconds, smoothness(page), used, memory(session))
    rows = page.locator(".log-row").count()
    print(f"rows in the page: {rows}")


def act(page: Page, name: str, once: Callable[[int], object]) -> None:
    smoothness(page)
    began = time.monotonic()
    with traced(page) as used:
        for turn in range(100):
            once(turn)
            page.wait_for_timeout(10)
        seconds = time.monotonic() - began
    tell(name, seconds, smoothness(page), used)


def tell(name: str, seconds: float, *measured: dict[str, Any]) -> None:
    told = {"what": name, "seconds": round(seconds, 2)}
    for numbers in measured:
        told |= numbers
    print(json.dumps(told), flush=True)


@contextmanager
def browser_page() -> Iterator[tuple[Page, CDPSession]]:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        yield page, page.context.new_cdp_session(page)
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lines", type=int, default=200_000)
    parser.add_argument("--rate", type=int, default=2000)
    parser.add_argument("--long", type=int, default=1_000_000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, LiveServer(Path(folder) / "data") as server:
        if chosen.lines:
            with browser_page() as (page, session):
                grows(server, page, session, chosen.lines, chosen.rate)
        if chosen.long:
            with browser_page() as (page, session):
                is_long(server, page, session, chosen.long)


if __name__ == "__main__":
    main()
