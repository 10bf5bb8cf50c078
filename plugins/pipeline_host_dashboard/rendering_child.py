"""The process that renders, for one worker: ``python -m pipeline_host_dashboard.rendering_child``.

On its standard input come texts, on its standard output goes the HTML of each, in frames: a kind
(one byte), a length (four) and as many bytes of UTF-8. It limits itself, so that nobody has to
watch it: a text that takes too long or too much memory ends the process, and it ends by itself when
its parent did, or asked nothing for a while.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import struct
import sys
from collections.abc import Callable
from typing import Final

HEADER: Final = struct.Struct(">cI")
TEXT: Final = b"T"
HTML: Final = b"H"
REFUSED: Final = b"R"

CPU_SECONDS: Final = 2.0
"""How long one text may take, in seconds of the processor's time."""
MEMORY: Final = 1024 * 1024 * 1024
IDLE_SECONDS: Final = 60.0


def main() -> None:
    os.nice(5)
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    limit = MEMORY if most == resource.RLIM_INFINITY else min(MEMORY, most)
    resource.setrlimit(resource.RLIMIT_AS, (limit, most))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which ends this
    from pipeline_host_dashboard.rendering import render

    while select.select([0], [], [], IDLE_SECONDS)[0]:
        text = _take()
        if text is None:
            return
        _give(*_rendered(render, text))


def _rendered(render: Callable[[str], str], text: str) -> tuple[bytes, str]:
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)  # unless it is stopped, it ends the process
    try:
        return HTML, render(text)
    except Exception as error:  # noqa: BLE001  # whatever a text may do to the libraries
        return REFUSED, type(error).__name__
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _take() -> str | None:
    header = sys.stdin.buffer.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    return sys.stdin.buffer.read(HEADER.unpack(header)[1]).decode()


def _give(kind: bytes, text: str) -> None:
    data = text.encode()
    sys.stdout.buffer.write(HEADER.pack(kind, len(data)) + data)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
