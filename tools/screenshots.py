"""Makes pictures of every view, light and dark, wide and narrow.

    python tools/screenshots.py [--out build/screenshots] [--only list]

It starts a server of its own, fills it with sample data and opens each view in Chromium.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Page, sync_playwright

from pipeline_host.testing.server import LiveServer

sys.path.insert(0, str(Path(__file__).parent))
from sample_data import Filler

VIEWS: Final[Mapping[str, str]] = {
    "list": "/",
    "list-failed": "/?status=failed",
    "list-nothing": "/?q=nothing+has+this",
    "process-running": "/process/docs-build",
    "process-failed": "/process/unit-tests",
    "process-result": "/process/import-stall",
    "process-group": "/process/review-1",
    "process-missing": "/process/gone",
    "timeline": "/timeline",
}
SIZES: Final = {"wide": (1440, 900), "narrow": (360, 740)}
THEMES: Final = ("light", "dark")
SETTLED: Final = (
    "() => document.querySelector('main').childElementCount > 0 && document.fonts.ready"
)


def take(server: LiveServer, out: Path, only: str) -> Iterator[Path]:
    """Open each view whose name contains ``only`` in each size and theme; yields the pictures."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for size, (width, height) in SIZES.items():
            for theme in THEMES:
                page = browser.new_page(
                    viewport={"width": width, "height": height},
                    color_scheme=theme,
                    reduced_motion="reduce",
                )
                for name, path in VIEWS.items():
                    if only in name:
                        yield _picture(page, server.url + path, out / f"{name}-{size}-{theme}.png")
                page.close()
        browser.close()


def _picture(page: Page, url: str, target: Path) -> Path:
    page.goto(url)
    page.wait_for_function(SETTLED)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(400)
    page.screenshot(path=target)
    return target


@contextmanager
def filled_server() -> Iterator[LiveServer]:
    """A server with sample data, gone afterwards."""
    with tempfile.TemporaryDirectory() as folder, LiveServer(Path(folder) / "data") as server:
        Filler(server.url).fill()
        yield server


def main() -> None:
    parser = argparse.ArgumentParser(description="Pictures of every view of the dashboard.")
    parser.add_argument("--out", type=Path, default=Path("build/screenshots"), metavar="FOLDER")
    parser.add_argument("--only", default="", metavar="TEXT", help="views with this in their name")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with filled_server() as server:
        for path in take(server, options.out, options.only):
            print(path)


if __name__ == "__main__":
    main()
