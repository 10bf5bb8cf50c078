"""Telling sinks of changes: each on a thread of its own, as a reader of the change log.

So a sink that is slow, or never returns, costs nobody anything: it just stands still at its place.
"""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from pipeline_host.election import ElectedPlace, OwnPlace, Place
from pipeline_host.errors import PipelineHostError, PluginError
from pipeline_host.hookspecs import RetryLater, Scope, Sink, SinkSpec
from pipeline_host.live import LiveStore
from pipeline_host.models import ChangeBatch
from pipeline_host.records import is_name
from pipeline_host.reports import sentence_of
from pipeline_host.store import LeaderStore

ELECTION_EVERY: Final = 0.5
"""How often a worker that doesn't lead tries to, in seconds."""
FIRST_BACKOFF: Final = 0.25
LONGEST_BACKOFF: Final = 30.0
STORE_BACKOFF: Final = 1.0
JOIN: Final = 0.3
"""How long sinks get to end with the worker, all together, in seconds."""
_NEWEST: Final = 2**63 - 1
"""A change number above all: reading from there tells the newest, and nothing else."""
log: Final = logging.getLogger(__name__)


class Teller:
    """Tells one sink of one change after the other.

    Args:
        name: what the log calls the sink.
        place: where it stands; whoever can't claim it waits for its turn.
        insists: a change that the sink raised at comes again, instead of the next.
        note: told the first failure, in a sentence.

    Attributes:
        told: how many changes the sink has taken in this worker.
        failures: how often it has raised in this worker.
        leading: whether this worker is the one that tells it.
    """

    def __init__(
        self,
        name: str,
        sink: Sink,
        store: LiveStore,
        place: Place,
        *,
        insists: bool,
        note: Callable[[str], None],
    ) -> None:
        self.name = name
        self.told = 0
        self.failures = 0
        self.leading = False
        self._sink = sink
        self._store = store
        self._place = place
        self._insists = insists
        self._note = note
        self._noted = False
        self._failing = 0
        self._trouble = ""
        self._stop = threading.Event()
        self._bell = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"sink {name}", daemon=True)
        # At once, so that the first place is kept before any worker answers a request.
        with contextlib.suppress(PipelineHostError):  # the thread tries again, and tells
            self.leading = place.claim()

    @property
    def seq(self) -> int:
        """The number of the last change that the sink is done with, as far as is known here."""
        return self._place.seq

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end, after the change that the sink is just being told of."""
        self._stop.set()
        self._bell.set()

    def join(self, seconds: float) -> None:
        """Wait until it has ended, at most so long."""
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.leading = self._place.claim()
                if self.leading:
                    self._follow()
                else:
                    self._stop.wait(ELECTION_EVERY)
            except PipelineHostError as error:
                self._tell_trouble(error)
                self._stop.wait(STORE_BACKOFF)
        self._end()

    def _follow(self) -> None:
        """Read the change log and tell the sink, while this worker is the one to do so."""
        unsubscribe = self._store.feed.watch_changes(self._bell.set)
        try:
            while self._may_go_on():
                batch = self._store.changes(self._place.seq)
                self._trouble = ""
                if self._tell_batch(batch):
                    self._bell.wait(self._place.keep())
                    self._bell.clear()
        finally:
            unsubscribe()

    def _may_go_on(self) -> bool:
        return not self._stop.is_set() and self._place.claim()

    def _tell_batch(self, batch: ChangeBatch) -> bool:
        """Tell all of it; whether there was nothing, so that it is time to wait."""
        if batch.resync:
            self._tell(getattr(self._sink, "on_resync", _nothing), batch.last)
            return False
        for change in batch.changes:
            if not self._tell(partial(self._sink.on_change, change), change.seq):
                return False
            self.told += 1
        return not batch.changes

    def _tell(self, tell: Callable[[], object], seq: int) -> bool:
        """Have the sink take one thing; false where this worker isn't to go on."""
        attempt = 0
        while self._may_go_on():
            with _Caught() as caught:
                tell()
            if caught.error is None:
                self._recover()
            else:
                self._count(caught.error)
                if self._insists:
                    self._place.keep(at_once=True)
                    self._stop.wait(_pause(caught.error, attempt))
                    attempt += 1
                    continue
            self._place.move(seq)
            return True
        return False

    def _count(self, error: BaseException) -> None:
        self.failures += 1
        self._failing += 1
        if self._failing > 1:
            return
        sentence = f"sink {self.name}: {sentence_of(error)}"
        log.warning("%s; more failures are only counted until it works again", sentence)
        log.debug("sink %s", self.name, exc_info=error)
        if not self._noted:
            self._noted = True
            self._note(sentence)

    def _recover(self) -> None:
        if self._failing:
            log.warning("sink %s works again, after %d failures", self.name, self._failing)
            self._failing = 0

    def _tell_trouble(self, error: PipelineHostError) -> None:
        """Log what keeps the change log from being read; once, until it can be."""
        if str(error) != self._trouble and not self._stop.is_set():
            self._trouble = str(error)
            log.warning("sink %s waits for the store: %s", self.name, error)

    def _end(self) -> None:
        try:
            self._place.leave()
        except PipelineHostError as error:
            log.warning("sink %s: its place isn't saved: %s", self.name, error)
        self.leading = False
        with _Caught() as caught:
            getattr(self._sink, "close", _nothing)()
        if caught.error is not None:
            self._count(caught.error)


