"""Sinks: each change in order, in each worker or once for all; none harms anybody else."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import pytest
import requests

from pipeline_host.app import Application, create_app
from pipeline_host.errors import InvalidSettings, PluginError, StoreUnavailable
from pipeline_host.hookspecs import SinkSpec
from pipeline_host.live import LiveStore
from pipeline_host.models import Change, ChangeBatch, Process
from pipeline_host.settings import Settings
from pipeline_host.sinks import Sinks, Teller
from pipeline_host.store import CHANGE_LIMIT, ProcessStore
from pipeline_host.testing.pytest_plugin import StartServer
from pipeline_host.testing.server import LiveServer
from pipeline_host.testing.waiting import wait_until
from pipeline_host.times import now
from pipeline_host.wire import new_id
from pipeline_host_filestore.store import FileProcessStore

from .installing import Install

HEAD = """
import json, os, threading, time
import msgspec
from pipeline_host.config import plugin_options
from pipeline_host.hookspecs import *
from pipeline_host.hookspecs import hookimpl
seqs, events, held = [], [], threading.Event()

class Base:
    def __init__(self, host):
        self.host = host
        events.append("made")
    def on_change(self, change):
        self.take(change)
        seqs.append(change.seq)
    def take(self, change):
        pass
"""
WRITER = """
class Sink(Base):
    def __init__(self, host):
        super().__init__(host)
        (host.settings.data_dir / f"{name}.{{os.getpid()}}").touch()

    def take(self, change):
        line = json.dumps([change.seq, os.getpid(), time.time()]) + "\\n"
        with open(self.host.settings.data_dir / "{name}.jsonl", "a") as file:
            file.write(line)
"""
FAILS_TWICE = """
class Sink(Base):
    left = 2
    def take(self, change):
        events.append(change.seq)
        if change.kind == "process-added" and self.left:
            self.left -= 1
            raise {error}
"""
BLOCKS = """
class Sink(Base):
    def take(self, change):
        events.append("blocks")
        held.wait()
"""
FAILS = """
class Sink(Base):
    def take(self, change):
        1 / 0
"""

POSTS = 120
WITHOUT = [f"--block={name}" for name in ("dashboard", "metrics", "webhook", "websocket")]
"""What has no part in this, and would only make a start slower."""

Start = Callable[..., Application]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Assembles applications with data in the test's folder; all are closed with it."""
    with ExitStack() as closing:

        def assemble(**settings: Any) -> Application:
            app = create_app(Settings(data_dir=tmp_path / "data", **settings))
            closing.callback(app.close)
            return app

        yield assemble


def provide(install: Install, name: str, code: str, spec: str = "") -> None:
    hook = f"""
@hookimpl
def pipeline_host_event_sinks():
    return [SinkSpec("{name}", "Hears all", Sink{spec})]
"""
    install(f"{name}-dist", {f"sink_{name}": HEAD + code + hook})


DEPLOYMENT = ", scope='deployment'"


def module(name: str) -> Any:
    return sys.modules[f"sink_{name}"]


def teller(app: Application, name: str) -> Teller:
    return next(one for one in app.host.sinks if one.name == name)


def add(app: Application) -> int:
    """Add a process; returns the number of the change."""
    process = Process(
        id=new_id(),
        type="test",
        prompt_preview="x",
        full_prompt="x",
        status="running",
        start_time=now(),
    )
    app.host.store.add(process)
    return app.host.store.changes(0).last


def told(name: str) -> list[int]:
    found: list[int] = module(name).seqs
    return found


@pytest.mark.parametrize("spec", ["", DEPLOYMENT])
def test_every_change_is_told_in_order_from_the_first_start_on(
    spec: str, start: Start, install: Install
) -> None:
    app = start()
    add(app)
    app.close()
    provide(install, "audit", "class Sink(Base): pass", spec)
    app = start()
    expected = [add(app) for _ in range(50)]
    wait_until(lambda: len(told("audit")) == 50)
    assert told("audit") == expected
    wait_until(lambda: teller(app, "audit").told == 50)
    assert teller(app, "audit").seq == expected[-1]


def test_a_workers_sink_begins_anew_and_a_deployments_goes_on(
    start: Start, install: Install
) -> None:
    provide(install, "own", "class Sink(Base): pass")
    provide(install, "all", "class Sink(Base): pass", DEPLOYMENT)
    app = start()
    first = add(app)
    wait_until(lambda: told("own") == told("all") == [first])
    app.close()
    app = start(block=("own", "all", "sink_own", "sink_all"))
    between = [add(app), add(app)]
    app.close()
    app = start()
    last = add(app)
    wait_until(lambda: told("all") == [first, *between, last])
    wait_until(lambda: told("own") == [first, last])


