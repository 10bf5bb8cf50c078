"""Learning that processes have ended on the server."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

import pytest

from pipeline_host.client import ApiClient, Interrupt, changes
from pipeline_host.client.watch import MOST, Watch, Watches
from pipeline_host.testing import LiveServer
from pipeline_host.testing.waiting import wait_until

from .scripted import ScriptedServer

Make = Callable[..., dict[str, str]]
End = tuple[str, str, str | None]


class Watched:
    """Watches processes, and keeps what it is told of them."""

    def __init__(self, api: ApiClient, workspace: str | None = None) -> None:
        self.watch = Watch(api, workspace)
        self._ends: queue.SimpleQueue[End] = queue.SimpleQueue()

    def add(self, *names: str) -> None:
        for name in names:
            self.watch.add(name, partial(self._take, name))

    def _take(self, name: str, status: str, error: str | None) -> None:
        self._ends.put((name, status, error))

    def next(self) -> End:
        return self._ends.get(timeout=20)

    @property
    def empty(self) -> bool:
        return self._ends.empty()


@pytest.fixture
def watched() -> Iterator[Callable[..., Watched]]:
    with ExitStack() as ending:

        def make(api: ApiClient, workspace: str | None = None) -> Watched:
            made = Watched(api, workspace)
            ending.callback(made.watch.stop)
            return made

        yield make


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(tmp_path_factory.mktemp("watch") / "data") as server:
        yield server


@pytest.fixture
def live(shared: LiveServer) -> Iterator[ApiClient]:
    with ApiClient(shared.url) as api:
        yield api


def test_every_kind_of_end_is_told_once(
    live: ApiClient, watched: Callable[..., Watched], process: Make
) -> None:
    watching = watched(live)
    names = ["done", "broken", "stopped", "gone", "cleared"]
    watching.add(*names)
    for name in names:
        live.create(process(id=name, workspaceId=f"only-{name}"))
    live.patch("done", {"status": "completed"})
    assert watching.next() == ("done", "completed", None)
    live.patch("broken", {"status": "failed", "error": "no model"})
    assert watching.next() == ("broken", "failed", "no model")
    live.cancel("stopped")
    live.patch("stopped", {"cancellation": {"outcome": "killed"}})
    assert watching.next() == ("stopped", "cancelled", None)
    live.delete("gone")
    assert watching.next() == ("gone", "removed", None)
    live.patch("cleared", {"result": "it goes on"})
    watching.watch.discard("cleared")
    live.patch("cleared", {"status": "completed"})
    watching.add("last")
    live.create(process(id="last"))
    live.clear(["running"])
    assert watching.next() == ("last", "removed", None)
    assert watching.empty


def test_what_happened_before_it_began_is_told(
    live: ApiClient, watched: Callable[..., Watched], process: Make
) -> None:
    live.create(process(id="early", workspaceId="w"))
    live.cancel("early")
    watching = watched(live, "w")
    watching.add("early")
    assert watching.next() == ("early", "cancelled", None)


def test_one_that_was_there_before_is_asked_for(
    live: ApiClient, watched: Callable[..., Watched], process: Make
) -> None:
    watching = watched(live)
    watching.add("first")
    live.create(process(id="first", status="completed"))
    assert watching.next()[0] == "first"
    live.create(process(id="second", status="completed"))
    live.create(process(id="third"))
    watching.add("second", "third")
    assert watching.next() == ("second", "completed", None)
    live.cancel("third")
    assert watching.next() == ("third", "cancelled", None)


def test_a_restart_hides_nothing(
    live_server: Callable[..., LiveServer], watched: Callable[..., Watched], process: Make
) -> None:
    server = live_server()
    with ApiClient(server.url) as api:
        watching = watched(api)
        watching.add("a", "b")
        for name in ("a", "b"):
            api.create(process(id=name))
        api.cancel("a")
        assert watching.next()[0] == "a"
        server.kill()
        server.start()
        api.cancel("b")
        watching.watch.hurry()
        assert watching.next() == ("b", "cancelled", None)


def test_a_server_without_a_stream_of_changes_is_asked(
    server: ScriptedServer, api: ApiClient, watched: Callable[..., Watched], process: Make
) -> None:
    watching = watched(api)
    watching.add("a")
    wait_until(lambda: server.requests("/a"))
    api.create(process(id="a"))
    server.set_status("a", "cancelled")
    watching.watch.hurry()
    assert watching.next() == ("a", "cancelled", None)
    assert len(server.requests("/events")) == 1


def test_a_server_in_trouble_is_asked_again(
    server: ScriptedServer, api: ApiClient, watched: Callable[..., Watched], process: Make
) -> None:
    api.create(process(id="a"))
    server.set_status("a", "cancelled")
    server.fault("answer", status=503, headers={"Retry-After": "0.01"}, only="/a")
    watching = watched(api)
    watching.add("a")
    assert watching.next() == ("a", "cancelled", None)


def test_a_server_that_refuses_is_asked_again_after_a_pause(
    server: ScriptedServer,
    api: ApiClient,
    watched: Callable[..., Watched],
    process: Make,
    caplog: pytest.LogCaptureFixture,
) -> None:
    api.create(process(id="a"))
    server.set_status("a", "cancelled")
    server.fault("answer", status=403, times=2, only="/events")
    watching = watched(api)
    watching.add("a")
    assert watching.next() == ("a", "cancelled", None)
    assert caplog.text.count("cancels aren't noticed: as told") == 1
    assert len(server.requests("/events")) == 3


def test_nonsense_from_the_server_does_not_end_the_watching(
    server: ScriptedServer, api: ApiClient, watched: Callable[..., Watched], process: Make
) -> None:
    api.create(process(id="a"))
    server.set_status("a", "cancelled")
    server.fault("answer", status=200, body=b'{"process": {}}', only="/a")
    server.fault("answer", status=200, body=b"data: {\n\n", only="/events")
    watching = watched(api)
    watching.add("a")
    assert watching.next() == ("a", "cancelled", None)


def test_the_owners_mistake_does_not_end_the_watching(
    live: ApiClient,
    watched: Callable[..., Watched],
    process: Make,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(status: str, error: str | None) -> None:
        raise RuntimeError("the owner's mistake")

    watching = watched(live)
    watching.watch.add("mistaken", fail)
    watching.add("told")
    for name in ("mistaken", "told"):
        live.create(process(id=name))
        live.cancel(name)
    assert watching.next() == ("told", "cancelled", None)
    assert "the owner's mistake" in caplog.text


def test_however_many_are_watched_it_takes_two_threads(
    api: ApiClient, watched: Callable[..., Watched], server: ScriptedServer
) -> None:
    server.fault("answer", times=1000, status=503, only="/api/processes/")
    watching = watched(api)
    before = set(threading.enumerate())
    watching.add("first")
    wait_until(lambda: server.requests("/first"))
    watching.add(*(f"p{number}" for number in range(100)))
    new = set(threading.enumerate()) - before
    assert len([each for each in new if each.name == "pipeline-host-watch"]) == 2


def test_nothing_is_asked_while_it_is_held_and_nothing_missed(
    live: ApiClient, watched: Callable[..., Watched], process: Make
) -> None:
    watching = watched(live)
    live.create(process(id="held-0", status="completed"))
    watching.watch.hold(True)
    watching.add("held-0", "held-1")
    assert watching.watch._thread is None
    watching.watch.hold(False)
    assert watching.next() == ("held-0", "completed", None)
    watching.watch.hold(True)
    watching.add("held-2")
    for name in ("held-1", "held-2"):
        live.create(process(id=name))
        live.cancel(name)
    assert watching.watch._thread is None
    assert watching.empty
    watching.watch.hold(False)
    assert {watching.next()[0], watching.next()[0]} == {"held-1", "held-2"}


class Unhurried(Interrupt):
    """Ends after some pauses, and takes none of them."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.pauses: list[float] = []
        self._times = times

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if len(self.pauses) == self._times:
            self.stop()


def test_a_server_that_was_away_for_long_is_found_within_a_second() -> None:
    interrupt = Unhurried(10)
    with ApiClient("http://127.0.0.1:1") as api:
        assert list(changes(api, interrupt=interrupt, longest=1)) == []
    assert max(interrupt.pauses) <= 1


def test_it_does_not_grow_for_ever(api: ApiClient) -> None:
    watch = Watch(api)
    watch.stop()
    for number in range(MOST + 3):
        watch.add(str(number), lambda status, error: None)
    assert len(watch._waiting) == MOST


def test_there_is_one_for_each_workspace_and_none_after_the_end(
    server: ScriptedServer, api: ApiClient
) -> None:
    watches = Watches(api)
    assert watches.of("a") is watches.of("a")
    assert watches.of("a") is not watches.of(None)
    watches.hurry()
    watches.stop()
    for workspace in ("a", "new"):
        watch = watches.of(workspace)
        watch.add("p", lambda status, error: None)
        assert watch._thread is None
    assert server.seen == []
