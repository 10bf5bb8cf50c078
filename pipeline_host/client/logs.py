"""Log records as a process's output."""

from __future__ import annotations

import logging
from typing import Final, Protocol

FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"

_OURS: Final = ("pipeline_host.client", "requests", "urllib3")
_OUR_THREADS: Final = "pipeline-host-"


class Writable(Protocol):
    """What a handler writes to, such as a :class:`~pipeline_host.client.RemoteProcess`."""

    def write(self, text: str, stream: str | None = None) -> int: ...


class ProcessHandler(logging.Handler):
    """Writes log records to a process, each as it is made.

    ::

        handler = ProcessHandler(process)
        logging.getLogger().addHandler(handler)

    Records that sending them makes are left out, by whatever logger: those of the client and its
    libraries, and those of its threads, where an ``on_drop`` may log that a record was dropped.

    Args:
        process: what to write to.
        stream: the stream that they are a part of.
        level: the least level that is wanted.
    """

    def __init__(
        self, process: Writable, stream: str = "stderr", level: int | str = logging.NOTSET
    ) -> None:
        super().__init__(level)
        self._process = process
        self._stream = stream
        self.addFilter(_is_not_ours)
        self.setFormatter(logging.Formatter(FORMAT))

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record, in a line or several."""
        try:
            self._process.write(f"{self.format(record)}\n", self._stream)
        except Exception:  # noqa: BLE001 - as in every handler: a log call never fails.
            self.handleError(record)


def _is_not_ours(record: logging.LogRecord) -> bool:
    return not (
        (record.threadName or "").startswith(_OUR_THREADS)
        or any(record.name == name or record.name.startswith(f"{name}.") for name in _OURS)
    )