def test_a_change_that_a_deployments_sink_raised_at_comes_again(
    start: Start, install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    provide(install, "audit", FAILS_TWICE.format(error="ValueError('not now')"), DEPLOYMENT)
    app = start()
    changes = [add(app), add(app)]
    wait_until(lambda: told("audit") == changes)
    assert module("audit").events == ["made", changes[0], *changes[:1] * 2, changes[1]]
    texts = [record.message for record in caplog.records if "sink audit" in record.message]
    assert texts == [
        "sink audit: ValueError: not now; more failures are only counted until it works again",
        "sink audit works again, after 2 failures",
    ]
    assert teller(app, "audit").failures == 2
    report = next(one for one in app.host.plugins if one.name == "sink_audit")
    assert report.error == "sink audit: ValueError: not now"


def test_a_sink_may_say_when_it_comes_again(
    start: Start, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline_host.sinks.FIRST_BACKOFF", 600)
    provide(install, "audit", FAILS_TWICE.format(error="RetryLater('busy', 0.0)"), DEPLOYMENT)
    app = start()
    change = add(app)
    wait_until(lambda: told("audit") == [change])


def test_a_change_that_a_workers_sink_raised_at_is_left_out(start: Start, install: Install) -> None:
    provide(install, "audit", FAILS_TWICE.format(error="SystemExit"))
    app = start()
    changes = [add(app) for _ in range(4)]
    wait_until(lambda: told("audit") == changes[2:])
    assert module("audit").events == ["made", *changes]


@pytest.mark.parametrize("spec", ["", DEPLOYMENT])
@pytest.mark.parametrize("code", [BLOCKS, FAILS])
def test_a_sink_that_blocks_or_fails_for_ever_harms_nobody(
    spec: str, code: str, start: Start, install: Install
) -> None:
    provide(install, "bad", code, spec)
    provide(install, "good", "class Sink(Base): pass")
    provide(install, "once", "class Sink(Base): pass", DEPLOYMENT)
    app = start()
    heard: list[int] = []
    app.host.store.on_process_change(lambda change: heard.append(change.seq))
    changes = [add(app) for _ in range(20)]
    wait_until(lambda: told("good") == told("once") == heard == changes)
    began = time.monotonic()
    app.close()
    assert time.monotonic() - began < 10
    module("bad").held.set()


def test_a_sink_that_only_stops_is_told_the_same_change_after_the_next_start(
    start: Start, install: Install
) -> None:
    provide(install, "audit", FAILS, DEPLOYMENT)
    app = start()
    changes = [add(app), add(app)]
    wait_until(lambda: teller(app, "audit").failures > 0)
    app.close()
    module("audit").Sink.take = lambda self, change: None
    start()
    wait_until(lambda: told("audit") == changes)


@pytest.mark.parametrize("spec", ["", DEPLOYMENT])
def test_a_sink_whose_place_is_forgotten_is_told_so(
    spec: str, start: Start, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "class Sink(Base):\n    def on_resync(self):\n        events.append('resync')\n"
    provide(install, "audit", code, spec)
    app = start()
    changes = app.host.store.inner.changes

    def forgetful(after: int, limit: int = CHANGE_LIMIT) -> ChangeBatch:
        batch = changes(after, limit)
        return ChangeBatch(changes=(), last=batch.last, resync=True) if after == 0 else batch

    monkeypatch.setattr(app.host.store.inner, "changes", forgetful)
    add(app)
    wait_until(lambda: module("audit").events == ["made", "resync"])
    second = add(app)
    wait_until(lambda: told("audit") == [second])


def test_a_store_that_cant_be_read_is_waited_for(
    start: Start, install: Install, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    provide(install, "audit", "class Sink(Base): pass", DEPLOYMENT)
    monkeypatch.setattr("pipeline_host.sinks.STORE_BACKOFF", 0.01)
    app = start()
    changes, failing = app.host.store.inner.changes, threading.Event()
    failing.set()

    def broken(after: int, limit: int = CHANGE_LIMIT) -> ChangeBatch:
        if failing.is_set() and threading.current_thread().name == "sink audit":
            raise StoreUnavailable("The disk is gone")
        return changes(after, limit)

    monkeypatch.setattr(app.host.store.inner, "changes", broken)
    change = add(app)
    wait_until(lambda: "sink audit waits for the store: The disk is gone" in caplog.text)
    failing.clear()
    wait_until(lambda: told("audit") == [change])
    assert caplog.text.count("waits for the store") == 1


def test_a_factory_may_make_several_each_with_its_own_place(start: Start, install: Install) -> None:
    code = """
class One(Base):
    def __init__(self, host, name):
        self.name = name
    def take(self, change):
        events.append(self.name)
def Sink(host):
    return {name: One(host, name) for name in ("a", "b")}
"""
    provide(install, "audit", code, DEPLOYMENT)
    app = start()
    add(app)
    wait_until(lambda: sorted(module("audit").events) == ["a", "b"])
    names = {one.name for one in app.host.sinks}
    assert {"audit.a", "audit.b"} <= names
    assert "audit" not in names


class WithoutLeads:
    """A store that can't elect anybody."""

    def __init__(self, inner: ProcessStore) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        if name in ("lead", "load_cursor", "save_cursor"):
            raise AttributeError(name)
        return getattr(self._inner, name)


class Keeps:
    def __init__(self) -> None:
        self.seqs: list[int] = []

    def on_change(self, change: Change) -> None:
        self.seqs.append(change.seq)


def test_a_store_that_cant_elect_serves_deployments_of_one_worker(start: Start) -> None:
    app = start()
    store = LiveStore(cast(ProcessStore, WithoutLeads(app.host.store.inner)))
    spec = SinkSpec("audit", "Hears all", lambda host: Keeps(), scope="deployment")
    with pytest.raises(PluginError, match="the store can't choose one of them"):
        Sinks(store, workers=4).add(spec, Keeps(), print)
    sinks, sink = Sinks(store, workers=1), Keeps()
    sinks.add(spec, sink, print)
    change = add(app)
    wait_until(lambda: sink.seqs == [change])
    sinks.close()
    store.feed.close()


def test_a_store_that_cant_elect_now_is_asked_again(
    start: Start, install: Install, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    provide(install, "audit", "class Sink(Base): pass", DEPLOYMENT)
    monkeypatch.setattr("pipeline_host.sinks.STORE_BACKOFF", 0.01)
    lead, failing = FileProcessStore.lead, threading.Event()
    failing.set()

    def broken(store: FileProcessStore, name: str) -> Any:
        if failing.is_set() and name == "audit":
            raise StoreUnavailable("The disk is full")
        return lead(store, name)

    monkeypatch.setattr(FileProcessStore, "lead", broken)
    app = start()
    change = add(app)
    wait_until(lambda: "sink audit waits for the store: The disk is full" in caplog.text)
    failing.clear()
    wait_until(lambda: told("audit") == [change])


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("Sink = lambda host: 7", "sink audit: expected an object with on_change, got 7"),
        (
            "Sink = lambda host: {'A/B': Base(host)}",
            "sink audit: expected small letters, digits, '-', '_' and '.', got 'audit.A/B'",
        ),
    ],
)
def test_what_is_no_sink_is_reported(
    code: str, sentence: str, start: Start, install: Install
) -> None:
    provide(install, "audit", code)
    app = start()
    assert not [one for one in app.host.sinks if one.name.startswith("audit")]
    assert next(one for one in app.host.plugins if one.name == "sink_audit").error == sentence


def test_an_unknown_scope_is_refused(start: Start, install: Install) -> None:
    provide(install, "audit", "class Sink(Base): pass", ", scope='galaxy'")
    report = next(one for one in start().host.plugins if one.name == "sink_audit")
    assert "SinkSpec audit scope: expected 'worker' or 'deployment', got 'galaxy'" in (
        report.error or ""
    )


OPTIONS = """
class Options(msgspec.Struct):
    level: int = 3
class Sink(Base):
    def __init__(self, host):
        events.append(plugin_options(host.settings, "audit", Options).level)
"""


def test_options_are_read_and_wrong_ones_stop_the_start(start: Start, install: Install) -> None:
    provide(install, "audit", OPTIONS, ", options=Options")
    start()
    start(plugins={"audit": {"level": "7"}})
    assert module("audit").events == [3, 7]
    with pytest.raises(InvalidSettings, match=r"plugins\.audit\.level .*expected an integer"):
        start(plugins={"audit": {"level": "loud"}})
    with pytest.raises(InvalidSettings, match=r"plugins\.audit\.lvel .*did you mean level"):
        start(plugins={"audit": {"lvel": 7}})


def test_a_sink_is_closed_with_the_application(start: Start, install: Install) -> None:
    code = "class Sink(Base):\n    def close(self):\n        events.append('closed')\n"
    provide(install, "audit", code)
    start().close()
    wait_until(lambda: module("audit").events == ["made", "closed"])


@pytest.fixture
def servers(
    tmp_path: Path, install: Install, live_server: StartServer
) -> Callable[..., LiveServer]:
    """Starts servers that have the plugins which the test has installed."""

    def start_server(*args: str, workers: int = 4) -> LiveServer:
        sites = ":".join(str(site) for site in tmp_path.glob("site-*"))
        return live_server(*WITHOUT, *args, workers=workers, env={"PYTHONPATH": sites})

    return start_server


def lines(server: LiveServer, name: str) -> list[list[Any]]:
    path = server.data_dir / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def by_worker(server: LiveServer, name: str) -> dict[int, list[int]]:
    """The numbers of the changes that each worker was told, by its process id."""
    found: dict[int, list[int]] = {}
    for seq, pid, _ in lines(server, name):
        found.setdefault(pid, []).append(seq)
    return found


def post(server: LiveServer, turn: int) -> float:
    """Create a process, on a connection and so a worker of its own; how long it took, in s."""
    began = time.monotonic()
    body = {"promptPreview": f"{turn}", "status": "running", "startTime": "2026-11-22T07:00:00Z"}
    requests.post(f"{server.url}/api/processes", json=body, timeout=10).raise_for_status()
    return time.monotonic() - began


def test_of_four_workers_one_tells_each_change_once_and_in_order(
    servers: Callable[..., LiveServer], install: Install
) -> None:
    provide(install, "once", WRITER.format(name="once"), DEPLOYMENT)
    provide(install, "each", WRITER.format(name="each"))
    provide(install, "bad", FAILS, DEPLOYMENT)
    provide(install, "stuck", BLOCKS)
    server = servers()
    wait_until(lambda: len(list(server.data_dir.glob("each.*[0-9]"))) == 4)
    for turn in range(POSTS):
        post(server, turn)
    wait_until(lambda: len([1 for seq, _, _ in lines(server, "each") if seq == POSTS]) == 4)
    for seqs in by_worker(server, "each").values():
        assert seqs == list(range(seqs[0], POSTS + 1))
    wait_until(lambda: len(lines(server, "once")) >= POSTS)
    assert [seq for seq, _, _ in lines(server, "once")] == list(range(1, POSTS + 1))
    assert len({pid for _, pid, _ in lines(server, "once")}) == 1
    wait_until(lambda: "sink bad: ZeroDivisionError" in server.log())
    assert server.log().count("sink bad: ZeroDivisionError") == 1
    assert server.stop() == 0
    server.start()
    post(server, POSTS)
    wait_until(lambda: len(lines(server, "once")) > POSTS)
    assert [seq for seq, _, _ in lines(server, "once")] == list(range(1, POSTS + 2))


def test_when_the_worker_that_tells_is_killed_another_goes_on_without_a_gap(
    servers: Callable[..., LiveServer], install: Install
) -> None:
    provide(install, "once", WRITER.format(name="once"), DEPLOYMENT)
    server = servers()
    killed: list[int] = []

    def other_leader() -> int:
        pids = {pid for _, pid, _ in lines(server, "once")} - set(killed)
        return pids.pop() if pids else 0

    for turn in range(POSTS):
        if turn in (POSTS // 3, POSTS // 3 * 2):
            killed.append(wait_until(other_leader))
            os.kill(killed[-1], signal.SIGKILL)
        try:
            post(server, turn)
        except requests.ConnectionError:
            continue
    newest = requests.get(f"{server.url}/api/stats", timeout=10).json()["totalProcesses"]
    assert newest >= POSTS - 10
    wait_until(lambda: {seq for seq, _, _ in lines(server, "once")} == set(range(1, newest + 1)))
    told_by = by_worker(server, "once")
    assert len(told_by) == 3
    for seqs in told_by.values():
        assert seqs == list(range(seqs[0], seqs[-1] + 1))


def test_writers_dont_wait_for_a_sink_that_does(
    servers: Callable[..., LiveServer], install: Install
) -> None:
    provide(install, "bad", FAILS)
    provide(install, "stuck", BLOCKS)
    provide(install, "slow", BLOCKS.replace("held.wait()", "held.wait(30)"), DEPLOYMENT)
    server = servers(workers=1)
    took = sorted(post(server, turn) for turn in range(100))
    assert took[50] < 1
    assert took[-1] < 9
