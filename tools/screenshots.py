"""Makes pictures of every view, light and dark, wide and narrow.

    python tools/screenshots.py [--out build/screenshots] [--only list]

It starts two servers of its own, fills one with sample data and opens each view in Chromium: also
what one sees at first, while the server is away, and of a dialog.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from playwright.sync_api import Browser, Page, sync_playwright

from pipeline_host.testing.server import LiveServer

sys.path.insert(0, str(Path(__file__).parent))
from sample_data import Filler


class View(NamedTuple):
    """A page, and what is done there before its picture is taken.

    Attributes:
        path: its address.
        act: does it; until then the page has its data.
        empty: it is of a server that has no data.
    """

    path: str
    act: Callable[[Page], object] = lambda page: None
    empty: bool = False


def _log(page: Page) -> None:
    """Scroll up in a log that one searches, so that it lets go of its end."""
    log = page.locator(".log")
    log.scroll_into_view_if_needed()
    log.get_by_role("searchbox").fill("chapter-04")
    log.locator("mark.current").first.wait_for()
    page.evaluate("document.querySelector('.log').scrollIntoView({block: 'center'})")
    page.locator(".log-scroll").hover()
    page.mouse.wheel(0, -40)


def _confirm(page: Page) -> None:
    page.keyboard.press("c")
    page.get_by_role("dialog").wait_for()


def _help(page: Page) -> None:
    page.keyboard.press("?")
    page.get_by_role("dialog").wait_for()


VIEWS: Final[Mapping[str, View]] = {
    "list": View("/"),
    "list-first-run": View("/", empty=True),
    "list-failed": View("/?status=failed"),
    "list-nothing": View("/?q=nothing+has+this"),
    "list-help": View("/", _help),
    "process-running": View("/process/docs-build"),
    "process-log": View("/process/docs-build", _log),
    "process-confirm": View("/process/docs-build", _confirm),
    "process-failed": View("/process/unit-tests"),
    "process-result": View("/process/import-stall"),
    "process-group": View("/process/review-1"),
    "process-missing": View("/process/gone"),
    "timeline": View("/timeline"),
    "timeline-table": View("/timeline?view=table"),
    "timeline-first-run": View("/timeline", empty=True),
}
OFFLINE: Final[Mapping[str, str]] = {
    "list-offline": "/",
    "process-offline": "/process/docs-build",
}
SIZES: Final = {"wide": (1440, 900), "narrow": (360, 740)}
THEMES: Final = ("light", "dark")
SETTLED: Final = (
    "() => document.querySelector('main').childElementCount > 0 && document.fonts.ready"
)


class Servers(NamedTuple):
    """One with sample data, and one that has none."""

    filled: LiveServer
    empty: LiveServer


def take(servers: Servers, out: Path, only: str) -> Iterator[Path]:
    """Open each view whose name contains ``only`` in each size and theme; yields the pictures."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for look, page in _pages(browser):
            for name, view in VIEWS.items():
                if only in name:
                    server = servers.empty if view.empty else servers.filled
                    yield _picture(page, server, view, out / f"{name}-{look}.png")
            for name, path in OFFLINE.items():
                if only in name:
                    yield _offline(page, servers.filled, path, out / f"{name}-{look}.png")
        browser.close()


def _pages(browser: Browser) -> Iterator[tuple[str, Page]]:
    """A page of each size and theme, and what it is called."""
    for size, (width, height) in SIZES.items():
        for theme in THEMES:
            page = browser.new_page(
                viewport={"width": width, "height": height},
                color_scheme=theme,
                reduced_motion="reduce",
            )
            yield f"{size}-{theme}", page
            page.close()


def _picture(page: Page, server: LiveServer, view: View, target: Path) -> Path:
    _open(page, server.url + view.path)
    view.act(page)
    page.wait_for_timeout(400)
    page.screenshot(path=target)
    return target


def _offline(page: Page, server: LiveServer, path: str, target: Path) -> Path:
    """A page whose server has ended; it is there again afterwards."""
    _open(page, server.url + path)
    server.stop()
    page.locator("#banner").get_by_text("Offline").wait_for()
    page.screenshot(path=target)
    server.start()
    return target


def _open(page: Page, url: str) -> None:
    page.goto(url)
    page.wait_for_function(SETTLED)
    page.wait_for_load_state("networkidle")


@contextmanager
def running() -> Iterator[Servers]:
    """Two servers, gone afterwards."""
    with (
        tempfile.TemporaryDirectory() as folder,
        LiveServer(Path(folder) / "filled") as filled,
        LiveServer(Path(folder) / "empty") as empty,
    ):
        Filler(filled.url).fill()
        yield Servers(filled, empty)


def main() -> None:
    parser = argparse.ArgumentParser(description="Pictures of every view of the dashboard.")
    parser.add_argument("--out", type=Path, default=Path("build/screenshots"), metavar="FOLDER")
    parser.add_argument("--only", default="", metavar="TEXT", help="views with this in their name")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with running() as servers:
        for path in take(servers, options.out, options.only):
            print(path)


if __name__ == "__main__":
    main()
