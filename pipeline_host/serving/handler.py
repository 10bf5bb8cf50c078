"""One connection's requests, read and answered one after another."""

from __future__ import annotations

import contextlib
import socket
import time
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote

import gevent
import gevent.monkey
from geventwebsocket.handler import WebSocketHandler
from gunicorn.workers.ggevent import GeventResponse, PyWSGIHandler

from pipeline_host.delivery import HANDOVER_KEY
from pipeline_host.http import Head, Refused, parse_head, take_head
from pipeline_host.serving.body import Body
from pipeline_host.serving.connection import ClientGone, Connection
from pipeline_host.serving.framing import Chunked, InvalidBody, Sized, StalledBody
from pipeline_host.serving.response import Response

if TYPE_CHECKING:
    import gevent.socket

    from pipeline_host.worker import Server

_LINGER: Final = 5.0
_plain_socket: Final[type[socket.socket]] = gevent.monkey.get_original("socket", "socket")


class HandedOver(NamedTuple):
    """A connection that the server gave away.

    Attributes:
        socket: the system's own, non-blocking.
        received: what has arrived after the request.
    """

    socket: socket.socket
    received: bytes


class Handler(WebSocketHandler, PyWSGIHandler):  # type: ignore[misc]  # both are untyped
    """Serves the requests of one connection.

    What it does not take from its bases is theirs in name only: heads are read strictly and in
    one piece, bodies have deadlines, small answers go out in one send. An ``Upgrade`` is never
    done unasked: such a request is served as any other.
    """

    server: Server

    def __init__(self, sock: gevent.socket.socket, address: Any, server: Server) -> None:
        self.connection = Connection(sock)
        super().__init__(sock, address, server, rfile=self.connection)
        self.worker = server.worker
        self.application = server.application
        self._waits = server.worker.waits
        self._fresh = True
        self._handed_over = False
        self._environ: dict[str, Any] = {}
        self._base = server.get_environ() | {
            "SCRIPT_NAME": "",
            "REMOTE_ADDR": str(address[0]) if isinstance(address, tuple) else "",
            "REMOTE_PORT": str(address[1]) if isinstance(address, tuple) else "",
            "gunicorn.sock": sock,
            "wsgi.input_terminated": True,
        }

    def handle(self) -> None:
        try:
            with contextlib.suppress(ClientGone):
                while self._handle_next():
                    pass
                self._settle()
        finally:
            self.socket.close()
            self._environ.clear()  # it refers to this handler

    def _handle_next(self) -> bool:
        """Serve one request; whether another may follow on the connection."""
        try:
            head = self._read_head()
        except Refused as refused:
            self._refuse(refused)
            return False
        if head is None:
            return False
        self._fresh = False
        response = self._respond(head)
        if not response.closing and self._body.drop():
            return True
        if not self._body.finished or self.connection.buffer:
            self.connection.linger(_LINGER)
        return False

    def _settle(self) -> None:
        """Let a client that pauses have the rest of what it was answered."""
        if self._fresh or self._handed_over:
            return
        self.server.idle.add(self)
        try:
            self.connection.settle(lambda: bool(self.worker.alive))
        finally:
            self.server.idle.discard(self)

    def _read_head(self) -> Head | None:
        """The head of the next request; ``None`` if the client closed, or none comes any more."""
        buffer = self.connection.buffer
        if buffer:
            gevent.sleep(0)  # a client that sends many requests at once isn't alone
        elif not self._wait_for_request():
            return None
        head = take_head(buffer)
        if head is None:
            end = time.monotonic() + self._waits.head
            while head is None:
                if not self._receive_until(end):
                    return None
                head = take_head(buffer)
        return parse_head(head)

    def _receive_until(self, end: float) -> bool:
        try:
            return self.connection.receive(max(0.0, end - time.monotonic()))
        except TimeoutError:
            raise Refused(
                HTTPStatus.REQUEST_TIMEOUT, "request head: it didn't arrive in time"
            ) from None

    def _wait_for_request(self) -> bool:
        """Wait until a request begins; false if none comes any more."""
        seconds = self._waits.head if self._fresh else self._waits.keepalive
        self.server.idle.add(self)
        try:
            return self.connection.receive(seconds if self.worker.alive else 0.0)
        except TimeoutError:
            return False
        finally:
            self.server.idle.discard(self)

    def _respond(self, head: Head) -> Response:
        """Have the application answer one request; its errors end here."""
        started = time.time()
        self._environ = self._environment(head)
        response = Response(self.connection, head, self._may_stay)
        self.worker.count_request()
        try:
            self._run(response)
        except ClientGone:
            response.closing = True
        except (InvalidBody, StalledBody) as error:
            response.fail(error.status, str(error))
        except Exception:
            self.worker.log.exception("Error handling request %s", head.target)
            response.fail(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal server error")
        finally:
            if self.worker.logs_access:
                self._log_access(response, started)
        return response

    def _run(self, response: Response) -> None:
        result = self.application(self._environ, response.start)
        try:
            if self._handed_over:
                response.begun = response.closing = True
            else:
                response.send(result)
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()

    def _hand_over(self) -> HandedOver:
        """Give the connection away: this handler ends, and sends nothing more.

        The descriptor stays the same, so that the event loop isn't left with one that is closed.
        """
        self._handed_over = True
        received = bytes(self.connection.buffer)
        self.connection.buffer.clear()
        handed_over = _plain_socket(fileno=self.socket.detach())
        handed_over.setblocking(False)
        return HandedOver(handed_over, received)

    def _may_stay(self) -> bool:
        """Not if the worker is about to end, or a body is on its way that nobody has read."""
        return bool(self._waits.keepalive and self.worker.alive and self._body.has_arrived())

    def _environment(self, head: Head) -> dict[str, Any]:
        """The WSGI environment (PEP 3333) of one request."""
        path, _, query = head.target.partition("?")
        framing = Chunked() if head.chunked else Sized(head.length) if head.length else None
        body = self._body = Body(
            self.connection, framing, self._waits.body, expects_continue=head.expects_continue
        )
        # A body that hasn't been read would be taken for what the client says afterwards.
        offered = framing is None and not self.worker.cfg.is_ssl
        return {
            **self._base,
            **({HANDOVER_KEY: self._hand_over} if offered else {}),
            **head.fields,
            "REQUEST_METHOD": head.method,
            "RAW_URI": head.target,
            "PATH_INFO": unquote(path, "latin-1") if "%" in path else path,
            "QUERY_STRING": query,
            "SERVER_PROTOCOL": head.version,
            "wsgi.input": body,
            "pipeline_host.input": body,
        }

    def _refuse(self, refused: Refused) -> None:
        """Answer a request that can't be read."""
        started = time.time()
        nothing = Head("-", "-", http_1_0=False, fields={})
        self._environ = self._environment(nothing)
        response = Response(self.connection, nothing, self._may_stay)
        response.fail(refused.status, str(refused))
        if self.worker.logs_access:
            self._log_access(response, started)
        self.connection.linger(_LINGER)

    def _log_access(self, response: Response, started: float) -> None:
        """Write to gunicorn's access log, in the format that its settings give."""
        answer = GeventResponse(response.status or "-", response.headers, response.length)
        fields = [
            (variable.removeprefix("HTTP_").replace("_", "-"), value)
            for variable, value in self._environ.items()
            if variable.startswith(("HTTP_", "CONTENT_"))
        ]
        duration = timedelta(seconds=time.time() - started)
        self.worker.log.access(answer, fields, self._environ, duration)
