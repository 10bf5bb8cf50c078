"""What can be followed: a log, as one protocol encodes it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, Protocol

from pipeline_host.store import Unsubscribe


class Reading(NamedTuple):
    """What follows a place in a log.

    Attributes:
        data: the encoded frames; empty where there is nothing more now.
        cursor: the place behind them (hashable).
        ended: nothing will ever follow; ``data``, which may be empty, was the last. Reading again
            behind the end says so again.
    """

    data: bytes
    cursor: Any
    ended: bool


class Source(Protocol):
    """One log, as one protocol encodes it: followers at the same cursor get the same bytes."""

    @property
    def key(self) -> Hashable:
        """Sources of equal key stand for one another; only the first of them is watched."""

    def read(self, cursor: Any) -> Reading:
        """What follows ``cursor``, in a piece of moderate size: about 256 KiB at most.

        Raises:
            PipelineHostError: it can't be read now. Who follows it is cut off, and resumes.
        """

    def watch(self, wake: Callable[[], None]) -> Unsubscribe:
        """Have ``wake`` called whenever there may be more to read, from any thread.

        Raises:
            PipelineHostError: it can't be watched now.
        """
