"""What this plugin gives to the host."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from pipeline_host.hookspecs import Route, RouteSpec, hookimpl
from pipeline_host.host import Host
from pipeline_host_rest.cancel import CancelResource
from pipeline_host_rest.health import HealthResource
from pipeline_host_rest.heartbeat import HeartbeatResource
from pipeline_host_rest.openapi import OpenApiResource
from pipeline_host_rest.output import OutputResource
from pipeline_host_rest.process import ProcessResource
from pipeline_host_rest.processes import ProcessesResource
from pipeline_host_rest.stats import StatsResource
from pipeline_host_rest.workspaces import WorkspacesResource

_RESOURCES: Final[Mapping[str, Callable[[Host], object]]] = {
    "/api/health": HealthResource,
    "/api/workspaces": WorkspacesResource,
    "/api/processes": ProcessesResource,
    "/api/processes/{process_id}": ProcessResource,
    "/api/processes/{process_id}/cancel": CancelResource,
    "/api/processes/{process_id}/heartbeat": HeartbeatResource,
    "/api/processes/{process_id}/output": OutputResource,
    "/api/stats": StatsResource,
    "/api/openapi.json": OpenApiResource,
}


def _routes(host: Host) -> Iterable[Route]:
    return [Route(path, resource(host)) for path, resource in _RESOURCES.items()]


@hookimpl
def pipeline_host_routes() -> list[RouteSpec]:
    return [RouteSpec("rest", "The HTTP API below /api", _routes, paths=tuple(_RESOURCES))]
