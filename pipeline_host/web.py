"""The Falcon application that plugins' routes are mounted on: routing, methods, errors, JSON."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, Final, NoReturn

import falcon
import msgspec
from falcon.media import JSONHandler
from falcon.routing import CompiledRouter

from pipeline_host.errors import BodyTimeout, BodyTooLarge, PipelineHostError, TooManyStreams
from pipeline_host.paths import PARAMETER, decode_parameter, raw_path
from pipeline_host.wire import decode_object

log: Final = logging.getLogger(__name__)

_MAX_SHOWN: Final = 300
_RETRY_AFTER: Final = "5"


def make_falcon_app() -> falcon.App[falcon.Request, falcon.Response]:
    """An application without routes whose every error is JSON and a sentence."""
    app = falcon.App(router=Router())
    handler = JSONHandler(
        dumps=msgspec.json.encode, loads=lambda text: decode_object(text.encode())
    )
    app.req_options.media_handlers[falcon.MEDIA_JSON] = handler
    app.resp_options.media_handlers[falcon.MEDIA_JSON] = handler
    app.add_error_handler(Exception, _on_bug)
    app.add_error_handler(falcon.HTTPError, _on_http_error)
    app.add_error_handler(PipelineHostError, _on_own_error)
    return app


class Methods(dict[str, Callable[..., None]]):
    """A resource's responders by method; a method that nobody has heard of is refused as others."""

    allowed: tuple[str, ...] = ()

    def __missing__(self, method: str) -> Callable[..., None]:
        allowed = self.allowed

        def refuse(req: falcon.Request, resp: falcon.Response, **params: Any) -> NoReturn:
            raise falcon.HTTPMethodNotAllowed(allowed)

        return refuse


class Router(CompiledRouter):
    """Falcon's router on encoded paths: a parameter is decoded after its segment was found.

    Parameters may have other names in each template, ``HEAD`` is answered wherever ``GET`` is,
    and ``OPTIONS`` everywhere.
    """

    def __init__(self) -> None:
        super().__init__()
        self._templates: dict[str, tuple[str, tuple[str, ...]]] = {}

    def add_route(self, uri_template: str, resource: object, **kwargs: Any) -> None:
        names: list[str] = []

        def numbered(match: re.Match[str]) -> str:
            names.append(match["name"])
            return f"{{p{len(names)}{match['converter'] or ''}}}"

        template = PARAMETER.sub(numbered, uri_template)
        super().add_route(template, resource, **kwargs)
        self._templates[template] = (uri_template, tuple(names))

    def map_http_methods(self, resource: object, **kwargs: Any) -> Methods:
        found: dict[str, Any] = super().map_http_methods(resource, **kwargs)
        methods = Methods(found)
        if "GET" in methods:
            methods.setdefault("HEAD", _without_body(methods["GET"]))
        methods.allowed = tuple(sorted({*methods, "OPTIONS"}))
        methods.setdefault("OPTIONS", _options(methods.allowed))
        return methods

    def find(
        self, uri: str, req: falcon.Request | None = None
    ) -> tuple[object, dict[str, Any], dict[str, Any], str | None] | None:
        """See :meth:`falcon.routing.CompiledRouter.find`.

        Raises:
            InvalidInput: a parameter isn't percent-encoded UTF-8.
        """
        found = super().find(uri, req)
        if found is None:
            return None
        resource, methods, values, template = found
        shown, names = self._templates[template or ""]
        params = {
            name: decode_parameter(name, value) if isinstance(value, str) else value
            for name, value in zip(names, values.values(), strict=True)
        }
        return resource, methods, params, shown


def _without_body(on_get: Callable[..., None]) -> Callable[..., None]:
    """A responder for ``HEAD``: Falcon sends no body, but doesn't end a stream that was begun."""

    def on_head(req: falcon.Request, resp: falcon.Response, **params: Any) -> None:
        on_get(req, resp, **params)
        close = getattr(resp.stream, "close", None)
        if close is not None:
            close()

    return on_head


def _options(allowed: Iterable[str]) -> Callable[..., None]:
    value = ", ".join(allowed)

    def on_options(req: falcon.Request, resp: falcon.Response, **params: Any) -> None:
        resp.status = falcon.HTTP_200
        resp.set_header("allow", value)
        resp.set_header("content-length", "0")

    return on_options


def _on_own_error(
    req: falcon.Request, resp: falcon.Response, error: PipelineHostError, params: dict[str, Any]
) -> None:
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("%s %s: %s", req.method, req.path, error)
    if isinstance(error, TooManyStreams):
        resp.set_header("retry-after", _RETRY_AFTER)
    if isinstance(error, (BodyTooLarge, BodyTimeout)):
        # What is left of the body can't be told from the next request.
        resp.set_header("connection", "close")
    _tell(resp, error.status, {"error": str(error), **error.extra()})


def _on_http_error(
    req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError, params: dict[str, Any]
) -> None:
    if error.headers:
        resp.set_headers(error.headers)
    if isinstance(error, falcon.HTTPRouteNotFound):
        sentence = f"Not found: {raw_path(req.env)[:_MAX_SHOWN]}"
    elif isinstance(error, falcon.HTTPMethodNotAllowed):
        allowed = resp.get_header("allow")
        sentence = f"Method not allowed: expected {allowed}, got {req.method[:_MAX_SHOWN]}"
    else:
        sentence = error.description or error.title
    _tell(resp, error.status_code, {"error": sentence})


def _on_bug(
    req: falcon.Request, resp: falcon.Response, error: Exception, params: dict[str, Any]
) -> None:
    log.error("%s %s failed", req.method, req.path, exc_info=error)
    _tell(resp, HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "Internal error"})


def _tell(resp: falcon.Response, status: int, body: dict[str, Any]) -> None:
    resp.status = status
    resp.content_type = falcon.MEDIA_JSON
    resp.stream = None
    resp.data = msgspec.json.encode(body)
