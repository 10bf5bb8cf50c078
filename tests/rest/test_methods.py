"""What holds for every route: unknown paths, other methods, ``OPTIONS`` and ``HEAD``."""

from __future__ import annotations

import pytest

from .client import Api, item

METHODS = {
    "/api/health": {"GET"},
    "/api/workspaces": {"GET", "POST"},
    "/api/processes": {"GET", "POST", "DELETE"},
    "/api/processes/some%2Fid": {"GET", "PATCH", "DELETE"},
    "/api/processes/some%2Fid/cancel": {"POST"},
    "/api/processes/some%2Fid/output": {"GET", "POST", "PUT"},
    "/api/stats": {"GET"},
    "/api/openapi.json": {"GET"},
}
ALL = {"GET", "POST", "PUT", "PATCH", "DELETE"}


def allowed(methods: set[str]) -> set[str]:
    return methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())


@pytest.mark.parametrize(("path", "methods"), METHODS.items())
def test_another_method_is_405_with_those_that_there_are(
    api: Api, path: str, methods: set[str]
) -> None:
    for method in sorted(ALL - methods):
        answer = api.request(method, path)
        assert answer.status == 405
        assert set(answer.headers["allow"].replace(" ", "").split(",")) == allowed(methods)
        assert answer.error


@pytest.mark.parametrize("method", ["BREW", "TRACE", "get"])
def test_a_method_that_nobody_has_heard_of_is_refused(api: Api, method: str) -> None:
    answer = api.request(method, "/api/health")
    assert answer.status in (400, 405, 501)
    assert answer.error


@pytest.mark.parametrize(("path", "methods"), METHODS.items())
def test_options_tells_the_methods(api: Api, path: str, methods: set[str]) -> None:
    answer = api.request("OPTIONS", path)
    assert answer.status in (200, 204)
    assert answer.body == b""
    assert set(answer.headers["allow"].replace(" ", "").split(",")) == allowed(methods)


@pytest.mark.parametrize(
    "path",
    [
        "/api",
        "/api/",
        "/api/nothing",
        "/api/processes/x/nothing",
        "/api/processes/x/output/more",
        "/api/health/more",
        "/API/health",
        "/api//health",
        "/api/%68ealt",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_path_is_404_as_json(api: Api, method: str, path: str) -> None:
    answer = api.request(method, path)
    assert answer.status == 404
    assert answer.error


def test_head_tells_what_get_would(api: Api) -> None:
    path = item(api.create()["id"])
    get, head = api.get(path), api.request("HEAD", path)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(get.body))
    missing = api.request("HEAD", path + "x")
    assert (missing.status, missing.body) == (404, b"")


def test_dots_in_a_path_are_segments_like_any_other(api: Api) -> None:
    assert api.get("/api/processes/../health").status == 404
    assert api.get("/api/processes/%2E%2E").status == 404
