"""Running ``pipeline-host`` as people do: as a program of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Final

# Whoever runs the tests in the background may have SIGINT ignored, which children inherit.
ENTRY: Final = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from pipeline_host.cli.main import main; main(prog_name='pipeline-host')"
)
START: Final = "2026-11-22T07:00:00.000Z"


def command_line(*args: str) -> list[str]:
    return [sys.executable, "-c", ENTRY, *args]


def python(program: str, *args: str) -> list[str]:
    """A Python program as a command for ``run``."""
    return ["--", sys.executable, "-u", "-c", program, *args]


def run(*args: str, timeout: float = 60, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run it to its end."""
    return subprocess.run(command_line(*args), capture_output=True, timeout=timeout, **options)


def start(*args: str, **options: Any) -> subprocess.Popen[bytes]:
    """Start it, with unbuffered pipes to its output."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "bufsize": 0, **options}
    return subprocess.Popen(command_line(*args), **pipes)


def state(pid: int) -> str:
    """A process's state as proc(5) has it; empty where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    return state(pid) not in ("", "Z")
