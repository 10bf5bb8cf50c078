"""The plugin ``sse``: a process's output as Server-Sent Events."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline_host.hookspecs import Route, RouteSpec, hookimpl
from pipeline_host.host import Host
from pipeline_host_sse.resource import PATH, StreamResource


def routes(host: Host) -> Iterable[Route]:
    return [Route(PATH, StreamResource(host))]


@hookimpl
def pipeline_host_routes() -> Iterable[RouteSpec]:
    return [RouteSpec("sse", "A process's output, live, as Server-Sent Events", routes, (PATH,))]
