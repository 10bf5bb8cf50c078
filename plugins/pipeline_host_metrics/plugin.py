"""What this plugin gives to the host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline_host.errors import PluginError
from pipeline_host.hookspecs import LifespanSpec, Route, RouteSpec, Sink, SinkSpec, hookimpl
from pipeline_host.host import Host

if TYPE_CHECKING:
    from pipeline_host_metrics.metrics import Metrics

PATH = "/metrics"


@hookimpl
def pipeline_host_routes() -> list[RouteSpec]:
    return [RouteSpec("metrics", "Numbers for Prometheus at /metrics", _routes, paths=(PATH,))]


@hookimpl
def pipeline_host_event_sinks() -> list[SinkSpec]:
    return [SinkSpec("metrics", "Counts changes for /metrics", _sink, scope="deployment")]


@hookimpl
def pipeline_host_lifespan() -> list[LifespanSpec]:
    return [LifespanSpec("metrics", "Measures a worker for /metrics", _measuring)]


def _routes(host: Host) -> Iterable[Route]:
    from pipeline_host_metrics.metrics import Metrics
    from pipeline_host_metrics.resource import MetricsResource

    return [Route(PATH, MetricsResource(Metrics(host)))]


def _sink(host: Host) -> Sink:
    from pipeline_host_metrics.metrics import MetricsSink

    return MetricsSink(_of(host))


@contextmanager
def _measuring(host: Host) -> Iterator[None]:
    metrics = _of(host)
    metrics.begin()
    try:
        yield
    finally:
        metrics.close()


def _of(host: Host) -> Metrics:
    """What the route of this host tells, which is made first."""
    from pipeline_host_metrics.resource import MetricsResource

    for route in host.routes:
        if isinstance(route.resource, MetricsResource):
            return route.resource.metrics
    raise PluginError("there is no route that tells the numbers")
