"""Hang-ups: a client that went away is noticed at once, and watching leaves nothing behind."""

from __future__ import annotations

import gc
import socket
import struct
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import gevent
import gevent.event
import gevent.socket
import pytest
from gevent.pywsgi import WSGIServer

from pipeline_host.hangup import watch_hangup
from pipeline_host.testing.waiting import wait_until

REQUEST = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
ENVIRON_KEYS = ("gunicorn.socket", "gunicorn.sock", None)


class Served:
    """A gevent server on a thread of its own whose one answer lasts until its client is gone."""

    def __init__(self, key: str | None) -> None:
        self._key = key
        self.hangups: list[float] = []
        self.ended: list[str] = []
        self.sockets: list[weakref.ref[object]] = []
        self.watchers: list[weakref.ref[object]] = []
        self._ready = threading.Event()
        self._stop: Callable[[], object] = lambda: None
        self.port = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def _serve(self) -> None:
        listener = gevent.socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        self.port = listener.getsockname()[1]
        server = WSGIServer(listener, self._application, log=None)
        stop = gevent.event.Event()
        hub = gevent.get_hub()
        self._stop = partial(hub.loop.run_callback_threadsafe, stop.set)
        server.start()
        self._ready.set()
        stop.wait()
        server.stop(timeout=1)
        hub.destroy()

    def _application(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        connection = environ["wsgi.input"].rfile.raw._sock
        self.sockets.append(weakref.ref(connection))
        if self._key is not None:
            environ[self._key] = connection
        gone = gevent.event.Event()

        def on_hangup() -> None:
            self.hangups.append(time.monotonic())
            gone.set()

        end = watch_hangup(environ, on_hangup)
        self.watchers.append(weakref.ref(end.__self__))  # type: ignore[attr-defined]
        start_response("200 OK", [("Content-Type", "text/plain")])
        try:
            yield b"hello"
            self.ended.append("gone" if gone.wait(30) else "in time")
        finally:
            end()
            end()

    def connect(self, request: bytes = REQUEST) -> socket.socket:
        """A client that has got the beginning of the answer."""
        client = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        client.sendall(request)
        received = b""
        while b"hello" not in received:
            received += client.recv(4096)
        return client

    def close(self) -> None:
        self._stop()
        self._thread.join(10)


@pytest.fixture(params=ENVIRON_KEYS, ids=str)
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    served = Served(request.param)
    yield served
    served.close()


@pytest.fixture
def plain() -> Iterator[Served]:
    served = Served(None)
    yield served
    served.close()


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


WAYS: dict[str, Callable[[socket.socket], None]] = {
    "closed": lambda client: client.close(),
    "half-closed": lambda client: client.shutdown(socket.SHUT_WR),
    "reset": reset,
}


@pytest.mark.parametrize("way", WAYS)
def test_it_is_noticed_at_once_that_a_client(served: Served, way: str) -> None:
    client = served.connect()
    began = time.monotonic()
    WAYS[way](client)
    wait_until(lambda: served.ended == ["gone"])
    assert len(served.hangups) == 1
    assert served.hangups[0] - began < 10
    client.close()


def test_each_of_many_clients_is_noticed_by_itself(plain: Served) -> None:
    clients = [plain.connect() for _ in range(20)]
    for count, client in enumerate(clients, 1):
        client.close()
        wait_until(partial(lambda count: len(plain.hangups) == count, count))


def test_a_client_that_sends_more_is_no_longer_watched_and_not_taken_for_gone(
    plain: Served,
) -> None:
    client = plain.connect()
    client.sendall(REQUEST)
    client.close()
    with pytest.raises(AssertionError):
        wait_until(lambda: plain.hangups, timeout=0.2)


def test_nothing_of_it_stays_when_the_answer_has_ended(plain: Served) -> None:
    for _ in range(5):
        plain.connect().close()
    wait_until(lambda: len(plain.ended) == 5)

    def nothing_left() -> bool:
        gc.collect()
        left = [ref() for ref in (*plain.sockets, *plain.watchers)]
        return left == [None] * 10

    wait_until(nothing_left)


def test_elsewhere_nothing_is_watched() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        end = watch_hangup({"gunicorn.socket": ours}, pytest.fail)
        end()
        watch_hangup({}, pytest.fail)()
        watch_hangup({"wsgi.input": object()}, pytest.fail)()


def test_a_connection_that_is_closed_already_is_not_watched() -> None:
    connection = gevent.socket.socket()
    connection.close()
    watch_hangup({"gunicorn.socket": connection}, pytest.fail)()
