"""Writes the spool's files anew, in a thread that nothing waits for."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress

from pipeline_host.client.desk import Desk

log = logging.getLogger("pipeline_host.client")


class Tidier:
    """Has the spool tidied when it is time; a disk, however slow, holds up no request.

    Args:
        desk: where items wait.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._running = False

    @property
    def running(self) -> bool:
        """Whether files are being written anew."""
        return self._running

    def begin(self) -> None:
        """Begin, where there is something to do; the desk's lock has to be held."""
        if self._running or not self._desk.spool.untidy:
            return
        thread = threading.Thread(target=self._run, name="pipeline-host-tidying", daemon=True)
        # At the very end of a program there are no new threads.
        with suppress(RuntimeError):
            thread.start()
            self._running = True

    def _run(self) -> None:
        desk = self._desk
        try:
            desk.spool.tidy(desk.outbox, desk.changed)
        except Exception:
            log.exception("the client made a mistake, and goes on")
        finally:
            with desk.changed:
                self._running = False
                desk.changed.notify_all()
