"""The plugin ``events``: changes of processes as Server-Sent Events."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline_host.hookspecs import Route, RouteSpec, hookimpl
from pipeline_host.host import Host
from pipeline_host_events.resource import PATH, EventsResource


def routes(host: Host) -> Iterable[Route]:
    return [Route(PATH, EventsResource(host))]


@hookimpl
def pipeline_host_routes() -> Iterable[RouteSpec]:
    return [RouteSpec("events", "Changes of processes, live", routes, (PATH,))]
