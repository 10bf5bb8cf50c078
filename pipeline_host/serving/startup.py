"""What workers tell of their start, to the user and to the process that started them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from http.client import HTTPConnection, HTTPException
from typing import Final

from pipeline_host.errors import StartupError

ENDINGS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
"""Signals that end a worker; they wait while it is made, until it has handlers for them."""


class Startup:
    """Made before the workers are forked, and theirs in common: a token and a box for complaints.

    The worker that takes the token says that the server answers. One that can't start leaves a
    sentence, which the first process makes its own.

    Args:
        url: where the server answers.
        browse: open a browser there, if the server has a page to show.
    """

    def __init__(self, url: str, *, browse: bool) -> None:
        self._url = url
        self._browse = browse
        self._token, token = os.pipe()
        os.write(token, b"1")
        os.close(token)
        self._complaints, self._box = os.pipe()
        os.set_blocking(self._complaints, False)
        self._sentence = ""

    def announce(self) -> None:
        """In a worker that answers: say so, if none has yet."""
        if not os.read(self._token, 1):
            return
        with contextlib.suppress(BrokenPipeError):
            print(f"Listening on {self._url}", flush=True)
        if self._browse and _has_front_page(self._url):
            subprocess.Popen(
                [sys.executable, "-m", "webbrowser", self._url],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    def complain(self, sentence: str) -> None:
        """In a worker that can't start: leave the sentence that says why."""
        os.write(self._box, sentence.replace("\n", " ").encode()[:4000] + b"\n")

    def failed(self) -> bool:
        """In the first process: whether a worker couldn't start."""
        if not self._sentence:
            with contextlib.suppress(BlockingIOError):
                complaints = os.read(self._complaints, 64 * 1024).decode(errors="replace")
                self._sentence = complaints.partition("\n")[0]
        return bool(self._sentence)

    def check(self) -> None:
        """In the first process, at the end.

        Raises:
            StartupError: a worker couldn't start; with its sentence.
        """
        if self.failed():
            raise StartupError(self._sentence)


def _has_front_page(url: str) -> bool:
    connection = HTTPConnection(url.removeprefix("http://"), timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
