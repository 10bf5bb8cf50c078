"""The plugin ``websocket``: all changes, and any process's output, over one WebSocket."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline_host.config import plugin_options
from pipeline_host.hookspecs import Route, RouteSpec, hookimpl
from pipeline_host.host import Host
from pipeline_host_websocket.clock import Options
from pipeline_host_websocket.resource import PATH, WebSocketResource


def routes(host: Host) -> Iterable[Route]:
    options = plugin_options(host.settings, "websocket", Options)
    return [Route(PATH, WebSocketResource(host, options))]


@hookimpl
def pipeline_host_routes() -> Iterable[RouteSpec]:
    return [
        RouteSpec(
            "websocket",
            "Changes and output, live, over a WebSocket",
            routes,
            paths=(PATH,),
            options=Options,
        )
    ]
