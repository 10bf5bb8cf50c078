"""One command, run and reported as a process, from its registration to the end's delivery."""

from __future__ import annotations

import codecs
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Final

import click

from pipeline_host.cli.common import visible, write_all
from pipeline_host.cli.job import Job
from pipeline_host.client import ApiClient, ClientError, Reporter
from pipeline_host.client.command import Command, Control
from pipeline_host.client.watch import REMOVED, Watch
from pipeline_host.times import now

REGISTRATION: Final = 2.0
"""How long the command waits for the server to know its process, in seconds."""

NOT_FOUND: Final = 127
NOT_EXECUTABLE: Final = 126
_STREAMS: Final = {"stdout": 1, "stderr": 2}
_ASKING: Final = (signal.SIGINT, signal.SIGQUIT)
_ENDING: Final = (signal.SIGTERM, signal.SIGHUP)


class Copier:
    """Passes the command's output on, to our own and to the reporter, each stream by itself."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._open = set(_STREAMS)
        self._decoders = {
            name: codecs.getincrementaldecoder("utf-8")("replace") for name in _STREAMS
        }

    def take(self, stream: str, data: bytes) -> bool:
        """Take what was read; False where whoever read our own output has gone."""
        text = self._decoders[stream].decode(data)
        if text:
            self._reporter.output(text, stream)
        try:
            if stream in self._open:
                write_all(_STREAMS[stream], data)
        except BrokenPipeError:
            return False
        except OSError as error:
            self._open.discard(stream)
            _tell(f"our own {stream} can't be written ({error.strerror}); it is still reported")
        return True

    def finish(self) -> None:
        """Report what is left of a character that the command didn't finish."""
        for stream, decoder in self._decoders.items():
            if text := decoder.decode(b"", final=True):
                self._reporter.output(text, stream)


class Run:
    """One command from its registration to the delivery of its end."""

    def __init__(self, job: Job, api: ApiClient) -> None:
        self._job = job
        self._api = api
        self._control = Control()
        self._signals: list[int] = []
        self._signal_time: str | None = None
        self._lock = threading.Lock()
        self._ended: str | None = None
        self._over = self._delivering = self._warned = False
        workspace = job.workspace_record()
        self._watching = Watch(api, workspace["id"])
        self._reporter = Reporter(
            api,
            job.process_record(workspace),
            workspace=workspace,
            on_terminal=self._ended_on_server,
            on_problem=self._problem,
        )

    def execute(self) -> int:
        """Run the command and report it; the exit code to end with."""
        with self._signal_handlers():
            threading.Thread(target=self._watch, name="cancel-watcher", daemon=True).start()
            self._reporter.wait_attempted(REGISTRATION)
            code, error = self._run()
            self._reporter.patch(self._ending(code, error))
            self._deliver()
        return code

    def _run(self) -> tuple[int, str | None]:
        """Run the command; its exit code, and what is to be told as the error if it isn't 0."""
        if self._signals:
            return 128 + self._signals[0], None
        copier = Copier(self._reporter)
        environment = self._job.environment(self._reporter.process_id)
        try:
            command = Command(self._job.command, environment, copier.take, self._control)
        except OSError as error:
            sentence = f"{self._job.command[0]}: {error.strerror}"
            _tell(visible(sentence))
            return (NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE), sentence
        code = command.wait()
        copier.finish()
        return (128 - code if code < 0 else code), _error(code)

    def _ending(self, code: int, error: str | None) -> dict[str, Any]:
        """The changes that tell how the command ended."""
        with self._lock:
            self._over = True
            cancelled = self._ended == "cancelled"
        told: dict[str, Any] = {"exitCode": code}
        outcome = "killed" if self._control.killed else "terminated"
        if cancelled:
            return told | {"cancellation": {"outcome": outcome}}
        if self._signal_time:
            cancellation = {"requestedTime": self._signal_time, "outcome": outcome}
            return told | {"status": "cancelled", "cancellation": cancellation}
        if error is None:
            return told | {"status": "completed"}
        return told | {"status": "failed", "error": error}

    def _deliver(self) -> None:
        delivered = False
        try:
            self._delivering = True
            delivered = self._reporter.close(self._job.flush_timeout)
            self._delivering = False
        except _Impatient:
            self._delivering = False
        if not delivered and not self._reporter.drained:
            size = self._reporter.pending_bytes
            output = f"{size} bytes of output and " if size else ""
            name = visible(self._job.preview)
            _tell(f"{self._job.server} was not told of {output}the end of {name}")

    def _watch(self) -> None:
        """Have it told that the process has ended on the server, such as by a cancel.

        Not before the server knows the process: somebody else's may have its id.
        """
        self._reporter.wait_registered()
        self._watching.add(self._reporter.process_id, self._ended_by_others)

    def _ended_by_others(self, status: str, error: str | None) -> None:
        if status != REMOVED:
            self._ended_on_server(status, error)

    def _ended_on_server(self, status: str, error: str | None = None) -> None:
        with self._lock:
            first = self._ended is None
            self._ended = self._ended or status
            over = self._over
        if not first:
            return
        if status != "cancelled":
            if not over:
                why = f" ({error})" if error else ""
                sentence = f"on the server this process is {status} now{why}"
                _tell(visible(f"{sentence}; its output isn't kept there"))
        elif not over:
            self._control.terminate(self._job.grace)
        elif self._signal_time is None:
            self._reporter.patch({"cancellation": {"outcome": "ignored"}})

    def _problem(self, error: ClientError) -> None:
        if not error.retryable:
            _tell(visible(f"not reported: {error}"))
        elif not self._warned:
            self._warned = True
            _tell(visible(f"{error}; the command runs all the same, reporting goes on trying"))

    @contextmanager
    def _signal_handlers(self) -> Iterator[None]:
        """Obey signals, but those that whoever started us wanted ignored (``nohup``, ``&``)."""
        handlers = dict.fromkeys((*_ASKING, *_ENDING), self._on_signal)
        handlers[signal.SIGTSTP] = self._on_stop
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
        self._control.send_now(signal.SIGCONT)


class _Impatient(Exception):
    """The user doesn't want to wait for the delivery."""


def _error(code: int) -> str | None:
    """Why a command failed that ended with this code, or with this signal where it is negative."""
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}" if code else None


def _tell(sentence: str) -> None:
    # Whether anybody reads our stderr must make no difference to the command.
    with suppress(OSError):
        click.echo(f"pipeline-host: {sentence}", err=True)
