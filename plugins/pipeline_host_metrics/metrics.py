"""What is measured in one worker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from http import HTTPStatus
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from pipeline_host.errors import StoreUnavailable
from pipeline_host.host import Host
from pipeline_host.models import STATUSES, Change, ProcessFilter
from pipeline_host.observing import time_calls
from pipeline_host_metrics.folding import COUNTER, MAX, SUM
from pipeline_host_metrics.shelf import Number, Seconds, Shelf, folder_of_server

FOLDER: Final = "metrics"
EVERY: Final = 1.0
"""How often a worker puts down what changes by itself, in seconds."""
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_TEXTS: Final = {status.value: str(status.value) for status in HTTPStatus}
_REQUESTS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
_CALLS: Final = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.005, 0.025, 0.1, 1.0)
_LAG: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 60.0)
_OPERATIONS: Final = (
    *("add", "get", "list", "update", "remove", "clear", "stats", "workspaces"),
    *("register_workspace", "append_output", "read_output", "changes"),
)


class Metrics:
    """Measures one worker from :meth:`begin` to :meth:`close`, and tells of all workers."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)
        self._undo: list[Callable[[], None]] = []
        self._begun = threading.Event()

    def begin(self) -> None:
        self._shelf = shelf = Shelf(folder_of_server(self._host.settings.data_dir / FOLDER))
        name = "pipeline_host_{}".format
        self._requests = Seconds(
            shelf,
            name("request_seconds"),
            "Time to the head of the answer, by route",
            ("method", "route", "status"),
            _REQUESTS,
        )
        self._calls = Seconds(
            shelf, name("store_seconds"), "Time in the store", ("operation",), _CALLS
        )
        self._events = Number(shelf, COUNTER, name("events"), "Changes told to sinks", "type")
        self._lag = Seconds(
            shelf, name("event_lag_seconds"), "Time from a change to its sinks", (), _LAG
        )
        self._streams = Number(shelf, SUM, name("streams"), "Connections that follow something")
        self._delay = Number(
            shelf, MAX, name("dispatcher_lag_seconds"), "How far the slowest dispatcher is behind"
        )
        self._failures = Number(
            shelf, COUNTER, name("sink_failures"), "How often a sink has raised", "sink"
        )
        self._workers = Number(shelf, SUM, name("workers"), "Workers that run")
        self._workers.set(1)
        self._undo = [time_calls(self._host.store, _OPERATIONS, self._observe_call)]
        self._host.observers.append(self._observe_request)
        self._thread.start()
        self._begun.set()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(EVERY)
        for undo in self._undo:
            undo()
        self._shelf.close()

    def take(self, change: Change) -> None:
        """Count a change; called in one of the workers, maybe before it has begun."""
        self._begun.wait()
        self._events.count(change.kind)
        self._lag.observe(max(time.time() - change.timestamp / 1000, 0.0))

    def collect(self) -> Iterable[Metric]:
        """All there is to tell, by whichever worker is asked.

        Raises:
            StoreUnavailable: nothing is measured, as it couldn't be begun.
        """
        if not self._begun.is_set():
            raise StoreUnavailable("Nothing is measured; the log says why")
        self._look()
        processes = GaugeMetricFamily(
            "pipeline_host_processes", "Processes that are stored", labels=["status"]
        )
        for status in STATUSES:
            found = self._host.store.list(ProcessFilter(statuses=(status,), limit=0))
            processes.add_metric([status], found.total)
        return [processes, *self._shelf.collect()]

    def _observe_request(self, method: str, route: str | None, status: int, seconds: float) -> None:
        if method not in METHODS:
            method = "other"
        self._requests.observe(
            seconds, (method, route or "none", _TEXTS.get(status) or str(status))
        )

    def _observe_call(self, operation: str, seconds: float) -> None:
        self._calls.observe(seconds, (operation,))

    def _look(self) -> None:
        self._streams.set(len(self._host.delivery))
        self._delay.set(self._host.delivery.lag)
        for teller in self._host.sinks:
            self._failures.set(teller.failures, teller.name)

    def _run(self) -> None:
        while not self._stop.wait(EVERY):
            self._look()


class MetricsSink:
    """Counts changes once for all workers."""

    def __init__(self, metrics: Metrics) -> None:
        self.on_change = partial(Metrics.take, metrics)
