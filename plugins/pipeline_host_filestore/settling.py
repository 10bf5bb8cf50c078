"""Doing in the background what a worker left to be done when it went over to another journal."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from pipeline_host_filestore.background import Background
from pipeline_host_filestore.pacing import PAUSE

RETRY_AFTER: Final = 10.0


class Settler(Background):
    """Takes one slice after the other on a thread of its own, which ends when all is done.

    Args:
        take_slice: does a little; returns whether more is left.
    """

    def __init__(self, take_slice: Callable[[], bool]) -> None:
        failed = "The move to a compacted journal is tried again"
        super().__init__("pipeline-host-settler", RETRY_AFTER, failed)
        self._take_slice = take_slice

    def _work(self) -> None:
        while not self._stopping and self._take_slice():
            time.sleep(PAUSE)
