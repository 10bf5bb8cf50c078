"""Finding and loading plugins: one by one, each in its own guard, with its provenance.

A plugin is whatever an entry point of the group ``pipeline_host`` names. One that can't be loaded
is reported (:attr:`Plugins.reports`, the log) and harms nobody else. Where two provide the same
name neither is used, and the report names both: the order of installation never decides.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, Literal, TypeVar

import pluggy

from pipeline_host import hookspecs
from pipeline_host.config import Settings
from pipeline_host.discovery import Candidate, canonical, discover
from pipeline_host.errors import PluginConflict, PluginError
from pipeline_host.hookspecs import (
    PROJECT,
    CommandSpec,
    LifespanSpec,
    RouteSpec,
    SinkSpec,
    StoreSpec,
)
from pipeline_host.paths import template_key
from pipeline_host.records import Record, check_records
from pipeline_host.reports import Kind, PluginReport, Provision, sentence_of

__all__ = [
    "BUNDLED",
    "Conflict",
    "PluginReport",
    "Plugins",
    "Provided",
    "Provision",
    "check_startable",
    "load_plugins",
    "select_store",
]

log: Final = logging.getLogger(__name__)

BUNDLED: Final = "pipeline-host"
"""The distribution whose plugins are ours; safe mode loads no other."""

R = TypeVar("R", bound=Record)

_HOOKS: Final[dict[Kind, tuple[str, type[Record]]]] = {
    "store": ("pipeline_host_process_stores", StoreSpec),
    "routes": ("pipeline_host_routes", RouteSpec),
    "sink": ("pipeline_host_event_sinks", SinkSpec),
    "command": ("pipeline_host_commands", CommandSpec),
    "lifespan": ("pipeline_host_lifespan", LifespanSpec),
}


@dataclass(frozen=True)
class Provided(Generic[R]):
    """A record, and the plugin that it came from."""

    spec: R
    plugin: PluginReport


@dataclass(frozen=True)
class Conflict:
    """Several plugins want to provide the same; none of them does.

    Attributes:
        kind: what the name is a name of; ``plugin`` for that of an entry point, ``path`` for that
            of a route.
        bundled: one of them is ours, so that the server isn't whole without a decision.
    """

    kind: Kind | Literal["plugin", "path"]
    name: str
    plugins: tuple[PluginReport, ...]

    @property
    def bundled(self) -> bool:
        return any(canonical(plugin.distribution) == BUNDLED for plugin in self.plugins)

    def error(self) -> PluginConflict:
        return PluginConflict(str(self))

    def __str__(self) -> str:
        what = {"plugin": "a plugin", "path": "a route at", "routes": "a set of routes"}
        who = " and ".join(str(plugin) for plugin in self.plugins)
        ways = " or ".join(f"--block {plugin.block}" for plugin in self.plugins)
        noun = what.get(self.kind, f"a {self.kind}")
        called = "" if self.kind == "path" else "called "
        return f"{who} both provide {noun} {called}{self.name}; choose with {ways}"


@dataclass(frozen=True)
class Plugins:
    """All that one load found; the records are those that can be used."""

    reports: tuple[PluginReport, ...] = ()
    stores: tuple[Provided[StoreSpec], ...] = ()
    routes: tuple[Provided[RouteSpec], ...] = ()
    sinks: tuple[Provided[SinkSpec], ...] = ()
    commands: tuple[Provided[CommandSpec], ...] = ()
    lifespans: tuple[Provided[LifespanSpec], ...] = ()
    conflicts: tuple[Conflict, ...] = ()


def load_plugins(settings: Settings) -> Plugins:
    """Load every plugin that isn't blocked. Raises nothing: what went wrong is in the reports."""
    found = discover(PROJECT)
    _warn_of_idle_blocks(found, settings.block)
    twice = _same_names([candidate for candidate in found if not _blocked(candidate, settings)])
    loaded = [_load(candidate, settings, twice) for candidate in found]
    conflicts = [*_name_conflicts(loaded), *_record_conflicts(loaded)]
    plugins = _assemble(loaded, conflicts)
    for report in plugins.reports:
        if report.error:
            log.warning("plugin %s: %s", report, report.error)
    return plugins


def select_store(plugins: Plugins, settings: Settings) -> Provided[StoreSpec]:
    """The store that the settings ask for.

    Raises:
        PluginConflict: several plugins provide it.
        PluginError: none does, or the plugin of that name failed.
    """
    wanted = settings.store
    for conflict in plugins.conflicts:
        if conflict.name == wanted and conflict.kind in ("store", "plugin"):
            raise conflict.error()
    for provided in plugins.stores:
        if provided.spec.name == wanted:
            return provided
    for report in plugins.reports:
        if report.name == wanted and report.state != "loaded":
            why = f"failed: {report.error}" if report.error else "is blocked"
            raise PluginError(f"store {wanted}: the plugin {report} {why}")
    available = ", ".join(sorted(provided.spec.name for provided in plugins.stores)) or "none"
    raise PluginError(f"store {wanted}: no such store; available: {available}")


