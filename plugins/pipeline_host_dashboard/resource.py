"""The pages and their files, over HTTP."""

from __future__ import annotations

from typing import Any, Final

import falcon

from pipeline_host_dashboard.assets import Asset, Assets

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "font-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""What the page may do (Content Security Policy 3): use this server, and run what it serves."""

_PAGE_HEADERS: Final = (
    ("Cache-Control", "no-cache"),
    ("Content-Security-Policy", POLICY),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)


class PageResource:
    """One page for all addresses that people see; what it shows, its router decides."""

    def __init__(self, assets: Assets) -> None:
        self._page = assets.page
        self._etag = assets.build

    def on_get(self, req: falcon.Request, resp: falcon.Response, **params: Any) -> None:
        resp.set_headers(_PAGE_HEADERS)
        resp.etag = falcon.ETag(self._etag)
        if _is_known(req, self._etag):
            resp.status = falcon.HTTP_304
            return
        _send(req, resp, self._page)


class AssetResource:
    """A file of one build: it never changes, so a browser need never ask again."""

    def __init__(self, assets: Assets) -> None:
        self._assets = assets

    def on_get(self, req: falcon.Request, resp: falcon.Response, build: str, name: str) -> None:
        asset = self._assets.find(build, name)
        if asset is None:
            resp.set_header("Cache-Control", "no-store")
            raise falcon.HTTPNotFound(description="Not found: no such file in this version")
        resp.set_header("Cache-Control", "public, max-age=31536000, immutable")
        _send(req, resp, asset)


def _is_known(req: falcon.Request, etag: str) -> bool:
    given = req.if_none_match or ()
    return any(known in ("*", etag) for known in given)


def _send(req: falcon.Request, resp: falcon.Response, asset: Asset) -> None:
    resp.content_type = asset.content_type
    resp.set_header("Vary", "Accept-Encoding")
    if "gzip" in (req.get_header("Accept-Encoding") or ""):
        resp.set_header("Content-Encoding", "gzip")
        resp.data = asset.zipped
    else:
        resp.data = asset.plain
