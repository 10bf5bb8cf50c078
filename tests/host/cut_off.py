"""In a network of its own: followers that pause, then the network goes; are they given up?

Run by ``unshare --net`` and ``python -m gevent.monkey``. Prints what was given up, and fails where
a client that only paused was.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import time
from typing import Any

import gevent
from gevent import monkey
from gevent.server import StreamServer

from pipeline_host import vanishing
from pipeline_host.delivery import HANDOVER_KEY, Delivery
from pipeline_host.serving import connection as serving
from pipeline_host.serving.handler import HandedOver

vanishing.PATIENCE = 3.0  # type: ignore[misc]  # seconds; the real one makes a test wait
plain_socket = monkey.get_original("socket", "socket")
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
PAUSE = 6.0
LONG = 40.0


def loopback(up: bool) -> None:
    """Set the network's only interface up or down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sh14x", b"lo", 0)
        (flags,) = struct.unpack_from("h", fcntl.ioctl(sock, SIOCGIFFLAGS, request), 16)
        flags = flags | IFF_UP if up else flags & ~IFF_UP
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags))


class Served:
    """Two servers: of a stream that is handed over, and of a download."""

    def __init__(self) -> None:
        self.delivery = Delivery(10)
        self.given_up: list[str] = []
        self.streams = StreamServer(("127.0.0.1", 0), self.stream)
        self.downloads = StreamServer(("127.0.0.1", 0), self.download)
        self.streams.start()
        self.downloads.start()

    def stream(self, sock: Any, address: object) -> None:
        serving.Connection(sock)
        plain = plain_socket(fileno=sock.detach())
        plain.setblocking(False)
        environ = {HANDOVER_KEY: lambda: HandedOver(plain, b"")}
        self.delivery.take(environ, b"x" * 100_000, on_close=lambda: self.given_up.append("stream"))

    def download(self, sock: Any, address: object) -> None:
        try:
            serving.Connection(sock).send(b"x" * 50_000_000)
        except serving.ClientGone:
            self.given_up.append("download")


def paused_client(server: StreamServer) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    sock.connect(server.address)
    return sock


def main() -> None:
    loopback(up=True)
    served = Served()
    clients = [paused_client(served.streams), paused_client(served.downloads)]
    gevent.sleep(PAUSE)
    assert not served.given_up, f"given up though it only paused: {served.given_up}"
    loopback(up=False)
    end = time.monotonic() + LONG
    while len(served.given_up) < len(clients) and time.monotonic() < end:
        gevent.sleep(0.1)
    for name in sorted(served.given_up, reverse=True):
        print(name, "given up")


main()