def check_startable(plugins: Plugins) -> None:
    """Refuse to serve while it is open whose routes, or which of our own plugins, to use.

    Raises:
        PluginConflict: names both distributions and how to choose.
    """
    for conflict in plugins.conflicts:
        if conflict.kind in ("routes", "path") or (conflict.kind == "plugin" and conflict.bundled):
            raise conflict.error()


@dataclass(frozen=True)
class _Loaded:
    """One plugin's records, before it is known whether others provide the same."""

    report: PluginReport
    records: dict[Kind, list[Any]]


def _load(candidate: Candidate, settings: Settings, twice: set[str]) -> _Loaded:
    report = PluginReport(candidate.name, candidate.distribution, candidate.version, "failed")
    if _blocked(candidate, settings):
        return _Loaded(replace(report, state="blocked"), {})
    if candidate.error or candidate.name in twice:
        return _Loaded(replace(report, error=candidate.error), {})
    try:
        records = _records(candidate)
    except (Exception, SystemExit) as error:
        log.debug("plugin %s", report, exc_info=True)
        return _Loaded(replace(report, error=sentence_of(error)), {})
    provides = tuple(
        Provision(kind, record.name, record.summary)
        for kind, specs in records.items()
        for record in specs
    )
    return _Loaded(replace(report, state="loaded", provides=provides), records)


def _records(candidate: Candidate) -> dict[Kind, list[Any]]:
    """Import a plugin and ask its hooks; a manager of its own keeps it apart from the others."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    plugin = candidate.load()
    manager.register(plugin, candidate.name)
    manager.check_pending()
    if not manager.get_hookcallers(plugin):
        raise PluginError("it implements none of the hooks of pipeline_host.hookspecs")
    return {
        kind: check_records(hook, spec, getattr(manager.hook, hook)())
        for kind, (hook, spec) in _HOOKS.items()
    }


def _blocked(candidate: Candidate, settings: Settings) -> bool:
    if settings.safe_mode and canonical(candidate.distribution) != BUNDLED:
        return True
    return any(candidate.matches(block) for block in settings.block)


def _warn_of_idle_blocks(found: Iterable[Candidate], blocks: Iterable[str]) -> None:
    for block in blocks:
        if not any(candidate.matches(block) for candidate in found):
            log.warning("block: no plugin and no distribution with plugins is called %s", block)


def _same_names(candidates: Iterable[Candidate]) -> set[str]:
    names = [candidate.name for candidate in candidates]
    return {name for name in names if names.count(name) > 1}


def _name_conflicts(loaded: Iterable[_Loaded]) -> list[Conflict]:
    wanting = [one.report for one in loaded if one.report.state != "blocked"]
    groups = _groups((report.name, report) for report in wanting)
    return [Conflict("plugin", str(name), reports) for name, reports in groups]


def _record_conflicts(loaded: Sequence[_Loaded]) -> list[Conflict]:
    conflicts: list[Conflict] = []
    for kind in _HOOKS:
        named = ((r.name, one.report) for one in loaded for r in one.records.get(kind, ()))
        conflicts += [Conflict(kind, str(name), reports) for name, reports in _groups(named)]
    paths = [
        (path, one.report)
        for one in loaded
        for spec in one.records.get("routes", ())
        for path in spec.paths
    ]
    shown = {template_key(path): path for path, _ in paths}
    keyed = ((template_key(path), report) for path, report in paths)
    return conflicts + [Conflict("path", shown[key], who) for key, who in _groups(keyed)]


K = TypeVar("K", bound=Hashable)


def _groups(pairs: Iterable[tuple[K, PluginReport]]) -> list[tuple[K, tuple[PluginReport, ...]]]:
    """The keys that several plugins have, each with those plugins."""
    groups: dict[K, list[PluginReport]] = defaultdict(list)
    for key, report in pairs:
        groups[key].append(report)
    return [(key, tuple(reports)) for key, reports in groups.items() if len(reports) > 1]


def _assemble(loaded: Sequence[_Loaded], conflicts: Sequence[Conflict]) -> Plugins:
    reports = [_with_conflicts(one.report, conflicts) for one in loaded]
    taken = {(conflict.kind, conflict.name) for conflict in conflicts}

    def usable(kind: Kind, _type: Callable[..., R]) -> tuple[Provided[R], ...]:
        return tuple(
            Provided(record, report)
            for one, report in zip(loaded, reports, strict=True)
            for record in one.records.get(kind, ())
            if (kind, record.name) not in taken
        )

    return Plugins(
        reports=tuple(reports),
        stores=usable("store", StoreSpec),
        routes=usable("routes", RouteSpec),
        sinks=usable("sink", SinkSpec),
        commands=usable("command", CommandSpec),
        lifespans=usable("lifespan", LifespanSpec),
        conflicts=tuple(conflicts),
    )


def _with_conflicts(report: PluginReport, conflicts: Iterable[Conflict]) -> PluginReport:
    for sentence in [str(conflict) for conflict in conflicts if report in conflict.plugins]:
        report = report.with_error(sentence)
    return report
