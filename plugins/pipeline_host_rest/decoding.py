"""Turning raw bytes that arrive in pieces into text. Pure."""

from __future__ import annotations

import codecs

_Utf8Decoder = codecs.getincrementaldecoder("utf-8")


class TextDecoder:
    """UTF-8 to text, piece by piece.

    A character that is split over two pieces is put together first. Whatever is not UTF-8 becomes
    U+FFFD, in the way the Unicode standard recommends (one for each maximal subpart), so the text
    doesn't depend on where the pieces were cut.
    """

    def __init__(self) -> None:
        self._decoder = _Utf8Decoder("replace")

    def feed(self, data: bytes) -> str:
        """The text that is complete with this piece; empty where no character is."""
        return self._decoder.decode(data)

    def end(self) -> str:
        """What is left when nothing follows: U+FFFD for an incomplete character, or nothing."""
        return self._decoder.decode(b"", final=True)
