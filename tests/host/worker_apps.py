"""The applications that the tests of the worker serve."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

from pipeline_host.host import Draining

JSON = [("Content-Type", "application/json")]


def whole_body(environ: Any, start: Any) -> Iterable[bytes]:
    start("200 OK", [])
    return [environ["wsgi.input"].read()]


def body_by_lines(environ: Any, start: Any) -> Iterable[bytes]:
    start("200 OK", [])
    return ["|".join(line.decode() for line in environ["wsgi.input"]).encode()]


def body_as_it_arrives(environ: Any, start: Any) -> Iterator[bytes]:
    """Each piece of the body, told as soon as it is there."""
    body = environ["pipeline_host.input"]
    body.deadline(None)
    start("200 OK", [])
    yield b"go;"
    while piece := body.read1(1000):
        yield b"[%b]" % piece


def body_with_deadline(environ: Any, start: Any) -> Iterable[bytes]:
    body = environ["pipeline_host.input"]
    body.deadline(0.3)
    try:
        read = body.read()
    except TimeoutError as error:
        start("408 Request Timeout", [])
        return [str(error).encode()]
    start("200 OK", [])
    return [read]


def unread_body(environ: Any, start: Any) -> Iterable[bytes]:
    start("413 Content Too Large", JSON)
    return [b'{"error":"too large"}']


def environment(environ: Any, start: Any) -> Iterable[bytes]:
    names = parse_qs(environ["QUERY_STRING"])["name"]
    start("200 OK", [])
    return ["\n".join(str(environ.get(name)) for name in names).encode("latin-1")]


def sockets(environ: Any, start: Any) -> Iterable[bytes]:
    start("200 OK", [])
    nodelay = environ["gunicorn.sock"].getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    return [str(bool(nodelay)).encode()]


def endless(environ: Any, start: Any) -> Iterator[bytes]:
    start("200 OK", [])
    while True:
        yield b"x" * 65536


def failing(environ: Any, start: Any) -> Iterable[bytes]:
    raise RuntimeError("this is the application's own")


def failing_in_the_middle(environ: Any, start: Any) -> Iterator[bytes]:
    start("200 OK", [])
    yield b"beginning"
    raise RuntimeError("this is the application's own")


def too_short(environ: Any, start: Any) -> Iterable[bytes]:
    start("200 OK", [("Content-Length", "10")])
    return [b"short"]


def too_long(environ: Any, start: Any) -> Iterable[bytes]:
    start("200 OK", [("Content-Length", "5")])
    return [b"short and more"]


def split_header(environ: Any, start: Any) -> Iterable[bytes]:
    start("200 OK", [("X-Name", "a\r\nSet-Cookie: b")])
    return []


def nothing(environ: Any, start: Any) -> Iterable[bytes]:
    start("204 No Content", [])
    return []


def parts(environ: Any, start: Any) -> Iterator[bytes]:
    start("200 OK", [])
    yield from (b"one", b"", b"two")


def by_write(environ: Any, start: Any) -> Iterable[bytes]:
    write = start("200 OK", [])
    write(b"one")
    write(b"two")
    return []


def slow(environ: Any, start: Any) -> Iterable[bytes]:
    time.sleep(0.5)
    start("200 OK", [])
    return [b"done"]


def never(environ: Any, start: Any) -> Iterable[bytes]:
    threading.Event().wait()
    return []


def pid(environ: Any, start: Any) -> Iterable[bytes]:
    start("200 OK", [])
    return [str(os.getpid()).encode()]


def app(environ: Any, start: Any) -> Iterable[bytes]:
    """Serves each function of this module under its name."""
    serve = globals()[environ["PATH_INFO"].strip("/").partition("/")[0] or "pid"]
    result: Iterable[bytes] = serve(environ, start)
    return result


class Hosted:
    """An application with a host, which says when it is to drain and when it was closed."""

    def __init__(self, timeout: float) -> None:
        settings = SimpleNamespace(head_timeout=timeout, body_timeout=timeout)
        self.host = SimpleNamespace(draining=Draining(), settings=settings)

    def __call__(self, environ: Any, start: Any) -> Iterable[bytes]:
        match environ["PATH_INFO"]:
            case "/stream":
                return self.stream(start)
            case "/last":
                return self.last(start)
        return app(environ, start)

    def last(self, start: Any) -> Iterable[bytes]:
        """Answers once the worker is to stop."""
        ended = threading.Event()
        self.host.draining.on_begin(ended.set)
        ended.wait()
        start("200 OK", [])
        return [b"done"]

    def stream(self, start: Any) -> Iterator[bytes]:
        ended = threading.Event()
        self.host.draining.on_begin(ended.set)
        start("200 OK", [])
        yield b"begin\n"
        ended.wait()
        yield b"end\n"

    def close(self) -> None:
        print("the application was closed", flush=True)


hosted = Hosted(30.0)
hasty = Hosted(0.4)
