"""Plugins: found by their entry points, loaded one by one, and none can harm the others."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pipeline_host.cli.plugins import plugins_command
from pipeline_host.errors import PluginConflict, PluginError
from pipeline_host.plugins import (
    BUNDLED,
    Plugins,
    Provided,
    check_startable,
    load_plugins,
    select_store,
)
from pipeline_host.reports import PluginReport, Provision
from pipeline_host.settings import Settings

from .installing import Install

HEAD = "from pipeline_host.hookspecs import *\nfrom pipeline_host.hookspecs import hookimpl\n"


def source(hook: str, records: str) -> str:
    return f"{HEAD}@hookimpl\ndef pipeline_host_{hook}():\n    return {records}\n"


def store(name: str) -> str:
    return source("process_stores", f"[StoreSpec({name!r}, 'Processes somewhere', print)]")


def routes(name: str, *paths: str) -> str:
    return source("routes", f"[RouteSpec({name!r}, 'Some routes', lambda host: [], {paths!r})]")


def sink(name: str) -> str:
    return source("event_sinks", f"[SinkSpec({name!r}, 'Hears all', print)]")


def load(**settings: Any) -> Plugins:
    return load_plugins(Settings(**settings))


def strangers(found: Iterable[Provided[Any]]) -> list[str]:
    """The names of the records that aren't of bundled plugins."""
    return [one.spec.name for one in found if one.plugin.distribution != BUNDLED]


def report(plugins: Plugins, name: str) -> PluginReport:
    return next(one for one in plugins.reports if one.name == name)


def error(plugins: Plugins, name: str) -> str:
    one = report(plugins, name)
    assert one.state == "failed"
    return one.error or ""


def test_the_bundled_plugins_are_found_by_their_entry_points() -> None:
    plugins = load()
    assert {"file", "rest", "sse"} <= {one.name for one in plugins.reports}
    assert {one.distribution for one in plugins.reports} == {"pipeline-host"}
    assert all(one.state == "loaded" and not one.error for one in plugins.reports)
    assert select_store(plugins, Settings()).spec.shared
    check_startable(plugins)


def test_a_strangers_plugin_is_loaded_with_its_provenance(install: Install) -> None:
    install("acme-store", {"acme": store("acme")}, version="2.1")
    plugins = load(store="acme")
    assert report(plugins, "acme") == PluginReport(
        "acme",
        "acme-store",
        "2.1",
        "loaded",
        provides=(Provision("store", "acme", "Processes somewhere"),),
    )
    chosen = select_store(plugins, Settings(store="acme"))
    assert chosen.spec.name == "acme"
    assert str(chosen.plugin) == "acme (acme-store 2.1)"


def test_an_entry_point_may_name_an_object(install: Install) -> None:
    code = f"""{HEAD}
class Plugin:
    @hookimpl
    def pipeline_host_event_sinks(self):
        yield SinkSpec("audit", "Hears all", print)
plugin = Plugin()
"""
    install("audit", {"audit_module": code}, entry_points={"audit": "audit_module:plugin"})
    assert strangers(load().sinks) == ["audit"]


