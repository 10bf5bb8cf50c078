"""What is known of each process that is reported. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

BEATS: Final = 3
"""How often in the time of a lease the server is to hear from us."""

MOST: Final = 10_000
"""Of how many processes something is kept in mind."""


@dataclass(slots=True)
class Known:
    """One process, as far as this client was told.

    Attributes:
        offset: the length of its output on the server, in UTF-8 bytes; None where the server
            would have to be asked.
        created: the server took its creation from here.
        ended: the status that it ended with, where the server refused something for that.
        refused: why nothing more can be sent for it, where that is so.
        beat: after how many seconds of silence it has to be heard from; None if never.
        heard: when the server last heard of it from here, on the monotonic clock.
    """

    offset: int | None = None
    created: bool = False
    ended: str | None = None
    refused: str | None = None
    beat: float | None = None
    heard: float = 0.0

    @property
    def beat_at(self) -> float | None:
        """When a heartbeat is due, on the monotonic clock; None where none is."""
        if self.beat is None or self.ended or self.refused:
            return None
        return self.heard + self.beat


class KnownProcesses:
    """All of them, by id; of those that have no lease the longest unused are forgotten."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._leased: dict[str, Known] = {}

    def __getitem__(self, process_id: str) -> Known:
        known = self._known.get(process_id)
        if known is None:
            known = self._known[process_id] = self._leased.get(process_id) or Known()
        self._known.move_to_end(process_id)
        while len(self._known) > self._most:
            self._known.popitem(last=False)
        return known

    def get(self, process_id: str) -> Known | None:
        """What is known of a process, if anything is."""
        return self._known.get(process_id)

    def forget(self, process_id: str) -> None:
        """Begin anew with this id."""
        self._known.pop(process_id, None)
        self._leased.pop(process_id, None)

    def granted(self, process_id: str, process: Mapping[str, Any]) -> None:
        """The server answered the creation with ``process``: heartbeats follow its lease."""
        known = self[process_id]
        known.beat = beat(process)
        if known.beat is not None:
            self._leased[process_id] = known

    def silence(self, process_id: str) -> None:
        """No more heartbeats for this one."""
        self._leased.pop(process_id, None)
        self[process_id].beat = None

    @property
    def leased(self) -> bool:
        """Whether any process needs heartbeats."""
        return bool(self._leased)

    def beating(self) -> Iterator[tuple[str, Known]]:
        """The processes that need heartbeats."""
        return iter(self._leased.items())


def beat(process: Mapping[str, Any]) -> float | None:
    """After how many seconds of silence a process's reporter has to be heard from; None if ever."""
    lease = process.get("lease")
    seconds = lease.get("seconds") if isinstance(lease, Mapping) else None
    return seconds / BEATS if isinstance(seconds, int | float) else None
