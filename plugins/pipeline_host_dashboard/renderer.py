"""Rendering without holding up the worker: in a process that may be ended, and remembered.

A hostile text can take the libraries minutes. So they run elsewhere, with limits (see
``rendering_child``), one text at a time, and a text that was too hard is not tried again.
"""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
import sys
import threading
from collections import OrderedDict
from typing import IO, Final, NamedTuple

from pipeline_host_dashboard.rendering_child import HEADER, HTML, TEXT

MAX_INPUT: Final = 512 * 1024
"""A longer text is left as it is, in characters."""
MAX_WAIT: Final = 8.0
"""How long a text waits for its turn, in seconds."""
REMEMBERED: Final = 8 * 1024 * 1024
"""How much HTML is remembered, in characters."""

TOO_LONG: Final = "It is too long to be formatted"
TOO_HARD: Final = "Formatting it would take too long"
BUSY: Final = "It couldn't be formatted just now"


class Rendered(NamedTuple):
    """What became of a text: HTML, or why it is to be shown as it is."""

    html: str | None
    reason: str | None = None


class Renderer:
    """Renders texts in a process of its own, which is started when there is something to do.

    Safe for threads and greenlets.

    Args:
        command: starts that process.
    """

    def __init__(self, command: tuple[str, ...] | None = None) -> None:
        module = "pipeline_host_dashboard.rendering_child"
        self._command = command or (sys.executable, "-P", "-m", module)
        self._turn = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._memory = _Memory(REMEMBERED)

    def render(self, text: str) -> Rendered:
        """The HTML of a text in Markdown, or why there is none."""
        if len(text) > MAX_INPUT:
            return Rendered(None, TOO_LONG)
        key = hashlib.sha256(text.encode()).digest()
        known = self._memory.get(key)
        if known is not None:
            return known
        if not self._turn.acquire(timeout=MAX_WAIT):
            return Rendered(None, BUSY)
        try:
            rendered = self._memory.get(key) or self._ask(text.encode())
        finally:
            self._turn.release()
        if rendered.reason != BUSY:
            self._memory.put(key, rendered)
        return rendered

    def close(self) -> None:
        """End the process, if there is one."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            _forget(child)

    def _ask(self, data: bytes) -> Rendered:
        for _ in range(2):
            child = self._child or self._start()
            if child is None:
                return Rendered(None, BUSY)
            answer = _exchange(child, data)
            if answer is not None:
                return answer
            self._child = None
            if _forget(child) != 0:
                return Rendered(None, TOO_HARD)
            # It had nothing to do for a while, and had just ended.
        return Rendered(None, BUSY)

    def _start(self) -> subprocess.Popen[bytes] | None:
        try:
            self._child = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError:
            self._child = None
        return self._child


def _exchange(child: subprocess.Popen[bytes], data: bytes) -> Rendered | None:
    """Give a text to the process and take what it makes of it; ``None`` if it ended."""
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(HEADER.pack(TEXT, len(data)) + data)
        child.stdin.flush()
        header = _read(child.stdout, HEADER.size)
        if header is None:
            return None
        kind, length = HEADER.unpack(header)
        body = _read(child.stdout, length)
    except OSError:
        return None
    if body is None:
        return None
    return Rendered(body.decode()) if kind == HTML else Rendered(None, TOO_HARD)


def _read(file: IO[bytes], size: int) -> bytes | None:
    pieces: list[bytes] = []
    while size:
        piece = file.read(size)
        if not piece:
            return None
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _forget(child: subprocess.Popen[bytes]) -> int:
    """Wait for the end of a process that ends; returns its exit code."""
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    return child.wait()


class _Memory:
    """The newest results, up to a size."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._kept: OrderedDict[bytes, Rendered] = OrderedDict()

    def get(self, key: bytes) -> Rendered | None:
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: bytes, rendered: Rendered) -> None:
        if key in self._kept:
            return
        self._kept[key] = rendered
        self._left -= _size(rendered)
        while self._left < 0 and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._left += _size(oldest)


def _size(rendered: Rendered) -> int:
    return 1000 + len(rendered.html or "")
