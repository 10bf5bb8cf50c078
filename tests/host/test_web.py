"""Routing, methods and errors, as every plugin's resources have them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import falcon
import pytest

from pipeline_host.errors import (
    BodyTimeout,
    BodyTooLarge,
    Conflict,
    InvalidInput,
    NotFound,
    OffsetMismatch,
    PipelineHostError,
    StorageFull,
    StoreCorrupt,
    StoreUnavailable,
    TerminalState,
)
from pipeline_host.paths import canonical_path
from pipeline_host.web import make_falcon_app

from .wsgi_client import Answer, call


class Echo:
    """Answers with what the router found."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, **params: Any) -> None:
        resp.media = params | {"template": req.uri_template}

    def on_post(self, req: falcon.Request, resp: falcon.Response, **params: Any) -> None:
        resp.media = req.media


class WriteOnly:
    def on_put(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.status = HTTPStatus.NO_CONTENT


class OwnHead:
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        raise AssertionError("not called for HEAD")

    def on_head(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.set_header("x-own", "yes")

    def on_options(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.set_header("allow", "own")


class Raising:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.content_type = "text/plain"
        resp.text = "half an answer"
        raise self.error


class Streaming:
    """A stream that holds something from when it is made until it is closed."""

    def __init__(self) -> None:
        self.held = 0

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        self.held += 1
        resp.stream = self

    def __iter__(self) -> Iterator[bytes]:
        return iter((b"one", b"two"))

    def close(self) -> None:
        self.held -= 1


def ask(resource: object, method: str = "GET", target: str = "/x", *args: Any, **kw: Any) -> Answer:
    app = make_falcon_app()
    app.add_route("/x", resource)
    return send(app, method, target, *args, **kw)


def send(app: Any, method: str, target: str, *args: Any, **kw: Any) -> Answer:
    """Ask an application as the host does: with the path in its canonical form."""

    def routed(environ: dict[str, Any], start_response: Any) -> Any:
        environ["PATH_INFO"] = canonical_path(target.partition("?")[0])
        return app(environ, start_response)

    return call(routed, method, target, *args, **kw)


@pytest.mark.parametrize(
    ("segment", "value"),
    [
        ("plain", "plain"),
        ("a%2Fb", "a/b"),
        ("a%2fb", "a/b"),
        ("..", ".."),
        ("%2e%2e", ".."),
        ("50%25", "50%"),
        ("50%", "50%"),
        ("%252F", "%2F"),
        ("%E6%97%A5%E6%9C%AC", "日本"),
        ("\xe6\x97\xa5", "日"),
        ("a%20b+c", "a b+c"),
        ("%0A", "\n"),
        ("a;b=c,d", "a;b=c,d"),
        ("", ""),
    ],
)
def test_a_parameter_is_decoded_exactly_once(segment: str, value: str) -> None:
    app = make_falcon_app()
    app.add_route("/things/{thing_id}/parts", Echo())
    answer = send(app, "GET", f"/things/{segment}/parts?x=1")
    assert answer.json == {"thing_id": value, "template": "/things/{thing_id}/parts"}


def test_a_parameter_that_is_no_utf8_is_a_bad_request() -> None:
    app = make_falcon_app()
    app.add_route("/things/{thing_id}", Echo())
    for method in ("GET", "POST", "PATCH"):
        answer = send(app, method, "/things/%FF")
        assert (answer.status, answer.json) == (
            400,
            {"error": "thing_id: expected UTF-8, percent-encoded"},
        )


def test_plugins_may_call_the_same_parameter_differently() -> None:
    app = make_falcon_app()
    app.add_route("/things/{thing_id}", Echo())
    app.add_route("/things/{name}/more/{count:int}", Echo())
    assert send(app, "GET", "/things/a").json["thing_id"] == "a"
    found = send(app, "GET", "/things/a/more/7").json
    assert (found["name"], found["count"]) == ("a", 7)
    assert send(app, "GET", "/things/a/more/x").status == 404


def test_two_parameters_may_share_a_segment() -> None:
    app = make_falcon_app()
    app.add_route("/compare/{old}...{new}", Echo())
    found = send(app, "GET", "/compare/a%2Fb...c").json
    assert (found["old"], found["new"]) == ("a/b", "c")


def test_an_unknown_path_is_told_as_it_was_sent() -> None:
    answer = ask(Echo(), "GET", "/nowhere%2F/x?y=1")
    assert (answer.status, answer.json) == (404, {"error": "Not found: /nowhere%2F/x"})
    assert len(ask(Echo(), "GET", "/" + "x" * 10_000).body) < 400


@pytest.mark.parametrize("target", ["//x", "/x/", "/x/y", "/X", "/"])
def test_a_path_that_is_nearly_right_is_unknown(target: str) -> None:
    assert ask(Echo(), "GET", target).status == 404


def test_head_is_get_without_the_body() -> None:
    get, head = ask(Echo()), ask(Echo(), "HEAD")
    assert head.body == b""
    assert (head.status, head.headers) == (get.status, get.headers)
    assert ask(Echo(), "HEAD", "/nowhere").body == b""
    assert ask(WriteOnly(), "HEAD").status == 405


@pytest.mark.parametrize(("method", "body"), [("GET", b"onetwo"), ("HEAD", b"")])
def test_a_stream_is_closed_whether_it_was_sent_or_not(method: str, body: bytes) -> None:
    resource = Streaming()
    assert ask(resource, method).body == body
    assert resource.held == 0


def test_a_resource_may_answer_head_and_options_itself() -> None:
    assert ask(OwnHead(), "HEAD").headers["x-own"] == "yes"
    assert ask(OwnHead(), "OPTIONS").headers["allow"] == "own"


@pytest.mark.parametrize(
    ("resource", "allow"), [(Echo(), "GET, HEAD, OPTIONS, POST"), (WriteOnly(), "OPTIONS, PUT")]
)
def test_options_and_405_tell_what_is_allowed(resource: object, allow: str) -> None:
    options = ask(resource, "OPTIONS")
    assert (options.status, options.headers["allow"], options.body) == (200, allow, b"")
    for method in ("DELETE", "TRACE", "CONNECT", "PROPFIND", "BREW", "get"):
        answer = ask(resource, method)
        assert (answer.status, answer.headers["allow"]) == (405, allow)
        assert answer.json == {"error": f"Method not allowed: expected {allow}, got {method}"}


@pytest.mark.parametrize(
    ("error", "status", "body"),
    [
        (NotFound(), 404, {"error": "Process not found"}),
        (InvalidInput.field("limit", "an integer"), 400, {"error": "limit: expected an integer"}),
        (Conflict("no"), 409, {"error": "no"}),
        (
            TerminalState("failed"),
            409,
            {"error": "Process is already in terminal state: failed"},
        ),
        (
            OffsetMismatch(9, 5),
            409,
            {"error": "offset: expected 5, the output's length, but got 9", "offset": 5},
        ),
        (StoreUnavailable("later"), 503, {"error": "later"}),
        (StorageFull("full"), 507, {"error": "full"}),
        (StoreCorrupt("journal-1 at 7"), 500, {"error": "journal-1 at 7"}),
        (PipelineHostError("odd"), 500, {"error": "odd"}),
        (falcon.HTTPForbidden(description="Not you"), 403, {"error": "Not you"}),
        (falcon.HTTPForbidden(title="Not you"), 403, {"error": "Not you"}),
        (falcon.HTTPGone(), 410, {"error": "410 Gone"}),
    ],
)
def test_every_error_is_a_sentence_in_json(
    error: Exception, status: int, body: dict[str, Any]
) -> None:
    answer = ask(Raising(error))
    assert (answer.status, answer.json) == (status, body)
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("error", [BodyTooLarge("big"), BodyTimeout("slow")])
def test_a_body_that_wasnt_read_ends_the_connection(error: Exception) -> None:
    assert ask(Raising(error)).headers["connection"] == "close"
    assert "connection" not in ask(Raising(NotFound())).headers


def test_headers_of_an_error_are_kept() -> None:
    error = falcon.HTTPServiceUnavailable(description="later", retry_after=7)
    answer = ask(Raising(error))
    assert (answer.status, answer.headers["retry-after"]) == (503, "7")


def test_a_bug_is_logged_and_told_without_details(caplog: pytest.LogCaptureFixture) -> None:
    answer = ask(Raising(ZeroDivisionError("secret")))
    assert (answer.status, answer.json) == (500, {"error": "Internal error"})
    record = caplog.records[-1]
    assert (record.name, record.levelno) == ("pipeline_host.web", logging.ERROR)
    assert record.getMessage() == "GET /x failed"
    assert "ZeroDivisionError: secret" in caplog.text


@pytest.mark.parametrize("body", [b"{", b"[1]", b"\xff", b"[" * 100_000, b'{"a": NaN}'])
def test_media_that_is_no_json_object_is_a_bad_request(body: bytes) -> None:
    answer = ask(Echo(), "POST", "/x", body, CONTENT_TYPE="application/json")
    assert answer.status == 400
    assert isinstance(answer.json["error"], str)


def test_json_is_compact_utf8() -> None:
    body = json.dumps({"a": "日本"}).encode()
    answer = ask(Echo(), "POST", "/x", body, CONTENT_TYPE="application/json")
    assert answer.body == '{"a":"日本"}'.encode()
