"""A queue that never refuses, never blocks and never loses, within bounded memory."""

from __future__ import annotations

import json
import os
import struct
import tempfile
import threading
from collections import deque
from pathlib import Path
from typing import Any, Final, TypeAlias

Item: TypeAlias = dict[str, Any]

_LENGTH: Final = struct.Struct(">Q")
OVERHEAD: Final = 500
"""What an item takes beside its content, in bytes, about."""


class PendingQueue:
    """First in, first out; beyond ``memory_limit`` items wait in a temporary file without a name.

    Items are JSON objects. Order: those in memory came before those in the file, and those in the
    file before those that it had no room for.

    Args:
        memory_limit: how much may wait in memory, in bytes of content.
    """

    def __init__(self, memory_limit: int) -> None:
        self._limit = memory_limit
        self._lock = threading.Lock()
        self._memory: deque[tuple[Item, int]] = deque()
        self._used = 0
        self._file = _OverflowFile()
        self._no_room: deque[Item] = deque()

    def __bool__(self) -> bool:
        with self._lock:
            return bool(self._memory or self._file.count or self._no_room)

    def put(self, item: Item, size: int) -> None:
        """Add an item whose content takes about ``size`` bytes."""
        cost = size + OVERHEAD
        with self._lock:
            overflowing = self._file.count or self._no_room
            if not overflowing and (self._used + cost <= self._limit or not self._memory):
                self._memory.append((item, cost))
                self._used += cost
            elif self._no_room or not self._file.write(item):
                self._no_room.append(item)

    def take(self) -> Item | None:
        """The oldest item, which is then gone from the queue; None where there is none."""
        with self._lock:
            if self._memory:
                item, cost = self._memory.popleft()
                self._used -= cost
                return item
            return self._file.read() or (self._no_room.popleft() if self._no_room else None)

    def close(self) -> None:
        """Give the file back; what waits in it is gone."""
        with self._lock:
            self._file.close()


class _OverflowFile:
    """Items on disk, each after its length; made at the first write, emptied when all are read."""

    def __init__(self) -> None:
        self.count = 0
        self._descriptor = -1
        self._read_at = 0
        self._write_at = 0

    def write(self, item: Item) -> bool:
        """Add an item; False where the disk has no room for it."""
        content = json.dumps(item, separators=(",", ":")).encode()
        record = _LENGTH.pack(len(content)) + content
        try:
            if self._descriptor < 0:
                self._descriptor, name = tempfile.mkstemp(prefix="pipeline-host-")
                Path(name).unlink()
            if os.pwrite(self._descriptor, record, self._write_at) < len(record):
                return False
        except OSError:
            return False
        self._write_at += len(record)
        self.count += 1
        return True

    def read(self) -> Item | None:
        if not self.count:
            return None
        (length,) = _LENGTH.unpack(os.pread(self._descriptor, _LENGTH.size, self._read_at))
        content = os.pread(self._descriptor, length, self._read_at + _LENGTH.size)
        self._read_at += _LENGTH.size + length
        self.count -= 1
        if not self.count:
            self._read_at = self._write_at = 0
            os.ftruncate(self._descriptor, 0)
        item: Item = json.loads(content)
        return item

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1
        self.count = 0
