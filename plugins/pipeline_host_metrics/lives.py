"""Which processes still run: each has a name that no other has, whatever number it is given."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def name_of(pid: int) -> str:
    """Names a process, and no other that has the same number later."""
    started = "0"
    with contextlib.suppress(OSError):
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
        started = stat.rpartition(")")[2].split()[19]
    return f"{pid}-{started}"


def runs(name: str) -> bool:
    """Whether the process of that name still runs."""
    pid = int(name.partition("-")[0])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return name_of(pid) == name