def test_a_plugin_may_provide_several_kinds(install: Install) -> None:
    code = f"""{HEAD}
@hookimpl
def pipeline_host_lifespan():
    return (LifespanSpec("clean", "Cleans up", print),)
@hookimpl
def pipeline_host_commands():
    return [CommandSpec("greet", "Says hello", print), CommandSpec("bye", "Says bye", print)]
"""
    install("many", {"many": code})
    plugins = load()
    assert strangers(plugins.lifespans) == ["clean"]
    assert strangers(plugins.commands) == ["greet", "bye"]


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        (
            "import nowhere_to_be_found",
            "ModuleNotFoundError: No module named 'nowhere_to_be_found'",
        ),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise ValueError", "ValueError"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines"),
        ("def", "SyntaxError: invalid syntax"),
        ("", "it implements none of the hooks"),
        (source("rotues", "[]"), "PluginValidationError: unknown hook 'pipeline_host_rotues'"),
        (f"{HEAD}@hookimpl\ndef pipeline_host_routes(app): pass", "PluginValidationError: "),
        (source("routes", "1 / 0"), "ZeroDivisionError: division by zero"),
        (source("routes", "exit(2)"), "SystemExit: 2"),
        (source("routes", "(1 / 0 for _ in 'x')"), "ZeroDivisionError: division by zero"),
        (source("routes", "'text'"), "pipeline_host_routes: expected a list of RouteSpec, got 't"),
        (source("routes", "7"), "pipeline_host_routes: expected a list of RouteSpec, got 7"),
        (source("routes", "[{}]"), "pipeline_host_routes: expected RouteSpec records, got {}"),
        (
            sink("audit").replace("event_sinks", "routes"),
            "pipeline_host_routes: expected RouteSpec",
        ),
        (sink("A B"), "pipeline_host_event_sinks: SinkSpec name: expected small letters"),
        (sink("audit").replace("'audit'", "7"), "pipeline_host_event_sinks: SinkSpec name: "),
        (sink("a").replace("Hears all", "\\n"), "SinkSpec a: expected a summary of one line"),
        (sink("a").replace("print", "None"), "SinkSpec a: expected a factory that can be called"),
        (sink("a").replace("]", "] * 2"), "pipeline_host_event_sinks: a is there twice"),
        (store("a").replace("print", "print, True, dict"), "expected options to be a msgspec.Str"),
        (routes("a", "api"), "RouteSpec a: expected a path that begins with /, got 'api'"),
        (routes("a").replace(", ())", ", '/api')"), "RouteSpec a: expected paths to be a list"),
    ],
)
def test_a_broken_plugin_is_reported_and_harms_nobody(
    code: str, sentence: str, install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    install("broken-thing", {"broken": code})
    install("good-thing", {"good": sink("good")})
    plugins = load()
    assert sentence in error(plugins, "broken")
    assert report(plugins, "broken").provides == ()
    assert strangers(plugins.sinks) == ["good"]
    assert report(plugins, "rest").state == "loaded"
    check_startable(plugins)
    warning = f"plugin broken (broken-thing 1.0): {error(plugins, 'broken')}"
    assert ("pipeline_host.plugins", logging.WARNING, warning) in caplog.record_tuples


def test_options_without_a_default_are_refused(install: Install) -> None:
    code = "import msgspec\nclass Options(msgspec.Struct):\n    size: int\n"
    code += store("a").replace("print", "print, False, Options")
    install("sized", {"sized": code})
    assert "StoreSpec a: expected a default for its option size" in error(load(), "sized")


@pytest.mark.parametrize("text", ["[pipeline_host]\nacme", "[pipeline_host]\n = \nx", "\xff"])
def test_damaged_metadata_harms_nobody(text: str, install: Install) -> None:
    site = install("damaged", {"damaged": ""})
    (site / "damaged-1.0.dist-info" / "entry_points.txt").write_text(text, "latin-1")
    plugins = load()
    assert report(plugins, "rest").state == "loaded"
    assert all(one.state == "failed" for one in plugins.reports if one.distribution == "damaged")


def test_metadata_without_a_name_harms_nobody(install: Install) -> None:
    site = install("nameless", {"nameless": sink("nameless")})
    (site / "nameless-1.0.dist-info" / "METADATA").write_text("", "utf-8")
    assert report(load(), "rest").state == "loaded"


def test_metadata_in_a_folder_of_another_name_is_reported(install: Install) -> None:
    site = install("moved", {"moved": sink("moved")})
    (site / "moved-1.0.dist-info").rename(site / "elsewhere-1.0.dist-info")
    plugins = load()
    assert report(plugins, "rest").state == "loaded"
    assert "can't be found by its name" in error(plugins, "moved")


def test_of_two_versions_on_the_path_the_first_counts(install: Install) -> None:
    install("Some.Sink", {"some_sink": sink("some")}, version="1.0")
    install("some-sink", {"some_sink": sink("some")}, version="2.0")
    plugins = load()
    assert report(plugins, "some_sink").version == "2.0"
    assert plugins.conflicts == ()


@pytest.mark.parametrize(
    "block", ["acme", "acme-store", "Acme_Store", "acme-store:acme", "ACME.store:acme"]
)
def test_a_blocked_plugin_is_never_imported(block: str, install: Install) -> None:
    install("acme-store", {"acme": "raise RuntimeError('imported')"})
    plugins = load(block=(block,))
    assert report(plugins, "acme") == PluginReport("acme", "acme-store", "1.0", "blocked")
    assert "acme" not in sys.modules


@pytest.mark.parametrize("block", ["other", "acme:acme-store", "other:acme", "acme-store:other"])
def test_a_block_that_means_nothing_is_told(
    block: str, install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    install("acme-store", {"acme": sink("acme")})
    assert report(load(block=(block,)), "acme").state == "loaded"
    assert f"block: no plugin and no distribution with plugins is called {block}" in caplog.text


def test_safe_mode_loads_the_bundled_plugins_alone(install: Install) -> None:
    install("acme-store", {"acme": "raise RuntimeError('imported')"})
    plugins = load(safe_mode=True)
    assert report(plugins, "acme").state == "blocked"
    assert report(plugins, "rest").state == "loaded"
    assert "acme" not in sys.modules


def test_two_entry_points_of_one_name_are_a_conflict_and_neither_is_imported(
    install: Install,
) -> None:
    install("one-dist", {"one": "raise RuntimeError"}, entry_points={"audit": "one"})
    install("two-dist", {"two": "raise RuntimeError"}, entry_points={"audit": "two"})
    plugins = load()
    sentence = (
        "audit (one-dist 1.0) and audit (two-dist 1.0) both provide a plugin called audit; "
        "choose with --block one-dist:audit or --block two-dist:audit"
    )
    failed = [one for one in plugins.reports if one.name == "audit"]
    assert [(one.state, one.error) for one in failed] == [("failed", sentence)] * 2
    assert not {"one", "two"} & set(sys.modules)
    check_startable(plugins)


def test_blocking_one_of_two_settles_it(install: Install) -> None:
    install("one-dist", {"one": sink("audit")}, entry_points={"audit": "one"})
    install("two-dist", {"two": sink("audit")}, entry_points={"audit": "two"})
    plugins = load(block=("one-dist:audit",))
    assert plugins.conflicts == ()
    owners = {one.plugin.distribution for one in plugins.sinks}
    assert owners == {BUNDLED, "two-dist"}


def test_a_strangers_plugin_cant_take_the_name_of_a_bundled_one(install: Install) -> None:
    install("evil-rest", {"evil": "raise RuntimeError"}, entry_points={"rest": "evil"})
    plugins = load()
    with pytest.raises(PluginConflict) as caught:
        check_startable(plugins)
    assert "rest (evil-rest 1.0) and rest (pipeline-host " in str(caught.value)
    check_startable(load(safe_mode=True))
    check_startable(load(block=("evil-rest",)))


@pytest.mark.parametrize("order", [("one-dist", "two-dist"), ("two-dist", "one-dist")])
def test_two_records_of_one_name_are_a_conflict_in_either_order(
    order: tuple[str, str], install: Install
) -> None:
    for distribution in order:
        name = distribution.replace("-", "_")
        install(distribution, {name: store("acme")})
    plugins = load()
    assert [one.spec.name for one in plugins.stores] == ["file"]
    with pytest.raises(PluginConflict) as caught:
        select_store(plugins, Settings(store="acme"))
    sentence = (
        "one_dist (one-dist 1.0) and two_dist (two-dist 1.0) both provide a store called acme; "
        "choose with --block one-dist:one_dist or --block two-dist:two_dist"
    )
    assert str(caught.value) == sentence
    assert report(plugins, "one_dist").error == sentence
    assert report(plugins, "one_dist").state == "loaded"
    assert select_store(plugins, Settings()).spec.name == "file"
    check_startable(plugins)


def test_a_conflict_leaves_the_rest_of_a_plugin_usable(install: Install) -> None:
    extra = "\n@hookimpl\ndef pipeline_host_lifespan():\n    return [LifespanSpec('x', 'y', print)]"
    install("one-dist", {"one": sink("audit") + extra})
    install("two-dist", {"two": sink("audit")})
    plugins = load()
    assert strangers(plugins.sinks) == []
    assert strangers(plugins.lifespans) == ["x"]
    check_startable(plugins)


@pytest.mark.parametrize(
    ("code", "noun"),
    [
        (routes("rest"), "a set of routes called rest"),
        (routes("more", "/api/health"), "a route at /api/health"),
        (routes("more", "/api/processes/{id}"), "a route at /api/processes/{process_id}"),
    ],
)
def test_two_plugins_cant_answer_at_one_path(code: str, noun: str, install: Install) -> None:
    install("more-routes", {"more": code})
    with pytest.raises(PluginConflict) as caught:
        check_startable(load())
    assert f"both provide {noun}; choose with --block more-routes:more or " in str(caught.value)
    check_startable(load(block=("more",)))


def test_an_unknown_store_is_refused_with_those_there_are(install: Install) -> None:
    install("acme-store", {"acme": store("acme")})
    with pytest.raises(PluginError) as caught:
        select_store(load(), Settings(store="redis"))
    assert str(caught.value) == "store redis: no such store; available: acme, file"


def test_a_store_whose_plugin_failed_says_why(install: Install) -> None:
    install("acme-store", {"acme": "import nowhere_to_be_found"})
    with pytest.raises(PluginError) as caught:
        select_store(load(), Settings(store="acme"))
    assert str(caught.value) == (
        "store acme: the plugin acme (acme-store 1.0) failed: "
        "ModuleNotFoundError: No module named 'nowhere_to_be_found'"
    )


def test_a_store_whose_plugin_is_blocked_says_so(install: Install) -> None:
    install("acme-store", {"acme": store("acme")})
    with pytest.raises(PluginError, match=r"store acme: the plugin acme .* is blocked"):
        select_store(load(block=("acme",)), Settings(store="acme"))


def test_each_load_is_its_own(install: Install) -> None:
    install("acme-store", {"acme": sink("acme")})
    first, second = load(), load(block=("acme",))
    assert strangers(first.sinks) == ["acme"]
    assert strangers(second.sinks) == []


def test_the_command_shows_all_of_it(install: Install) -> None:
    install("acme-store", {"acme": store("acme")}, version="2.1")
    install("broken-thing", {"broken": "1 / 0"})
    install("one-more", {"more": sink("more")})
    outcome = CliRunner().invoke(plugins_command, ["--block", "more"])
    assert outcome.exit_code == 0
    lines = [" ".join(line.split()) for line in outcome.stdout.splitlines()]
    assert lines[0] == "NAME STATE DISTRIBUTION VERSION"
    assert "acme loaded acme-store 2.1" in lines
    assert lines[lines.index("acme loaded acme-store 2.1") + 1] == (
        "store: acme — Processes somewhere"
    )
    assert lines[lines.index("broken failed broken-thing 1.0") + 1] == (
        "error: ZeroDivisionError: division by zero"
    )
    assert "more blocked one-more 1.0" in lines


def test_the_command_tells_programs_too(install: Install) -> None:
    install("broken-thing", {"broken": "1 / 0"})
    outcome = CliRunner().invoke(plugins_command, ["--json"])
    listed = {one["name"]: one for one in json.loads(outcome.stdout)["plugins"]}
    assert listed["broken"]["error"] == "ZeroDivisionError: division by zero"
    assert listed["rest"]["provides"][0]["kind"] == "routes"
    assert "error" not in listed["rest"]


def test_plugins_are_found_in_a_fresh_interpreter(install: Install, tmp_path: Path) -> None:
    site = install("acme-store", {"acme": store("acme")}, version="2.1")
    code = (
        f"import sys; sys.path.append({str(site)!r})\n"
        "from pipeline_host.plugins import load_plugins\n"
        "from pipeline_host.settings import Settings\n"
        "print(*load_plugins(Settings()).reports, sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        encoding="utf-8",
        check=True,
        cwd=tmp_path,
    )
    assert "acme (acme-store 2.1)" in done.stdout.splitlines()
