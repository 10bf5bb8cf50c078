"""How long to wait before trying again."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import chain, count
from typing import Final

LONGEST: Final = 30.0
"""The longest delay, in seconds."""


class Backoff:
    """Delays in seconds: 1, 2, 4 … 30, each shortened by up to a half at random.

    The chance keeps clients that lost their server at the same moment from returning at the same
    moment.

    Args:
        quick: shorter delays that come first, for a server that is only being restarted.
    """

    def __init__(self, quick: Sequence[float] = ()) -> None:
        self._quick = tuple(quick)
        self.reset()

    def reset(self) -> None:
        """Begin again with the shortest delay; to be called when something succeeded."""
        self._delays: Iterator[float] = chain(
            self._quick, (min(2.0 ** min(n, 10), LONGEST) for n in count())
        )

    def next(self, at_least: float | None = None) -> float:
        """The next delay in seconds, no shorter than what the server asked for."""
        delay = next(self._delays) * random.uniform(0.5, 1.0)
        return delay if at_least is None else max(delay, at_least)
