"""The assembled application: what its settings and plugins make of it, and how it ends."""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pipeline_host.app import SECURITY_HEADERS, Application, create_app
from pipeline_host.errors import InvalidSettings, PluginConflict, PluginError, StartupError
from pipeline_host.models import Process
from pipeline_host.settings import Settings
from pipeline_host.testing.waiting import wait_until
from pipeline_host.times import now
from pipeline_host.wire import new_id

from .installing import Install
from .wsgi_client import Answer, call

HEAD = """
from contextlib import contextmanager
from pipeline_host.hookspecs import *
from pipeline_host.hookspecs import hookimpl
from pipeline_host.errors import NotFound, StartupError
events = []
class Hello:
    def __init__(self, text="hello"):
        self.text = text
    def on_get(self, req, resp, **params):
        resp.text = self.text
        resp.content_type = "text/plain"
"""

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


def ask(app: Application, method: str, target: str, *args: Any, **kw: Any) -> Answer:
    return call(app, method, target, *args, **kw)


def provide(install: Install, name: str, code: str) -> Any:
    """Install a plugin and return its module, once it is imported."""
    install(f"{name}-dist", {name: HEAD + code})
    return name


def events(name: str) -> list[str]:
    found: list[str] = sys.modules[name].events
    return found


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def add_process(app: Application) -> Process:
    process = Process(
        id=new_id(),
        type="test",
        prompt_preview="x",
        full_prompt="x",
        status="running",
        start_time=now(),
    )
    return app.host.store.add(process).process


def test_the_bundled_plugins_make_a_whole_server(start: Start) -> None:
    app = start()
    assert ask(app, "GET", "/api/health").json["status"] == "ok"
    assert {"/api/health", "/api/processes"} <= {route.path for route in app.host.routes}
    assert not [report for report in app.host.plugins if report.error]


def test_the_data_directory_is_made_for_its_owner_alone(start: Start, tmp_path: Path) -> None:
    start()
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_a_data_directory_that_cant_be_used_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for path in (file, file / "x"):
        with pytest.raises(StartupError) as refused:
            create_app(Settings(data_dir=path))
        expected = f"Data directory {path} can't be used: it is not a directory"
        assert str(refused.value) == expected


def test_every_answer_has_the_security_headers(start: Start) -> None:
    app = start()
    for method, target, headers in [
        ("GET", "/api/health", {}),
        ("HEAD", "/api/health", {}),
        ("GET", "/nowhere", {}),
        ("DELETE", "/api/health", {}),
        ("GET", "/api/health", {"HTTP_HOST": "evil.example"}),
    ]:
        answer = ask(app, method, target, **headers)
        assert set(SECURITY_HEADERS) <= set(answer.headers.items())


def test_a_plugin_may_set_a_security_header_itself(start: Start, install: Install) -> None:
    code = """
class Framed:
    def on_get(self, req, resp):
        resp.set_header("X-Frame-Options", "SAMEORIGIN")
@hookimpl
def pipeline_host_routes():
    return [RouteSpec("framed", "A page", lambda host: [Route("/framed", Framed())])]
"""
    provide(install, "framed", code)
    assert ask(start(), "GET", "/framed").headers["x-frame-options"] == "SAMEORIGIN"


def test_the_guard_stands_in_front_of_every_route(start: Start, install: Install) -> None:
    code = """
@hookimpl
def pipeline_host_routes():
    return [RouteSpec("hello", "Says hello", lambda host: [Route("/hello", Hello())])]
"""
    provide(install, "hello", code)
    app = start(allowed_hosts=("box",))
    assert ask(app, "GET", "/hello").body == b"hello"
    assert ask(app, "GET", "/hello", HTTP_HOST="box:4000").body == b"hello"
    for target in ("/hello", "/nowhere", "/api/health", "/api/processes/x/stream"):
        foreign = ask(app, "GET", target, HTTP_HOST="evil.example")
        assert (foreign.status, foreign.headers["content-type"]) == (421, "application/json")
        assert "expected a name of this server" in foreign.json["error"]
        assert ask(app, "GET", target, HTTP_ORIGIN="http://evil.example").status == 403
    assert ask(app, "HEAD", "/hello", HTTP_HOST="evil.example").body == b""


def test_the_guard_sees_through_an_encoded_path(start: Start) -> None:
    page = {
        "HTTP_SEC_FETCH_SITE": "cross-site",
        "HTTP_SEC_FETCH_MODE": "navigate",
        "HTTP_SEC_FETCH_DEST": "document",
    }
    app = start()
    assert ask(app, "GET", "/%61pi/health").status == 200
    assert ask(app, "GET", "/%61pi/health", **page).status == 403


def test_parameters_of_any_plugins_routes_are_decoded(start: Start, install: Install) -> None:
    code = """
class Echo:
    def on_get(self, req, resp, name):
        resp.text = name
@hookimpl
def pipeline_host_routes():
    return [RouteSpec("echo", "Echoes", lambda host: [Route("/echo/{name}", Echo())])]
"""
    provide(install, "echo", code)
    app = start()
    assert ask(app, "GET", "/echo/a%2F..%2F%E6%97%A5?x").body == "a/../日".encode()
    assert ask(app, "GET", "/echo/%FF").status == 400


