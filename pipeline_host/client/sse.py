"""Reading Server-Sent Events: a parser without I/O, after the WHATWG HTML standard, section 9.2.

Why not a library: those in common use don't keep to the standard where it matters here.
``httpx-sse`` (0.4) gives an event for a frame that has only an id, and takes ``retry: -1`` or
``retry: 1_0`` for a number. ``sseclient-py`` (1.9) delivers the frame that a broken connection cut
short, as if it were whole, and forgets the last id at the next frame; resuming after either would
lose or repeat output. What is needed is small enough to be held to every sentence of the standard.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_DIGITS: Final = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its type (``message`` where none was sent), its data, and the last id so far."""

    type: str
    data: str
    last_event_id: str


class EventParser:
    """Turns the bytes of one connection into events, whichever way they are cut.

    What isn't ended by a blank line when the connection ends is no event and changes nothing.

    Attributes:
        last_event_id: the id to resume from; that of the last event, or of a later frame that
            had an id but no data.
        retry: the server's wish for the time before a reconnect, in seconds.
    """

    def __init__(self, last_event_id: str = "") -> None:
        self.last_event_id = last_event_id
        self.retry: float | None = None
        self._id = last_event_id
        self._type = ""
        self._data: list[str] = []
        self._rest = b""
        self._at_start = True
        self._after_cr = False

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events that ``data`` completes. The iterator has to be used up."""
        for line in self._lines(data):
            if line:
                self._field(line.decode("utf-8", "replace"))
            elif event := self._dispatch():
                yield event

    def _lines(self, data: bytes) -> Iterator[bytes]:
        """Lines that ``data`` completes; a CR ends its line at once, a LF after it is dropped."""
        if not data:
            return
        if self._after_cr:
            data = data.removeprefix(b"\n")
        text = self._rest + data
        if self._at_start:
            if len(text) < len(codecs.BOM_UTF8) and codecs.BOM_UTF8.startswith(text):
                self._rest = text
                return
            text = text.removeprefix(codecs.BOM_UTF8)
            self._at_start = False
        *lines, self._rest = _LINE_END.split(text)
        self._after_cr = text.endswith(b"\r")
        yield from lines

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "data":
                self._data.append(value)
            case "event":
                self._type = value
            case "id" if "\0" not in value:
                self._id = value
            case "retry" if _DIGITS.fullmatch(value):
                self.retry = int(value) / 1000

    def _dispatch(self) -> Event | None:
        kind, data = self._type, self._data
        self._type, self._data = "", []
        self.last_event_id = self._id
        # The standard asks whether the data is empty before it takes the last line end off:
        # one empty data line makes an event.
        return Event(kind or "message", "\n".join(data), self._id) if data else None
