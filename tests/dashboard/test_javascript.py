"""The parts of the list, of the connection and of the shell that need no page, tested in Node."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "js"


@pytest.mark.parametrize(
    "name",
    ["feed.test.mjs", "list.test.mjs", "live.test.mjs", "owed.test.mjs", "shell.test.mjs"],
)
def test_in_node(name: str) -> None:
    node = shutil.which("node")
    assert node, "Node is not installed: apt-get install nodejs"
    command = [node, "--test", str(FOLDER / name)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
