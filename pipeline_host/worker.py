"""The gunicorn worker that serves pipeline_host: one event loop, a greenlet for each connection.

``gunicorn -k pipeline_host.worker.Worker 'pipeline_host.wsgi:app'``, or ``pipeline-host serve``.
"""

from __future__ import annotations

import contextlib
import resource
import signal
import sys
import time
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final

import gevent
from gevent.event import Event
from gevent.pool import Pool
from geventwebsocket.gunicorn.workers import GeventWebSocketWorker
from gunicorn.arbiter import Arbiter
from gunicorn.http.wsgi import base_environ
from gunicorn.sock import ssl_context
from gunicorn.workers.ggevent import VERSION, PyWSGIServer

from pipeline_host.errors import StartupError
from pipeline_host.serving.handler import Handler
from pipeline_host.serving.listener import check_listeners
from pipeline_host.serving.startup import ENDINGS

_NOTIFY: Final = 1.0
_ENDING: Final = 0.5


@dataclass(frozen=True)
class Waits:
    """How long a connection waits for its client, in seconds.

    Attributes:
        head: for the head of a request, from its first byte on.
        body: for more of a request's body, unless the application says otherwise.
        keepalive: for the next request; 0 ends the connection after each.
    """

    head: float
    body: float
    keepalive: float


class Server(PyWSGIServer):  # type: ignore[misc]  # gunicorn is untyped
    """Accepts connections on one listening socket, at most ``worker_connections`` at a time."""

    def __init__(self, listener: Any, worker: Worker) -> None:
        self.worker = worker
        self.idle: set[Handler] = set()
        cfg = worker.cfg
        name = listener.getsockname()
        environ = base_environ(cfg) | {
            "wsgi.multithread": True,
            "wsgi.multiprocess": cfg.workers > 1,
            "SERVER_SOFTWARE": VERSION,
            "SERVER_NAME": str(name[0]) if isinstance(name, tuple) else "localhost",
            "SERVER_PORT": str(name[1]) if isinstance(name, tuple) else "",
        }
        super().__init__(
            listener,
            application=worker.wsgi,
            spawn=Pool(worker.worker_connections),
            log=worker.log,
            handler_class=Handler,
            environ=environ,
            **({"ssl_context": ssl_context(cfg)} if cfg.is_ssl else {}),
        )

    def wrap_socket_and_handle(self, client_socket: Any, address: Any) -> None:
        """With TLS: a client that fails to agree on it is no error of ours."""
        with contextlib.suppress(OSError):
            super().wrap_socket_and_handle(client_socket, address)

    def end_idle(self) -> None:
        """End the connections that wait for a request; one that has arrived is still served."""
        for handler in tuple(self.idle):
            handler.connection.end_reading()


class Worker(GeventWebSocketWorker):  # type: ignore[misc]  # it is untyped
    """Serves until it is told to stop, then lets what is under way come to its end.

    Works with any WSGI application. One that has a ``host`` (see
    :class:`pipeline_host.host.Host`) is told when to drain, sets the time limits that gunicorn
    has no setting for, is served on loopback only, and is closed at the end.
    """

    server_class = Server
    wsgi_handler = Handler
    waits: Waits
    logs_access: bool

    def init_signals(self) -> None:
        self._stop = Event()
        self._at_once = False
        nohup = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        super().init_signals()
        if nohup:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDINGS)

    def load_wsgi(self) -> None:
        """Load the application; one that can't start so ends gunicorn, with the sentence why."""
        try:
            super().load_wsgi()
            self.host = getattr(self.wsgi, "host", None)
            if self.host is not None:
                check_listeners(self.sockets)
        except StartupError as error:
            self.log.error("%s", error)
            sys.exit(Arbiter.WORKER_BOOT_ERROR)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM: stop in good order."""
        self.alive = False
        gevent.get_hub().loop.run_callback_threadsafe(self._stop.set)

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """SIGQUIT and SIGINT: stop at once."""
        self._at_once = True
        self.cfg.worker_int(self)
        self.handle_exit(sig, frame)

    def count_request(self) -> None:
        """Count one request towards gunicorn's ``max_requests``."""
        self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.log.info("Autorestarting worker after current request.")
            self.alive = False
            self._stop.set()

    def run(self) -> None:
        _allow_many_files()
        settings = getattr(self.host, "settings", None)
        self.waits = Waits(
            head=getattr(settings, "head_timeout", 10.0),
            body=getattr(settings, "body_timeout", 10.0),
            keepalive=self.cfg.keepalive,
        )
        cfg = self.cfg
        self.logs_access = any(
            (cfg.accesslog, cfg.syslog, cfg.logconfig, cfg.logconfig_dict, cfg.logconfig_json)
        )
        try:
            self._serve()
        finally:
            if self.host is not None:
                self.wsgi.close()

    def _serve(self) -> None:
        servers = []
        for sock in self.sockets:
            sock.setblocking(1)
            servers.append(Server(sock, self))
        for server in servers:
            server.start()
        while self.alive:
            self.notify()
            self._stop.wait(_NOTIFY)
        self._drain(servers)

    def _drain(self, servers: list[Server]) -> None:
        """Take no more connections and wait for what is under way, as long as gunicorn would."""
        end = time.monotonic() + self._patience()
        for server in servers:
            server.close()
        self._tell_draining()
        for server in servers:
            server.end_idle()
        while not self._at_once and (left := end - time.monotonic()) > 0:
            self.notify()
            if _all_done(servers, min(left, _NOTIFY)) and self._all_delivered(min(left, _NOTIFY)):
                break
        for server in servers:
            server.pool.kill(timeout=_ENDING / 2)

    def _patience(self) -> float:
        """How long to wait, so that all is done before gunicorn kills the worker."""
        return float(max(self.cfg.graceful_timeout - _ENDING, self.cfg.graceful_timeout / 2))

    def _all_delivered(self, seconds: float) -> bool:
        """Wait for the end of the connections that were handed over, at most so long."""
        delivery = getattr(self.host, "delivery", None)
        return delivery is None or bool(delivery.wait_empty(seconds))

    def _tell_draining(self) -> None:
        if self.host is None:
            return
        try:
            self.host.draining.begin()
        except Exception:
            self.log.exception("Error in what should end with the worker")


def _allow_many_files() -> None:
    """Each connection is a file; the usual soft limit of 1024 is for programs that use select."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _all_done(servers: list[Server], seconds: float) -> bool:
    """Wait until no connection is left, at most so long; whether that is so."""
    end = time.monotonic() + seconds
    return all(server.pool.join(max(0.0, end - time.monotonic())) for server in servers)
