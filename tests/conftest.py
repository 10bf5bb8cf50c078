from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from playwright.sync_api import Browser, sync_playwright

# How long an example takes says how busy the machine is, and nothing of what is tested.
settings.register_profile("any-machine", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or "any-machine")

NPM_PACKAGES = ("axe-core@4", "@xterm/headless@5", "ws@8")
NPM_SECONDS = 300
NPM_TRIES = 3
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The machine's own Chromium, without a window."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    assert path, "Chromium is not installed: apt-get install chromium, or set CHROMIUM to its path"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages of npm that tests use, in its ``node_modules``."""
    npm = shutil.which("npm")
    assert npm, "npm is not installed: apt-get install nodejs npm"
    folder = tmp_path_factory.mktemp("node")
    options = ("--prefer-offline", "--no-audit", "--no-fund", "--prefix", str(folder))
    told = ""
    for _ in range(NPM_TRIES):
        try:
            done = subprocess.run(
                [npm, "install", *options, *NPM_PACKAGES],
                capture_output=True,
                text=True,
                timeout=NPM_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            told = str(late)
            continue
        if done.returncode == 0:
            return folder
        told = done.stdout + done.stderr
    raise AssertionError(told)
