"""The parts of the log that need no page, tested where they run: in JavaScript."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "js"
TESTS = sorted(FOLDER.glob("log-*.test.mjs"))


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.name)
def test_in_node(file: Path) -> None:
    run("node", "--test", str(file))


def test_it_shows_what_a_terminal_shows(node_modules: Path) -> None:
    run("node", str(FOLDER / "beside-xterm.mjs"), str(node_modules), "500")


def run(program: str, *arguments: str) -> None:
    path = shutil.which(program)
    assert path, f"{program} is not installed: apt-get install nodejs npm"
    done = subprocess.run(
        [path, *arguments], capture_output=True, encoding="utf-8", timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
