"""Noticing at once that a client went away, while the server has nothing to write to it."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

from pipeline_host.store import Unsubscribe

_READ: Final = 1
"""The event of a libev watcher: there is something to read."""
_PEEK: Final = socket.MSG_PEEK | socket.MSG_DONTWAIT


def watch_hangup(environ: Mapping[str, Any], on_hangup: Callable[[], None]) -> Unsubscribe:
    """Call ``on_hangup`` once, as soon as the client has closed, half-closed or reset.

    Works where a request's connection is a gevent socket; elsewhere nothing is watched, and the
    next write to the client tells. A client that half-closes is taken for gone, though it might
    still read: TCP doesn't tell the two apart. Where the client sends more (a further request,
    before this one's answer has ended), no more is watched, as its end would come after that.

    Args:
        environ: of a WSGI request whose body, if any, was read.
        on_hangup: called in gevent's hub, so it must neither wait nor raise.

    Returns:
        Ends the watch. To be called before the connection is closed.
    """
    connection = _connection(environ)
    if connection is None:
        return _nothing
    return _Watch(connection, on_hangup).close


def _connection(environ: Mapping[str, Any]) -> Any:
    """The gevent socket that a request came by, if its server tells and it is a plain one."""
    gevent_socket = sys.modules.get("gevent.socket")
    if gevent_socket is None:
        return None
    connection = environ.get("gunicorn.socket") or environ.get("gunicorn.sock")
    if connection is None:
        # gevent.pywsgi tells it nowhere else
        stream = getattr(environ.get("wsgi.input"), "rfile", None)
        connection = getattr(getattr(stream, "raw", None), "_sock", None)
    if not isinstance(connection, gevent_socket.socket) or connection.fileno() < 0:
        return None
    encrypted = getattr(connection, "_sslobj", None) is not None
    return None if encrypted else connection


class _Watch:
    def __init__(self, connection: Any, on_hangup: Callable[[], None]) -> None:
        from gevent import get_hub

        self._peek = connection._sock.recv
        self._on_hangup = on_hangup
        self._watcher: Any = get_hub().loop.io(connection.fileno(), _READ)
        self._watcher.start(self._look)

    def _look(self) -> None:
        try:
            arrived = self._peek(1, _PEEK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            arrived = b""
        on_hangup = self._on_hangup
        self.close()
        if not arrived:
            on_hangup()

    def close(self) -> None:
        """End the watch, and let go of the connection; a second time nothing happens."""
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.stop()
            watcher.close()
            self._peek = self._on_hangup = _nothing


def _nothing(*_: object) -> None:
    """The end of a watch that there is none of."""
