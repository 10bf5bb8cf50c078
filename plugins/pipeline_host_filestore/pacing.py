"""Long work in slices, so that its worker answers others meanwhile."""

from __future__ import annotations

import time
from typing import Final

SLICE: Final = 0.002
PAUSE: Final = 0.0001
"""Under gevent a pause of no length may end without a look at who sent something; this doesn't."""


class Pace:
    """Counts slices from its making on."""

    def __init__(self) -> None:
        self._end = time.monotonic() + SLICE

    @property
    def over(self) -> bool:
        """Whether the slice is."""
        return time.monotonic() >= self._end

    def pause(self) -> None:
        """Let others run, if the slice is over; only where no lock is held."""
        if self.over:
            time.sleep(PAUSE)
            self._end = time.monotonic() + SLICE
