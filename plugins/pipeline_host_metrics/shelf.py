"""Numbers that all workers of a server put down in files, so that any of them can tell the sum.

The files are those of prometheus-client's multiprocess mode, one of each type for each worker.
They are mapped into memory: a number costs no system call, and outlives a worker that is killed,
so that no counter ever goes backwards.
"""

from __future__ import annotations

import os
import shutil
import threading
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

from prometheus_client import Metric
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector

from pipeline_host_metrics.folding import COUNTER, HISTOGRAM, MAX, SUM, counting, current, fold
from pipeline_host_metrics.lives import name_of

Labels: TypeAlias = tuple[str, ...]

_FRACTIONS: Final = 2.0**24
"""Durations are kept in this part of a second: their sums then are exact, so that none becomes
smaller when it is added up in another order."""
_open: Final[Any] = MmapedDict  # untyped, as merge is
_merge: Final[Any] = MultiProcessCollector.merge


class Shelf:
    """The numbers of one worker, and what all workers' come to.

    Args:
        folder: where they lie; shared by the workers of one server.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fold(folder)
        self._files = {
            kind: _open(str(folder / f"{kind}_{name_of(os.getpid())}.db"))
            for kind in (COUNTER, HISTOGRAM, SUM, MAX)
        }
        self._lock = threading.Lock()
        self._closed = False

    def read(self, kind: str, key: str) -> float:
        """A number of this worker's."""
        with self._lock:
            return 0.0 if self._closed else float(self._files[kind].read_value(key)[0])

    def write(self, kind: str, key: str, value: float) -> None:
        """Put down a number of this worker's."""
        with self._lock:
            if not self._closed:
                self._files[kind].write_value(key, value, 0.0)

    def write_two(self, kind: str, key: str, value: float, other: str, its: float) -> None:
        """Put down two numbers of this worker's."""
        with self._lock:
            if not self._closed:
                write = self._files[kind].write_value
                write(key, value, 0.0)
                write(other, its, 0.0)

    def collect(self) -> Iterable[Metric]:
        """What the numbers of all workers come to; of dead ones the gauges don't count."""
        while True:
            folding = current(self._folder)
            try:
                files = [
                    str(path)
                    for path in counting(self._folder, folding)
                    if path.stat().st_size  # not just being made
                ]
                merged: Iterable[Metric] = _merge(files, accumulate=True)
            except FileNotFoundError:
                continue
            if current(self._folder) == folding:
                return merged

    def close(self) -> None:
        with self._lock:
            if not self._closed:
                self._closed = True
                for file in self._files.values():
                    file.close()


class Number:
    """A counter or a gauge with one label, or none."""

    def __init__(
        self, shelf: Shelf, kind: str, name: str, help_text: str, label: str | None = None
    ) -> None:
        self._shelf = shelf
        self._kind = kind
        self._metric = name
        self._name = f"{name}_total" if kind == COUNTER else name
        self._help = help_text
        self._label = label
        self._known: dict[str, tuple[str, float]] = {}

    def set(self, value: float, label: str = "") -> None:
        key, before = self._known.get(label) or self._find(label)
        if value != before or label not in self._known:
            self._known[label] = (key, value)
            self._shelf.write(self._kind, key, value)

    def count(self, label: str = "") -> None:
        """One more."""
        _, before = self._known.get(label) or self._find(label)
        self.set(before + 1, label)

    def _find(self, label: str) -> tuple[str, float]:
        names, values = ([self._label], [label]) if self._label else ([], [])
        key = mmap_key(self._metric, self._name, names, values, self._help)
        return key, self._shelf.read(self._kind, key)


class _Series:
    """The buckets of one combination of labels."""

    def __init__(self, keys: Sequence[str], sum_key: str, shelf: Shelf) -> None:
        self.keys = keys
        self.sum_key = sum_key
        self.counts = [shelf.read(HISTOGRAM, key) for key in keys]
        self.sum = shelf.read(HISTOGRAM, sum_key)


class Seconds:
    """A histogram of durations.

    Args:
        labels: their names; what is observed must have few values of them.
        bounds: the upper bounds of the buckets, in seconds.
    """

    def __init__(
        self, shelf: Shelf, name: str, help_text: str, labels: Labels, bounds: Sequence[float]
    ) -> None:
        self._shelf = shelf
        self._name = name
        self._help = help_text
        self._labels = labels
        self._bounds = tuple(bounds)
        self._series: dict[Labels, _Series] = {}

    def observe(self, seconds: float, labels: Labels = ()) -> None:
        series = self._series.get(labels)
        if series is None:
            series = self._series[labels] = self._make(labels)
        place = bisect_left(self._bounds, seconds)
        seconds = round(seconds * _FRACTIONS) / _FRACTIONS
        series.counts[place] += 1
        series.sum += seconds
        self._shelf.write_two(
            HISTOGRAM, series.keys[place], series.counts[place], series.sum_key, series.sum
        )

    def _make(self, values: Labels) -> _Series:
        names = list(self._labels)
        keys = [
            mmap_key(self._name, f"{self._name}_bucket", [*names, "le"], [*values, le], self._help)
            for le in (*map(str, self._bounds), "+Inf")
        ]
        sum_key = mmap_key(self._name, f"{self._name}_sum", names, list(values), self._help)
        return _Series(keys, sum_key, self._shelf)


def folder_of_server(parent: Path) -> Path:
    """The folder that the workers of this server share; those of servers that ended are removed.

    It is named after the process that started the workers, and when that began.
    """
    own = parent / name_of(os.getppid())
    for other in parent.glob("*-*"):
        pid = other.name.partition("-")[0]
        if other != own and pid.isdecimal() and other.name != name_of(int(pid)):
            shutil.rmtree(other, ignore_errors=True)
    return own
