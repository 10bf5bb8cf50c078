"""What the host hands to the plugins it assembles."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from pipeline_host.config import Settings
from pipeline_host.delivery import Delivery
from pipeline_host.hookspecs import Route
from pipeline_host.live import LiveStore
from pipeline_host.observing import Observer
from pipeline_host.reports import PluginReport
from pipeline_host.store import Unsubscribe

if TYPE_CHECKING:
    from pipeline_host.sinks import Teller


class Draining:
    """Says when a worker is to stop, so that open streams end at once and clients move on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callbacks: dict[object, Callable[[], None]] = {}
        self._begun = False

    @property
    def begun(self) -> bool:
        return self._begun

    def begin(self) -> None:
        """Call every callback, once; a second time nothing happens."""
        with self._lock:
            self._begun = True
            callbacks, self._callbacks = self._callbacks, {}
        for callback in callbacks.values():
            callback()

    def on_begin(self, callback: Callable[[], None]) -> Unsubscribe:
        """Call ``callback`` when draining begins; at once if it has."""
        key = object()
        with self._lock:
            if not self._begun:
                self._callbacks[key] = callback
                return lambda: self._callbacks.pop(key, None) and None
        callback()
        return lambda: None


@dataclass(frozen=True)
class Host:
    """One assembled service in one worker; every factory of a record gets it.

    Attributes:
        settings: how the server was configured.
        store: the selected store, live: whoever subscribes to it hears of every worker's changes.
        plugins: what was loaded and what could not be; what fails later is added.
        started: when this worker started, on the monotonic clock, in seconds.
        routes: what the plugins mounted; complete once the application is assembled.
        draining: begins when the worker is to stop.
        sinks: what tells the sinks of changes, and how far each has come.
        observers: told of each request; whoever wants to be is added while plugins are assembled.
    """

    settings: Settings
    store: LiveStore
    plugins: Sequence[PluginReport]
    routes: list[Route] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    draining: Draining = field(default_factory=Draining)
    sinks: Sequence[Teller] = ()
    observers: list[Observer] = field(default_factory=list)

    @cached_property
    def delivery(self) -> Delivery:
        """Takes connections over, and writes to them what they follow."""
        delivery = Delivery(self.settings.max_streams)
        self.draining.on_begin(delivery.drain)
        return delivery
