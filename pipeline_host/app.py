"""Putting it all together: settings, plugins and a store become one WSGI application."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import falcon

from pipeline_host.bodies import HOST_KEY
from pipeline_host.config import Settings, plugin_options
from pipeline_host.data_dir import make_data_dir
from pipeline_host.errors import PluginError, StartupError
from pipeline_host.expiry import Expiry
from pipeline_host.guard import SECURITY_HEADERS, Guard, refusal_answer
from pipeline_host.hookspecs import (
    LifespanSpec,
    NoOptions,
    Route,
    RouteSpec,
    SinkSpec,
    StoreContext,
)
from pipeline_host.host import Host
from pipeline_host.live import LiveStore
from pipeline_host.observing import Observing
from pipeline_host.paths import canonical_path, raw_path, template_key
from pipeline_host.plugins import (
    Conflict,
    Plugins,
    Provided,
    check_startable,
    load_plugins,
    select_store,
)
from pipeline_host.reports import PluginReport, Reports, sentence_of
from pipeline_host.retention import Retention
from pipeline_host.sinks import Sinks
from pipeline_host.store import DoorbellStore, ProcessStore
from pipeline_host.web import make_falcon_app

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log: Final = logging.getLogger(__name__)


class Application:
    """One worker's assembled service, as a WSGI application (PEP 3333).

    Attributes:
        host: what the plugins were given.
    """

    def __init__(self, host: Host, routes: WSGIApplication, closing: ExitStack) -> None:
        self.host = host
        self._routes = routes
        self._guard = Guard.of(host.settings)
        self._closing = closing
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["PATH_INFO"] = path = canonical_path(raw_path(environ))
        environ[HOST_KEY] = self.host
        answer: Any = partial(_start_securely, start_response)
        refusal = self._guard.refusal(environ, path)
        if refusal is None:
            return self._routes(environ, answer)
        status, headers, body = refusal_answer(refusal)
        answer(status, headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def close(self) -> None:
        """Begin draining, then end lifespans, sinks and the store; a second time does nothing."""
        with self._lock:
            closing, self._closing = self._closing, ExitStack()
        closing.close()


def create_app(settings: Settings) -> Application:
    """Assemble the service that the settings describe.

    Raises:
        StartupError: it can't be as asked; the sentence says why and what to do.
    """
    plugins = load_plugins(settings)
    check_startable(plugins)
    _warn_of_unused_options(plugins, settings)
    chosen = select_store(plugins, settings)
    _check_options((*plugins.routes, *plugins.sinks), settings)
    reports = Reports(plugins.reports)
    with ExitStack() as closing:
        store = LiveStore(open_store(chosen, settings))
        closing.callback(store.close)
        retention = Retention(store, settings)
        closing.callback(retention.close)
        expiry = Expiry(store)
        closing.callback(expiry.close)
        sinks = Sinks(store, settings.workers)
        closing.callback(sinks.close)
        host = Host(settings=settings, store=store, plugins=reports, sinks=sinks.tellers)
        falcon_app = make_falcon_app()
        _add_routes(falcon_app, plugins.routes, host, reports)
        for sink in plugins.sinks:
            _subscribe(sink, sinks, host, reports)
        for lifespan in plugins.lifespans:
            _enter(lifespan, host, reports, closing)
        if host.observers:
            falcon_app.add_middleware(Observing(host.observers))
        retention.start()
        expiry.start()
        closing.callback(host.delivery.close)
        closing.callback(host.draining.begin)
        return Application(host, falcon_app, closing.pop_all())


def open_store(
    chosen: Provided[Any], settings: Settings, *, examining: bool = False
) -> ProcessStore:
    """Open the selected store in the data directory, which is made if it isn't there.

    Args:
        examining: only to look what is there; nothing is made.

    Raises:
        StartupError: the directory or the store can't be used so.
    """
    spec = chosen.spec
    if settings.workers > 1 and not spec.shared:
        raise StartupError(
            f"workers: expected 1 with the store {spec.name}, got {settings.workers}, "
            "because it can't be shared between processes"
        )
    options = plugin_options(settings, spec.name, spec.options)
    if not examining:
        make_data_dir(settings.data_dir)
    try:
        store = spec.factory(StoreContext(settings.data_dir, options, examining))
    except StartupError:
        raise
    except Exception as error:
        raise StartupError(
            f"store {spec.name}: {chosen.plugin} can't open it: {sentence_of(error)}"
        ) from error
    if not isinstance(store, ProcessStore):
        raise PluginError(f"store {spec.name}: {chosen.plugin} made no ProcessStore but {store!r}")
    if settings.workers > 1 and not isinstance(store, DoorbellStore):
        store.close()
        raise PluginError(
            f"store {spec.name}: {chosen.plugin} declares it shared, but it has no doorbell"
        )
    return store


def _warn_of_unused_options(plugins: Plugins, settings: Settings) -> None:
    known = {report.name for report in plugins.reports}
    known |= {provision.name for report in plugins.reports for provision in report.provides}
    for name in settings.plugins.keys() - known:
        log.warning("plugins.%s: there are options, but no plugin of that name", name)


def _add_routes(
    app: falcon.App[Any, Any], sets: Iterable[Provided[RouteSpec]], host: Host, reports: Reports
) -> None:
    """Mount what the plugins make; a set that can't be made is reported and left out.

    Raises:
        PluginConflict: two plugins want one path, which their records' ``paths`` didn't tell.
    """
    owners: dict[str, PluginReport] = {}
    for provided in sets:
        routes: list[Route] = []
        with reports.guard(provided.plugin, f"routes {provided.spec.name}"):
            routes = _make_routes(provided, host)
        for route in routes:
            _claim(owners, route, provided.plugin)
            with reports.guard(provided.plugin, f"route {route.path}"):
                app.add_route(route.path, route.resource)
                host.routes.append(route)


def _make_routes(provided: Provided[RouteSpec], host: Host) -> list[Route]:
    routes = list(provided.spec.factory(host))
    for route in routes:
        if not isinstance(route, Route):
            raise PluginError(f"expected Route records, got {route!r}")
        if not (isinstance(route.path, str) and route.path.startswith("/")):
            raise PluginError(f"expected a path that begins with /, got {route.path!r}")
    return routes


def _claim(owners: dict[str, PluginReport], route: Route, plugin: PluginReport) -> None:
    owner = owners.setdefault(template_key(route.path), plugin)
    if owner is not plugin:
        raise Conflict("path", route.path, (owner, plugin)).error()


def _check_options(
    provisions: Iterable[Provided[RouteSpec] | Provided[SinkSpec]], settings: Settings
) -> None:
    """Refuse options that don't fit, before anything is begun.

    Raises:
        InvalidSettings: an option is unknown, or has a value that can't be used.
    """
    for provided in provisions:
        if provided.spec.options is not NoOptions:
            plugin_options(settings, provided.spec.name, provided.spec.options)


def _subscribe(provided: Provided[SinkSpec], sinks: Sinks, host: Host, reports: Reports) -> None:
    with reports.guard(provided.plugin, f"sink {provided.spec.name}"):
        made = provided.spec.factory(host)
        sinks.add(provided.spec, made, partial(reports.note, provided.plugin))


def _enter(
    provided: Provided[LifespanSpec], host: Host, reports: Reports, closing: ExitStack
) -> None:
    """Start a lifespan, and have it ended with the application."""
    name = f"lifespan {provided.spec.name}"

    def leave(manager: AbstractContextManager[object]) -> None:
        with reports.guard(provided.plugin, name):
            manager.__exit__(None, None, None)

    with reports.guard(provided.plugin, name):
        manager = provided.spec.factory(host)
        manager.__enter__()
        closing.callback(leave, manager)


def _start_securely(
    start_response: StartResponse,
    status: str,
    headers: list[tuple[str, str]],
    exc_info: Any = None,
) -> Any:
    present = {name.lower() for name, _ in headers}
    headers.extend([header for header in SECURITY_HEADERS if header[0] not in present])
    return (
        start_response(status, headers, exc_info) if exc_info else start_response(status, headers)
    )
