"""Scripts of this folder, run in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).parent


class Script:
    """A script of this folder in a process of its own, that answers in lines of JSON."""

    def __init__(self, name: str, *args: str | Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, SCRIPTS / name, *map(str, args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the script ended with {self._process.wait()} and no answer"
        return json.loads(line)

    def end(self) -> None:
        """Wait for the script, which must have ended well."""
        self._process.communicate(timeout=60)
        assert self._process.returncode == 0

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()
