"""Where output waits that memory has no room for."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline_host.client.items import Output, from_json, to_json


class OverflowFile:
    """A temporary file without a name; made at the first need, emptied when all is back.

    It is a :class:`~pipeline_host.client.outbox.Shelf`. Not safe to use from several threads.
    """

    def __init__(self) -> None:
        self._descriptor = -1
        self._end = 0
        self._kept = 0

    def keep(self, item: Output) -> Callable[[], Output] | None:
        """Put an item there; what gives it back, once. None where the disk has no room for it."""
        data = json.dumps(to_json(item), separators=(",", ":")).encode()
        place = self._end
        try:
            self._open()
            if os.pwrite(self._descriptor, data, place) < len(data):
                return None
        except OSError:
            return None
        self._end += len(data)
        self._kept += 1
        return lambda: self._give_back(place, len(data))

    def close(self) -> None:
        """Give the file back; what waits in it is gone."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def _open(self) -> None:
        if self._descriptor < 0:
            self._descriptor, name = tempfile.mkstemp(prefix="pipeline-host-")
            Path(name).unlink()

    def _give_back(self, place: int, length: int) -> Output:
        value: dict[str, Any] = json.loads(os.pread(self._descriptor, length, place))
        self._kept -= 1
        if not self._kept:
            self._end = 0
            os.ftruncate(self._descriptor, 0)
        item = from_json(value)
        assert isinstance(item, Output)
        return item
