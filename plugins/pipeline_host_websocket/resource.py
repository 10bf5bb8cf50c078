"""``/ws``: the WebSocket of everything live."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import falcon

from pipeline_host.delivery import HANDOVER_KEY
from pipeline_host.errors import InvalidInput
from pipeline_host.host import Host
from pipeline_host_websocket.clock import Options
from pipeline_host_websocket.handshake import VERSION, accept, has_body, has_version, wants_upgrade
from pipeline_host_websocket.openapi import WEBSOCKET
from pipeline_host_websocket.session import FAREWELL, Hub, Session

PATH: Final = "/ws"


class WebSocketResource:
    """A WebSocket (RFC 6455) for each client that asks properly; all else is plain HTTP."""

    openapi: ClassVar[Mapping[str, Any]] = WEBSOCKET

    def __init__(self, host: Host, options: Options) -> None:
        self._host = host
        self._hub = Hub(host, options)

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        head = handshake(req)
        session = Session(self._hub)
        connection = self._host.delivery.take(
            req.env, head, receive=session.receive, on_close=session.closed, farewell=FAREWELL
        )
        if connection is None:
            raise _unable()
        session.open(connection)
        resp.status = falcon.HTTP_101


def handshake(req: falcon.Request) -> bytes:
    """The head of the answer that makes a request a WebSocket.

    Raises:
        falcon.HTTPError: it can't become one, by its own doing or by the server's.
        InvalidInput: it asks wrongly.
    """
    if has_body(req.env):
        raise InvalidInput("WebSocket: expected a request without a body")
    if HANDOVER_KEY not in req.env:
        raise _unable()
    if not wants_upgrade(req.env):
        raise falcon.HTTPError(
            falcon.HTTP_426,
            description=f"Upgrade: expected websocket; {PATH} is a WebSocket",
            headers={"Upgrade": "websocket"},
        )
    if not has_version(req.env):
        raise falcon.HTTPError(
            falcon.HTTP_426,
            description=f"Sec-WebSocket-Version: expected {VERSION}",
            headers={"Upgrade": "websocket", "Sec-WebSocket-Version": VERSION},
        )
    if req.method != "GET":
        raise InvalidInput("WebSocket: expected GET")
    return accept(req.env)


def _unable() -> falcon.HTTPError:
    return falcon.HTTPError(
        falcon.HTTP_501,
        description="This server can't do WebSockets: "
        "use pipeline-host serve, or gunicorn -k pipeline_host.worker.Worker",
    )
