"""The application that the tests of delivery serve: logs that are made up as they are read."""

from __future__ import annotations

import gc
import json
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

import gevent
import greenlet

from pipeline_host.delivery import Connection, Delivery, Reading
from pipeline_host.errors import StoreUnavailable, TooManyStreams
from pipeline_host.host import Draining

PIECE = 256 * 1024
HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"


def frame(log: str, number: int, size: int) -> bytes:
    """The frame of that number: its text tells which it is, so that a reader can check."""
    return f"{log}:{number}:".encode().ljust(size - 1, b"x") + b"\n"


class Log:
    """A source that has ``count`` frames of ``size`` bytes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.count = 0
        self.size = 32
        self.ended = False
        self.failing = False
        self.reads = 0
        self.wakes: set[Callable[[], None]] = set()

    @property
    def key(self) -> str:
        return self.name

    def read(self, cursor: int) -> Reading:
        if self.failing:
            raise StoreUnavailable("this is the log's own")
        self.reads += 1
        end = min(self.count, cursor + max(1, PIECE // self.size))
        data = b"".join(frame(self.name, number, self.size) for number in range(cursor, end))
        return Reading(data, end, self.ended and end == self.count)

    def watch(self, wake: Callable[[], None]) -> Callable[[], None]:
        self.wakes.add(wake)
        return lambda: self.wakes.discard(wake)

    def ring(self) -> None:
        for wake in tuple(self.wakes):
            wake()


class Delivering:
    """Serves each of its methods under its name."""

    def __init__(self) -> None:
        settings = SimpleNamespace(head_timeout=10.0, body_timeout=10.0)
        self.delivery = Delivery(int(os.environ.get("MAX_STREAMS", "20000")))
        self.host = SimpleNamespace(draining=Draining(), settings=settings, delivery=self.delivery)
        self.host.draining.on_begin(self.delivery.drain)
        self.logs: dict[str, Log] = {}
        self.connections: list[Connection] = []
        self.closings: list[str] = []

    def close(self) -> None:
        self.delivery.close()

    def __call__(self, environ: Any, start: Any) -> Iterable[bytes]:
        query = dict(parse_qsl(environ["QUERY_STRING"]))
        log = self.logs.setdefault(query.get("log", ""), Log(query.get("log", "")))
        serve = getattr(self, environ["PATH_INFO"].strip("/"))
        try:
            told = serve(environ, log, query)
        except TooManyStreams as error:
            start("503 Service Unavailable", [("Retry-After", "5")])
            return [str(error).encode()]
        start("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(told).encode()]

    def follow(self, environ: Any, log: Log, query: dict[str, str]) -> None:
        """Follow a log, or several (``also``) on one connection."""
        connection = self.delivery.take(
            environ,
            HEAD,
            on_close=lambda: self.closings.append(log.name),
            farewell=b"farewell\n",
            heartbeat=b"heartbeat\n",
            heartbeat_seconds=float(query.get("heartbeat", 0)),
        )
        assert connection is not None
        closes = "then_close" in query
        last = None if "last" not in query else query["last"].encode
        for name in (log.name, *query.get("also", "").split()):
            source = self.logs.setdefault(name, Log(name))
            connection.follow(source, int(query.get("after", 0)), last=last, then_close=closes)

    def echo(self, environ: Any, log: Log, query: dict[str, str]) -> None:
        """Send back what arrives; ``close`` ends the connection, ``fail`` raises."""

        def receive(data: bytes) -> None:
            if data == b"fail":
                raise RuntimeError("this is the application's own")
            if data == b"close":
                connection.close(b"final")
            else:
                connection.send(data * int(query.get("times", 1)))

        taken = self.delivery.take(
            environ, HEAD, receive=receive, on_close=lambda: self.closings.append("echo")
        )
        assert taken is not None
        connection = taken

    def write(self, environ: Any, log: Log, query: dict[str, str]) -> int:
        log.size = int(query.get("size", log.size))
        for _ in range(int(query.get("times", 1))):
            log.count += int(query.get("count", 1))
            log.ring()
            gevent.sleep(0)
        return log.count

    def end(self, environ: Any, log: Log, query: dict[str, str]) -> None:
        log.ended = True
        log.ring()

    def fail(self, environ: Any, log: Log, query: dict[str, str]) -> None:
        log.failing = True
        log.ring()

    def reads(self, environ: Any, log: Log, query: dict[str, str]) -> int:
        return log.reads

    def closed(self, environ: Any, log: Log, query: dict[str, str]) -> list[str]:
        return self.closings

    def counts(self, environ: Any, log: Log, query: dict[str, str]) -> dict[str, int]:
        gc.collect()
        status = Path("/proc/self/status").read_text("ascii")
        return {
            "connections": len(self.delivery),
            "descriptors": len(list(Path("/proc/self/fd").iterdir())),
            "greenlets": sum(isinstance(one, greenlet.greenlet) for one in gc.get_objects()),
            "watches": sum(len(log.wakes) for log in self.logs.values()),
            "objects": sum(isinstance(one, Connection) for one in gc.get_objects()),
            "threads": threading.active_count(),
            "resident": int(status.partition("RssAnon:")[2].split()[0]) * 1024,
        }


app = Delivering()
