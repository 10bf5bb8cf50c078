"""``pipeline-host serve``: gunicorn embedded, silent unless there is something to say.

The first process loads nothing of the application: each worker does, after the fork and after
gevent has patched it, so that workers share nothing but the listening socket.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
import socket
import sys
from collections.abc import Iterator
from logging.handlers import MemoryHandler
from typing import TYPE_CHECKING, Any, Final

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger

from pipeline_host.config import Settings
from pipeline_host.errors import PipelineHostError
from pipeline_host.serving.listener import open_listener, url_of
from pipeline_host.serving.startup import ENDINGS, Startup

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_CONNECTIONS: Final = 10_000
"""How many one worker serves at a time; a stream is one."""
_ENDING: Final = 0.5
"""Seconds between a worker's own deadline and the moment when gunicorn kills it."""
_HELD: Final = 1000
_LOG_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s [%(process)d] %(message)s"
_ACCESS_FORMAT: Final = '%(t)s %(h)s "%(r)s" %(s)s %(B)s %(M)sms'


def serve(settings: Settings) -> int:
    """Serve until a signal ends it; returns the exit code.

    Prints ``Listening on http://127.0.0.1:PORT``, and nothing else, once a worker answers.

    Raises:
        StartupError: it can't start so; the sentence says why and what to do.
    """
    listener = open_listener(settings.host, settings.port)
    startup = Startup(url_of(listener), browse=settings.open and sys.stdout.isatty())
    _set_up_logging(settings.log_level)
    code = _Gunicorn(settings, listener, startup).run_to_end()
    startup.check()
    return code


def _set_up_logging(level: str) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(_LOG_FORMAT))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level.upper())


@contextlib.contextmanager
def _without_warnings_on_refusal() -> Iterator[None]:
    """Hold the log back, and drop it where one sentence says all: a :class:`PipelineHostError`.

    Whoever asks for more than warnings gets everything.
    """
    root = logging.getLogger()
    if root.level < logging.WARNING:
        yield
        return
    held = MemoryHandler(_HELD, flushLevel=logging.CRITICAL + 1)
    handlers, root.handlers = root.handlers, [held]
    try:
        yield
    except PipelineHostError:
        held.buffer.clear()
        raise
    finally:
        root.handlers = handlers
        for record in held.buffer:
            root.handle(record)
        held.close()


class _Log(Logger):  # type: ignore[misc]  # gunicorn is untyped
    """gunicorn's logs, with requests on stderr as well: stdout is for one line."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in self.access_log.handlers:
            handler.setStream(sys.stderr)


class _Arbiter(Arbiter):  # type: ignore[misc]  # gunicorn is untyped
    """Has no worker miss the signal to end between its fork and its own handlers.

    Until then it has the first process's, which would only note the signal; a worker lets it in as
    soon as it has its own.
    """

    def spawn_worker(self) -> int:
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
        try:
            return int(super().spawn_worker())
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDINGS)


class _Gunicorn(BaseApplication):  # type: ignore[misc]  # gunicorn is untyped
    def __init__(self, settings: Settings, listener: socket.socket, startup: Startup) -> None:
        self._settings = settings
        self._listener = listener.detach()
        self._startup = startup
        self._nohup = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        super().__init__()

    def load_config(self) -> None:
        settings = self._settings
        options = {
            "bind": f"fd://{self._listener}",
            "workers": settings.workers,
            "worker_class": "pipeline_host.worker.Worker",
            "worker_connections": _CONNECTIONS,
            "keepalive": math.ceil(settings.keepalive),
            "graceful_timeout": math.ceil(settings.graceful_timeout + _ENDING),
            "logger_class": _Log,
            "loglevel": "warning",
            "accesslog": "-" if settings.access_log else None,
            "access_log_format": _ACCESS_FORMAT,
            "control_socket_disable": True,
            "when_ready": self._is_ready,
            "post_worker_init": self._worker_is_ready,
            "child_exit": self._worker_has_ended,
        }
        for name in options.keys() & self.cfg.settings.keys():  # older ones have no control socket
            self.cfg.set(name, options[name])

    def load(self) -> WSGIApplication:
        """In a worker: assemble the application, or end with a sentence instead of a traceback."""
        from pipeline_host.app import create_app

        try:
            with _without_warnings_on_refusal():
                return create_app(self._settings)
        except PipelineHostError as error:
            self._startup.complain(str(error))
            sys.exit(0)

    def run_to_end(self) -> int:
        """Run as the first process; returns its exit code."""
        first = os.getpid()
        try:
            _Arbiter(self).run()
        except SystemExit as end:
            if os.getpid() != first:
                raise
            return end.code if isinstance(end.code, int) else 1
        return 0

    def _is_ready(self, arbiter: Any) -> None:
        """End when the terminal is closed, where gunicorn would read its settings again; but not
        under ``nohup``."""
        if self._nohup:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        arbiter.handle_hup = arbiter.handle_term

    def _worker_is_ready(self, worker: Any) -> None:
        import gevent

        gevent.spawn(self._startup.announce)

    def _worker_has_ended(self, arbiter: Any, worker: Any) -> None:
        """Stop everything when a worker can't start; gunicorn would try for ever."""
        stopping = not arbiter.LISTENERS
        if self._startup.failed() and not stopping:
            raise StopIteration
