"""What a sink has given up to deliver, kept in the data directory for somebody to look at.

``pipeline-host doctor`` lists it. Each sink has a file of its own, which only the worker writes
that tells this sink.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from pipeline_host.models import Model, Timestamp

FOLDER: Final = "dead-letters"
MAX_BYTES: Final = 4 * 1024 * 1024
"""The size of a sink's file at which its older half is forgotten."""
log: Final = logging.getLogger(__name__)


class DeadLetter(Model, frozen=True):
    """One thing that couldn't be delivered.

    Attributes:
        time: when it was given up.
        sink: the sink's name.
        target: where it should have gone, without anything secret.
        seq: the change's number.
        attempts: how often it was tried.
        reason: why it was given up, in a sentence.
        message: what should have been delivered; empty where that is too large to keep.
    """

    time: Timestamp
    sink: str
    target: str
    seq: int
    attempts: int
    reason: str
    message: str = ""


class DeadLetterBox:
    """The dead letters of one sink; the oldest are forgotten when they become too many.

    Args:
        data_dir: the server's data directory.
        sink: the sink's name.
        max_bytes: how large the file may become.
    """

    def __init__(self, data_dir: Path, sink: str, max_bytes: int = MAX_BYTES) -> None:
        self._path = data_dir / FOLDER / f"{sink}.jsonl"
        self._max_bytes = max_bytes

    def add(self, letter: DeadLetter) -> None:
        """Keep one.

        Raises:
            OSError: it can't be written.
        """
        line = msgspec.json.encode(letter) + b"\n"
        if len(line) > self._max_bytes // 4:
            line = msgspec.json.encode(msgspec.structs.replace(letter, message="")) + b"\n"
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "r+b") as file:
            size = file.seek(0, os.SEEK_END)
            if size and not self._ends_a_line(file.fileno(), size):
                line = b"\n" + line  # what a killed worker left
            file.write(line)
        if size + len(line) > self._max_bytes:
            self._forget_older_half()

    def _ends_a_line(self, handle: int, size: int) -> bool:
        return os.pread(handle, 1, size - 1) == b"\n"

    def _forget_older_half(self) -> None:
        data = self._path.read_bytes()
        start = data.find(b"\n", len(data) // 2) + 1
        new = self._path.with_suffix(".new")
        new.touch(mode=0o600)
        new.write_bytes(data[start:])
        new.replace(self._path)


def read_dead_letters(data_dir: Path) -> Iterator[DeadLetter]:
    """All that sinks have given up, of one sink after the other, each oldest first.

    Raises:
        OSError: a file can't be read.
    """
    for path in sorted((data_dir / FOLDER).glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            try:
                yield msgspec.json.decode(line, type=DeadLetter)
            except (msgspec.DecodeError, UnicodeDecodeError):
                log.warning("%s: a line can't be read and is left out", path)
