"""A plugin for tests: ``/echo`` sends back every message, on the protocol of ``/ws``."""

from __future__ import annotations

from collections.abc import Iterable

import falcon

from pipeline_host.delivery import Connection
from pipeline_host.hookspecs import Route, RouteSpec, hookimpl
from pipeline_host.host import Host
from pipeline_host_websocket.frames import BINARY, TEXT, encode_frame
from pipeline_host_websocket.protocol import End, Message, Protocol
from pipeline_host_websocket.resource import handshake


class Echo:
    def __init__(self, limit: int) -> None:
        self.protocol = Protocol(limit)
        self.connection: Connection | None = None

    def receive(self, data: bytes) -> None:
        assert self.connection is not None
        for event in self.protocol.receive(data):
            if isinstance(event, End):
                self.connection.close(event.frame)
            elif isinstance(event, Message):
                opcode = TEXT if event.text else BINARY
                self.connection.send(encode_frame(opcode, event.data))
            elif hasattr(event, "frame"):
                self.connection.send(event.frame)


class EchoResource:
    def __init__(self, host: Host) -> None:
        self._host = host

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        head = handshake(req)
        echo = Echo(req.get_param_as_int("limit", default=65536))
        echo.connection = self._host.delivery.take(req.env, head, receive=echo.receive)


@hookimpl
def pipeline_host_routes() -> Iterable[RouteSpec]:
    return [RouteSpec("echo", "Echo, for tests", lambda host: [Route("/echo", EchoResource(host))])]
