"""The pure parts of the timeline, tested where they run: in JavaScript."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

TESTS = Path(__file__).parent / "js" / "timeline.test.mjs"


def test_rows_bars_and_marks() -> None:
    node = shutil.which("node")
    assert node, "Node is not installed: apt-get install nodejs"
    done = subprocess.run(
        [node, "--test", str(TESTS)], capture_output=True, encoding="utf-8", timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
