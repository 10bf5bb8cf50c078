"""``/metrics``: the numbers in Prometheus' text format, or as OpenMetrics where that is asked."""

from __future__ import annotations

from collections.abc import Iterable

import falcon
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from pipeline_host_metrics.metrics import Metrics


class MetricsResource(Collector):
    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand, so that registering collects nothing."""
        return ()

    def collect(self) -> Iterable[Metric]:
        return self.metrics.collect()

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        encode, content_type = choose_encoder(req.get_header("Accept") or "")
        resp.data = encode(self._registry)
        resp.content_type = content_type
        resp.set_header("Cache-Control", "no-store")
