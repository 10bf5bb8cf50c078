"""The parts of the log that need no page, tested where they run: in JavaScript."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

TESTS = sorted((Path(__file__).parent / "js").glob("log-*.test.mjs"))


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.name)
def test_in_node(file: Path) -> None:
    node = shutil.which("node")
    assert node, "Node is not installed: apt-get install nodejs"
    done = subprocess.run(
        [node, "--test", str(file)], capture_output=True, encoding="utf-8", timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
