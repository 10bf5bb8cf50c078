"""One command, run and reported as a process, from its registration to the end's delivery."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any, Final

from pipeline_host.cli.common import tell, visible
from pipeline_host.cli.copying import Copier, terminals
from pipeline_host.cli.job import Job
from pipeline_host.client import Drop, ExtensionClient
from pipeline_host.client.batch import clean
from pipeline_host.client.command import Command, Control
from pipeline_host.client.watch import REMOVED
from pipeline_host.times import now

REGISTRATION: Final = 2.0
"""How long the command waits for the server to know its process, in seconds."""

NOT_FOUND: Final = 127
NOT_EXECUTABLE: Final = 126
_ASKING: Final = (signal.SIGINT, signal.SIGQUIT)
_ENDING: Final = (signal.SIGTERM, signal.SIGHUP)


class Run:
    """One command from its registration to the delivery of its end.

    Raises:
        ValueError: the job's server is no URL.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._control = Control()
        self._command: Command | None = None
        self._signals: list[int] = []
        self._signal_time: str | None = None
        self._lock = threading.Lock()
        self._ended: str | None = None
        self._over = self._delivering = self._closing = self._warned = False
        self._told: set[str] = set()
        workspace = job.workspace_record()
        self._client = ExtensionClient(
            job.server,
            workspace=workspace,
            max_queue=None,
            spool=job.spool,
            on_connection_change=self._connection_changed,
            on_drop=self._dropped,
        )
        self._client.register_workspace()
        self._process_id = self._client.submit(job.process_record(workspace), exclusive=True)

    def execute(self) -> int:
        """Run the command and report it; the exit code to end with."""
        with self._signal_handlers():
            threading.Thread(target=self._watch, name="cancel-watcher", daemon=True).start()
            self._client.wait_attempted(self._process_id, REGISTRATION)
            code, error = self._run()
            self._report_end(code, error)
            self._deliver()
        return code

    def _run(self) -> tuple[int, str | None]:
        """Run the command; its exit code, and what is to be told as the error if it isn't 0."""
        if self._signals:
            return 128 + self._signals[0], None
        copier = Copier(partial(self._client.output, self._process_id))
        try:
            command = self._command = self._start(copier)
        except OSError as error:
            sentence = f"{self._job.command[0]}: {error.strerror}"
            tell(visible(sentence))
            return (NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE), sentence
        command.resize()  # Our terminal may have changed before there was a command to tell.
        code = command.wait()
        copier.finish()
        return (128 - code if code < 0 else code), _error(code)

    def _start(self, copier: Copier) -> Command:
        ours = terminals() if self._job.tty else {}
        environment = self._job.environment(self._process_id, terminal="stdout" in ours)
        return Command(self._job.command, environment, copier.take, self._control, ours)

    def _report_end(self, code: int, error: str | None) -> None:
        with self._lock:
            self._over = True
            cancelled = self._ended == "cancelled"
        outcome = "killed" if self._control.killed else "terminated"
        if cancelled:
            told = {"exitCode": code, "cancellation": {"outcome": outcome}}
            self._client.update(self._process_id, told)
        elif self._signal_time:
            cancellation = {"requestedTime": self._signal_time, "outcome": outcome}
            self._complete("cancelled", exitCode=code, cancellation=cancellation)
        elif error is None:
            self._complete("completed", exitCode=code)
        else:
            self._complete("failed", exitCode=code, error=clean(error))

    def _complete(self, status: str, **fields: Any) -> None:
        self._client.complete(self._process_id, status, **fields)

    def _deliver(self) -> None:
        delivered = False
        try:
            self._delivering = True
            delivered = self._client.flush(self._job.flush_timeout)
            self._delivering = False
        except _Impatient:
            self._delivering = False
        if not delivered:
            size = self._client.pending_output
            output = f"{size} bytes of output and " if size else ""
            name = visible(self._job.preview)
            spool = self._job.spool
            kept = "" if spool is None else f"; that is kept in {visible(str(spool))}"
            tell(f"{self._job.server} was not told of {output}the end of {name}{kept}")
        self._closing = True
        self._client.close(timeout=0)

    def _watch(self) -> None:
        """Have it told that the process has ended on the server, such as by a cancel.

        Not before the server knows the process: somebody else's may have its id.
        """
        if self._client.wait_registered(self._process_id):
            self._client.watch(self._process_id, self._ended_on_server)

    def _ended_on_server(self, status: str, error: str | None) -> None:
        if status == REMOVED:
            return
        with self._lock:
            self._ended = status
            over = self._over
        if status == "cancelled":
            self._cancelled(over)
        elif not over:
            why = f" ({error})" if error else ""
            sentence = f"on the server this process is {status} now{why}"
            tell(visible(f"{sentence}; its output isn't kept there"))

    def _cancelled(self, over: bool) -> None:
        if not over:
            self._control.terminate(self._job.grace)
        elif self._signal_time is None:
            outcome = {"cancellation": {"outcome": "ignored"}}
            self._client.update(self._process_id, outcome)

    def _dropped(self, drop: Drop) -> None:
        """Say why something wasn't reported; each reason once, however much there was."""
        expected = self._closing or self._ended is not None
        if not expected and drop.reason not in self._told:
            self._told.add(drop.reason)
            tell(visible(f"not reported: {drop.reason}"))

    def _connection_changed(self, connected: bool) -> None:
        if not connected and not self._warned:
            self._warned = True
            why = self._client.trouble or f"{self._job.server} can't be reached"
            tell(visible(f"{why}; the command runs all the same, reporting goes on trying"))

    @contextmanager
    def _signal_handlers(self) -> Iterator[None]:
        """Obey signals, but those that whoever started us wanted ignored (``nohup``, ``&``)."""
        handlers = dict.fromkeys((*_ASKING, *_ENDING), self._on_signal)
        handlers |= {signal.SIGTSTP: self._on_stop, signal.SIGWINCH: self._on_resize}
        before = {signum: signal.getsignal(signum) for signum in handlers}
        wanted = [signum for signum in handlers if before[signum] != signal.SIG_IGN]
        for signum in wanted:
            signal.signal(signum, handlers[signum])
        try:
            yield
        finally:
            for signum in wanted:
                signal.signal(signum, before[signum])

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        if self._delivering:
            raise _Impatient
        again = bool(self._signals)
        self._signals.append(signum)
        self._signal_time = self._signal_time or now()
        if signum in _ENDING:
            self._control.terminate(self._job.grace, signum)
        else:
            self._control.send(signal.SIGKILL if again else signum)

    def _on_stop(self, signum: int, frame: FrameType | None) -> None:
        """Ctrl-Z: the command isn't in the terminal's group, so it is stopped along with us."""
        self._control.send_now(signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)
        self._on_resize(signum, frame)  # Only who is in the foreground is told of a new size.
        self._control.send_now(signal.SIGCONT)

    def _on_resize(self, signum: int, frame: FrameType | None) -> None:
        if self._command is not None:
            self._command.resize()


class _Impatient(Exception):
    """The user doesn't want to wait for the delivery."""


def _error(code: int) -> str | None:
    """Why a command failed that ended with this code, or with this signal where it is negative."""
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}" if code else None