class _Caught:
    """Ends what a sink raises, and keeps it."""

    error: BaseException | None = None

    def __enter__(self) -> _Caught:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, (Exception, SystemExit)):
            self.error = error
            return True
        return False


class Sinks:
    """All tellers of one worker.

    Args:
        workers: how many workers the deployment has.
    """

    def __init__(self, store: LiveStore, workers: int) -> None:
        self._store = store
        self._workers = workers
        self._newest = store.changes(_NEWEST, 1).last
        self.tellers: list[Teller] = []

    def add(
        self, spec: SinkSpec, made: Sink | Mapping[str, Sink], note: Callable[[str], None]
    ) -> None:
        """Begin to tell what the spec's factory has made.

        Args:
            note: told the first failure of each sink, in a sentence.

        Raises:
            PluginError: it can't be told as its spec says.
            StoreUnavailable: the store can't be read now.
        """
        for name, sink in _named(spec.name, made).items():
            teller = Teller(
                name,
                sink,
                self._store,
                self._place(name, spec.scope),
                insists=spec.scope == "deployment",
                note=note,
            )
            self.tellers.append(teller)
            teller.start()

    def close(self) -> None:
        """End them all; one whose sink doesn't return is left behind."""
        end = time.monotonic() + JOIN
        for teller in self.tellers:
            teller.stop()
        for teller in self.tellers:
            teller.join(max(0.0, end - time.monotonic()))

    def _place(self, name: str, scope: Scope) -> Place:
        store = self._store.inner
        if scope == "worker":
            return OwnPlace(self._newest)
        if isinstance(store, LeaderStore):
            return ElectedPlace(store, name, self._newest)
        if self._workers > 1:
            raise PluginError(
                "it is to run once for all workers, but the store can't choose one of them"
            )
        return OwnPlace(self._newest)


def _named(name: str, made: Sink | Mapping[str, Sink]) -> Mapping[str, Sink]:
    if isinstance(made, Mapping):
        sinks = {f"{name}.{key}": sink for key, sink in made.items()}
    else:
        sinks = {name: made}
    for one, sink in sinks.items():
        if not is_name(one):
            raise PluginError(f"expected small letters, digits, '-', '_' and '.', got {one!r}")
        if not callable(getattr(sink, "on_change", None)):
            raise PluginError(f"expected an object with on_change, got {sink!r}")
    return sinks


def _pause(error: BaseException, attempt: int) -> float:
    """How long to wait before a change comes again, in seconds."""
    if isinstance(error, RetryLater):
        return error.seconds
    return min(FIRST_BACKOFF * 2.0 ** min(attempt, 30), LONGEST_BACKOFF) * random.uniform(0.5, 1.0)


def _nothing() -> None:
    """What a sink does that doesn't care."""
