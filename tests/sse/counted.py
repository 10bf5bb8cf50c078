"""The application with one more path, ``/counts``: what its streams hold right now.

For ``gunicorn counted:app``; run as a program it is served by the standard library's server, a
thread for each request.
"""

from __future__ import annotations

import gc
import json
import os
import socketserver
import sys
from collections.abc import Iterable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from pipeline_host.app import create_app
from pipeline_host.config import load_settings
from pipeline_host_sse.resource import StreamResource
from pipeline_host_sse.stream import EventStream


class Counted:
    def __init__(self) -> None:
        self._app = create_app(load_settings())
        self.host = self._app.host
        assert not len(self.host.delivery)
        self.close = self._app.close
        self._others = len(self.host.draining._callbacks)
        (self._resource,) = (
            route.resource
            for route in self.host.routes
            if isinstance(route.resource, StreamResource)
        )

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/counts":
            return self._app(environ, start_response)
        gc.collect()
        counts = {
            "pid": os.getpid(),
            "channels": len(self._resource._channels),
            "watches": self.host.store.feed.watching,
            "draining": len(self.host.draining._callbacks) - self._others,
            "streams": sum(isinstance(thing, EventStream) for thing in gc.get_objects())
            + len(self.host.delivery),
        }
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(counts).encode()]


class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the test reads only the port."""


app = Counted()

if __name__ == "__main__":
    server = make_server("127.0.0.1", 0, app, server_class=Server, handler_class=Quiet)
    print(f"Listening at: http://127.0.0.1:{server.server_port}", file=sys.stderr, flush=True)
    server.serve_forever()