@pytest.mark.parametrize(
    ("factory", "sentence"),
    [
        ("lambda host: 1 / 0", "routes odd: ZeroDivisionError: division by zero"),
        ("lambda host: exit(3)", "routes odd: SystemExit: 3"),
        ("lambda host: 7", "routes odd: TypeError: 'int' object is not iterable"),
        ("lambda host: ['/x']", "routes odd: expected Route records, got '/x'"),
        ("lambda host: [Route('x', Hello())]", "routes odd: expected a path that begins with /"),
        ("lambda host: [Route('/a b', Hello())]", "route /a b: "),
    ],
)
def test_routes_that_cant_be_made_are_reported_and_left_out(
    factory: str, sentence: str, start: Start, install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    code = f"""
@hookimpl
def pipeline_host_routes():
    return [RouteSpec("odd", "Odd ones", {factory})]
"""
    provide(install, "odd", code)
    app = start()
    report = next(one for one in app.host.plugins if one.name == "odd")
    assert sentence in (report.error or "")
    assert f"plugin odd (odd-dist 1.0): {sentence}" in caplog.text
    health = ask(app, "GET", "/api/health")
    assert health.status == 200
    assert b"odd-dist" in health.body


def test_two_plugins_with_one_path_stop_the_start(start: Start, install: Install) -> None:
    code = """
@hookimpl
def pipeline_host_routes():
    return [RouteSpec("more", "More", lambda host: [Route("/api/processes/{x}", Hello())])]
"""
    provide(install, "more", code)
    with pytest.raises(PluginConflict) as caught:
        start()
    assert str(caught.value).endswith(
        "both provide a route at /api/processes/{process_id}; "
        "choose with --block more-dist:more or --block pipeline-host:rest"
    )
    assert ask(start(block=("more",)), "GET", "/api/health").status == 200


STORE = """
from pipeline_host.store import ProcessStore
@hookimpl
def pipeline_host_process_stores():
    return [StoreSpec("odd", "An odd one", {factory}, {shared})]
"""


@pytest.mark.parametrize(
    ("factory", "sentence"),
    [
        (
            "lambda context: 1 / 0",
            "store odd: odd (odd-dist 1.0) can't open it: ZeroDivisionError: division by zero",
        ),
        ("lambda context: 7", "store odd: odd (odd-dist 1.0) made no ProcessStore but 7"),
        ("NotFound", "store odd: odd (odd-dist 1.0) made no ProcessStore but NotFound("),
    ],
)
def test_a_store_that_cant_be_opened_says_whose_it_is(
    factory: str, sentence: str, start: Start, install: Install
) -> None:
    provide(install, "odd", STORE.format(factory=factory, shared=True))
    with pytest.raises(StartupError) as caught:
        start(store="odd")
    assert str(caught.value).startswith(sentence)


def test_a_stores_own_sentence_is_passed_on(start: Start, install: Install) -> None:
    code = "\ndef refuse(context):\n    raise StartupError('The disk is on fire')\n"
    provide(install, "odd", code + STORE.format(factory="refuse", shared=True))
    with pytest.raises(StartupError, match=r"^The disk is on fire$"):
        start(store="odd")


def test_a_store_that_cant_be_shared_serves_one_worker(start: Start, install: Install) -> None:
    provide(install, "odd", STORE.format(factory="print", shared=False))
    with pytest.raises(StartupError) as caught:
        start(store="odd", workers=2)
    assert str(caught.value) == (
        "workers: expected 1 with the store odd, got 2, "
        "because it can't be shared between processes"
    )


def test_an_unknown_store_stops_the_start(start: Start) -> None:
    with pytest.raises(PluginError, match=r"^store redis: no such store; available: .*file"):
        start(store="redis")


def test_wrong_options_of_the_store_stop_the_start(start: Start) -> None:
    with pytest.raises(InvalidSettings, match=r"^plugins\.file\.colour "):
        start(plugins={"file": {"colour": "red"}})


@pytest.mark.parametrize(
    ("plugin", "option", "value"), [("websocket", "ping", 0), ("webhook", "timeout", 1e14)]
)
def test_wrong_options_of_routes_or_a_sink_stop_the_start(
    start: Start, plugin: str, option: str, value: float
) -> None:
    with pytest.raises(InvalidSettings, match=rf"^plugins\.{plugin}\.{option} "):
        start(plugins={plugin: {option: value}})


def test_options_for_nobody_are_told(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    start(plugins={"fil": {"durability": "os"}})
    assert "plugins.fil: there are options, but no plugin of that name" in caplog.text


SINK = """
class Audit:
    def __init__(self, host):
        events.append("made")
    def on_change(self, change):
        events.append(change.kind)
        {then}
@hookimpl
def pipeline_host_event_sinks():
    return [SinkSpec("audit", "Hears all", Audit)]
"""


def test_a_sink_hears_of_every_change(start: Start, install: Install) -> None:
    provide(install, "audit", SINK.format(then="pass"))
    app = start()
    process = add_process(app)
    app.host.store.remove(process.id)
    wait_until(lambda: len(events("audit")) == 3)
    assert events("audit") == ["made", "process-added", "process-removed"]


@pytest.mark.parametrize("then", ["1 / 0", "exit(2)"])
def test_a_sink_that_fails_is_reported_once_and_called_again(
    then: str, start: Start, install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    provide(install, "audit", SINK.format(then=then))
    provide(install, "calm", SINK.replace('"audit"', '"calm"').format(then="pass"))
    app = start()
    for _ in range(3):
        add_process(app)
    wait_until(lambda: len(events("audit")) == 4 and len(events("calm")) == 4)
    report = next(one for one in app.host.plugins if one.name == "audit")
    assert (report.error or "").count("sink audit: ") == 1
    failing, calm = (one for one in app.host.sinks if one.name in ("audit", "calm"))
    wait_until(lambda: (failing.failures, calm.failures) == (3, 0))
    assert len([record for record in caplog.records if "sink audit" in record.message]) == 1


def test_a_sink_that_cant_be_made_is_reported(start: Start, install: Install) -> None:
    code = SINK.format(then="pass").replace('events.append("made")', "1 / 0")
    provide(install, "audit", code)
    report = next(one for one in start().host.plugins if one.name == "audit")
    assert report.error == "sink audit: ZeroDivisionError: division by zero"


LIFESPAN = """
@contextmanager
def lifespan(host):
    events.append(f"begin {{host.settings.port}}")
    {begin}
    yield
    events.append(f"end draining={{host.draining.begun}}")
    host.store.stats()
    {end}
@hookimpl
def pipeline_host_lifespan():
    return [LifespanSpec("clean", "Cleans up", lifespan)]
"""


def test_a_lifespan_lasts_as_long_as_the_application(start: Start, install: Install) -> None:
    provide(install, "clean", LIFESPAN.format(begin="", end=""))
    app = start(port=7)
    assert events("clean") == ["begin 7"]
    app.close()
    assert events("clean") == ["begin 7", "end draining=True"]


@pytest.mark.parametrize(("begin", "end"), [("1 / 0", ""), ("", "1 / 0")])
def test_a_lifespan_that_fails_is_reported(
    begin: str, end: str, start: Start, install: Install
) -> None:
    provide(install, "clean", LIFESPAN.format(begin=begin, end=end))
    app = start()
    assert ask(app, "GET", "/api/health").status == 200
    app.close()
    report = next(one for one in app.host.plugins if one.name == "clean")
    assert report.error == "lifespan clean: ZeroDivisionError: division by zero"


def test_closing_twice_is_closing_once(start: Start, install: Install) -> None:
    provide(install, "clean", LIFESPAN.format(begin="", end=""))
    app = start()
    calls: list[str] = []
    app.host.draining.on_begin(lambda: calls.append("draining"))
    app.close()
    app.close()
    assert calls == ["draining"]
    assert len(events("clean")) == 2


def test_nothing_is_left_behind(start: Start, install: Install) -> None:
    provide(install, "audit", SINK.format(then="pass"))
    create_and_close = start
    create_and_close().close()
    gc.collect()
    threads, files = threading.active_count(), open_files()
    app = start(retention_max_count=10)
    add_process(app)
    wait_until(lambda: len(events("audit")) >= 2)
    app.close()
    wait_until(lambda: threading.active_count() <= threads)
    assert open_files() <= files


def test_a_start_that_fails_leaves_nothing_open(start: Start, install: Install) -> None:
    code = """
@hookimpl
def pipeline_host_routes():
    return [RouteSpec("more", "More", lambda host: [Route("/api/health", Hello())])]
"""
    provide(install, "more", code)
    start(block=("more",)).close()
    gc.collect()
    files = open_files()
    with pytest.raises(PluginConflict):
        start()
    assert open_files() <= files


def test_retention_begins_with_the_application(start: Start) -> None:
    app = start()
    for _ in range(3):
        process = add_process(app)
        app.host.store.emit_process_complete(process.id, "completed")
    app.close()
    kept = start(retention_max_count=1)
    wait_until(lambda: kept.host.store.stats().total_processes == 1)


def test_safe_mode_serves_without_strangers(
    start: Start, install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    provide(install, "broken", "1 / 0")
    with caplog.at_level(logging.WARNING):
        app = start(safe_mode=True)
    assert ask(app, "GET", "/api/health").json["status"] == "ok"
    assert caplog.records == []


def test_the_wsgi_module_takes_its_settings_from_the_environment(tmp_path: Path) -> None:
    code = "from pipeline_host.wsgi import app; print(app.host.settings.data_dir, app.host.store)"
    env = os.environ | {"PIPELINE_HOST_DATA_DIR": str(tmp_path / "data")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True, env=env
    )
    assert done.stdout.startswith(str(tmp_path / "data"))
    assert done.stderr == ""
