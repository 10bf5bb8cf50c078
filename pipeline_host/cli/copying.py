"""Passing on what a command writes, to where it would have gone and to a reporter."""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable
from typing import Final

from pipeline_host.cli.common import tell, write_all

STREAMS: Final = {"stdout": 1, "stderr": 2}


def terminals() -> dict[str, int]:
    """Which of our streams are terminals: their names and descriptors."""
    return {name: descriptor for name, descriptor in STREAMS.items() if os.isatty(descriptor)}


class Copier:
    """Passes the command's output on, to our own and to the reporter, each stream by itself.

    Args:
        report: takes text and the name of its stream.
    """

    def __init__(self, report: Callable[[str, str], None]) -> None:
        self._report = report
        self._open = set(STREAMS)
        self._decoders = {
            name: codecs.getincrementaldecoder("utf-8")("replace") for name in STREAMS
        }

    def take(self, stream: str, data: bytes) -> bool:
        """Take what was read; False where whoever read our own output has gone."""
        text = self._decoders[stream].decode(data)
        if text:
            self._report(text, stream)
        try:
            if stream in self._open:
                write_all(STREAMS[stream], data)
        except BrokenPipeError:
            return False
        except OSError as error:
            self._open.discard(stream)
            tell(f"our own {stream} can't be written ({error.strerror}); it is still reported")
        return True

    def finish(self) -> None:
        """Report what is left of a character that the command didn't finish."""
        for stream, decoder in self._decoders.items():
            if text := decoder.decode(b"", final=True):
                self._report(text, stream)
