"""The plugin ``dashboard``: pages for people, made of what any other client may use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pipeline_host.hookspecs import Route, RouteSpec, hookimpl
from pipeline_host.host import Host
from pipeline_host_dashboard.assets import Assets
from pipeline_host_dashboard.listing import (
    ABOUT,
    COUNTS,
    ROWS,
    AboutResource,
    CountsResource,
    RowsResource,
)
from pipeline_host_dashboard.rendered import PATH as RENDERED
from pipeline_host_dashboard.rendered import RenderedResource
from pipeline_host_dashboard.resource import AssetResource, PageResource
from pipeline_host_dashboard.timeline import PATH as TIMELINE
from pipeline_host_dashboard.timeline import TimelineResource

PAGES: Final = ("/", "/process", "/process/{process_id}", "/timeline")
ASSET: Final = "/static/{build}/{name:path}"
PATHS: Final = (*PAGES, ASSET, ABOUT, ROWS, COUNTS, RENDERED, TIMELINE)


def _routes(host: Host) -> Iterable[Route]:
    assets = Assets.load()
    page = PageResource(assets)
    yield from (Route(path, page) for path in PAGES)
    yield Route(ASSET, AssetResource(assets))
    yield Route(ABOUT, AboutResource(host, assets))
    yield Route(ROWS, RowsResource(host))
    yield Route(COUNTS, CountsResource(host))
    yield Route(RENDERED, RenderedResource(host))
    yield Route(TIMELINE, TimelineResource(host))


@hookimpl
def pipeline_host_routes() -> Iterable[RouteSpec]:
    return [RouteSpec("dashboard", "Pages for people", _routes, PATHS)]
