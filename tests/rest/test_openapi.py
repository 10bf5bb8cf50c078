"""The OpenAPI document says what is really there, and what is really answered."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from pipeline_host.app import create_app
from pipeline_host.config import Settings
from pipeline_host.hookspecs import Route
from pipeline_host.testing import LiveServer
from pipeline_host_rest import queries
from pipeline_host_rest.openapi import document
from pipeline_host_rest.operations import CLEAR_PARAMETERS, LIST_PARAMETERS, OUTPUT_PARAMETERS

from .client import FULL, Answer, Api, item, new_process, unique

METHODS = {"get", "post", "put", "patch", "delete"}
ELSEWHERE = {"408", "413"}
"""Statuses that take long to have; their answers are looked at where they are tested."""
DASHBOARD = "/api/dashboard/"
"""What the dashboard's page asks for is held to its schemas where the dashboard is tested."""


@pytest.fixture
def routes(tmp_path: Path) -> Iterator[list[Route]]:
    """The routes that all bundled plugins mount."""
    app = create_app(Settings(data_dir=tmp_path / "data", safe_mode=True))
    try:
        yield app.host.routes
    finally:
        app.close()


@pytest.fixture
def told(api: Api) -> dict[str, Any]:
    answer = api.get("/api/openapi.json")
    assert answer.status == 200
    served = answer.json()
    assert isinstance(served, dict)
    return served


def responders(resource: object) -> set[str]:
    return {name for name in METHODS if callable(getattr(resource, f"on_{name}", None))}


def test_the_document_is_valid_openapi(told: dict[str, Any]) -> None:
    assert told["openapi"] == "3.1.0"
    validate(told)


def test_every_route_is_documented_and_nothing_else(
    told: dict[str, Any], routes: list[Route]
) -> None:
    documented = {path: described.keys() & METHODS for path, described in told["paths"].items()}
    mounted = {
        route.path: responders(route.resource) for route in routes if route.path.startswith("/api/")
    }
    assert documented == mounted


def test_what_is_served_is_made_from_the_routes(told: dict[str, Any], routes: list[Route]) -> None:
    assert told == json.loads(json.dumps(document(routes)))


def test_a_route_of_another_plugin_is_documented_only_where_it_is_mounted(
    told: dict[str, Any], tmp_path: Path
) -> None:
    stream = "/api/processes/{process_id}/stream"
    with LiveServer(tmp_path / "data", "--block", "sse") as server:
        without = Api(server.port).get("/api/openapi.json").json()
    assert told["paths"].keys() - without["paths"].keys() == {stream}
    assert "text/event-stream" in told["paths"][stream]["get"]["responses"]["200"]["content"]


def test_every_path_parameter_is_described(told: dict[str, Any]) -> None:
    for path, described in told["paths"].items():
        named = re.findall(r"\{(\w+)\}", path)
        parameters = [resolve(told, one) for one in described.get("parameters", [])]
        assert [one["name"] for one in parameters if one["in"] == "path"] == named


def test_the_query_parameters_that_are_described_are_those_that_are_read() -> None:
    for described, read in (
        (LIST_PARAMETERS, queries.LIST),
        (CLEAR_PARAMETERS, queries.CLEAR),
        (OUTPUT_PARAMETERS, queries.OUTPUT),
    ):
        assert {parameter["name"] for parameter in described} == read


def test_every_schema_is_used(told: dict[str, Any]) -> None:
    text = json.dumps(told)
    for name in told["components"]["schemas"]:
        assert f'"#/components/schemas/{name}"' in text, name


def resolve(told: dict[str, Any], described: dict[str, Any]) -> dict[str, Any]:
    found: Any = described
    while "$ref" in found:
        reference = found["$ref"]
        found = told
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
    assert isinstance(found, dict)
    return found


def schema_of(told: dict[str, Any], path: str, method: str, answer: Answer) -> dict[str, Any]:
    """The schema of an answer's body, from the operation that it belongs to."""
    operation = told["paths"][path][method.lower()]
    response = resolve(told, operation["responses"][str(answer.status)])
    described: dict[str, Any] = response["content"][answer.headers["content-type"]]["schema"]
    return described


def strict(schema: Any) -> Any:
    """The same schema, that takes no property which it doesn't name."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: strict(value) for key, value in schema.items()}
    if "properties" in schema and "required" in schema:
        closed["additionalProperties"] = False
    return closed


def check(told: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    Draft202012Validator(schema | {"components": told["components"]}).validate(value)


def requests(api: Api) -> Iterator[tuple[str, str, Answer]]:
    """One request for every answer of every operation that can be had; path, method, answer."""
    collection, one = "/api/processes", "/api/processes/{process_id}"
    full = FULL | {"id": unique(), "workspaceId": unique("w"), "leaseSeconds": 30}
    path, missing, live = item(full["id"]), item(unique()), item(api.create()["id"])
    workspace = {"id": full["workspaceId"], "name": "n", "rootPath": "/", "color": "red"}
    yield "/api/health", "GET", api.get("/api/health")
    yield "/api/workspaces", "POST", api.post("/api/workspaces", workspace)
    yield "/api/workspaces", "POST", api.post("/api/workspaces", {})
    yield "/api/workspaces", "GET", api.get("/api/workspaces")
    yield "/api/workspaces", "POST", api.request("POST", "/api/workspaces", b"{}")
    yield collection, "POST", api.post(collection, full)
    yield collection, "POST", api.post(collection, full)
    yield collection, "POST", api.post(collection, full | {"result": "another"})
    yield collection, "POST", api.post(collection, {})
    yield collection, "POST", api.request("POST", collection, b"{}")
    yield collection, "GET", api.get(f"{collection}?limit=1")
    yield collection, "GET", api.get(f"{collection}?limit=x")
    yield one, "GET", api.get(path)
    yield one, "GET", api.get(missing)
    yield one, "PATCH", api.patch(path, {"result": "r", "metadata": {"x": None}})
    yield one, "PATCH", api.patch(path, {"status": "queued"})
    yield one, "PATCH", api.patch(path, {"status": None})
    yield one, "PATCH", api.patch(missing, {})
    yield one, "PATCH", api.request("PATCH", path, b"{}")
    for method in ("POST", "PUT"):
        yield f"{one}/output", method, api.send(method, f"{live}/output", {"content": "abc"})
        yield f"{one}/output", method, api.send(method, f"{live}/output", {"content": 1})
        yield f"{one}/output", method, api.request(method, f"{live}/output?offset=99", b"")
        yield f"{one}/output", method, api.request(method, f"{missing}/output", b"")
        compressed = {"Content-Encoding": "gzip"}
        yield f"{one}/output", method, api.request(method, f"{live}/output", b"", compressed)
    yield f"{one}/output", "GET", api.get(f"{missing}/output")
    yield f"{one}/output", "GET", api.get(f"{live}/output", Range="bytes=999-")
    yield f"{one}/heartbeat", "POST", api.request("POST", f"{live}/heartbeat")
    yield f"{one}/heartbeat", "POST", api.request("POST", f"{path}/heartbeat")
    yield f"{one}/heartbeat", "POST", api.request("POST", f"{missing}/heartbeat")
    yield f"{one}/cancel", "POST", api.request("POST", f"{live}/cancel")
    yield f"{one}/cancel", "POST", api.request("POST", f"{live}/cancel")
    yield f"{one}/cancel", "POST", api.request("POST", f"{missing}/cancel")
    yield f"{one}/stream", "GET", api.get(f"{live}/stream?replay=perhaps")
    yield f"{one}/stream", "GET", api.get(f"{missing}/stream")
    yield "/api/events", "GET", api.get("/api/events?workspace=v&workspace=w")
    yield one, "DELETE", api.delete(missing)
    yield collection, "DELETE", api.delete(f"{collection}?status=completed&workspace=none")
    yield collection, "DELETE", api.delete(collection)
    yield "/api/stats", "GET", api.get("/api/stats")
    yield "/api/openapi.json", "GET", api.get("/api/openapi.json")


def test_every_answer_is_as_its_schema_says_and_holds_nothing_more(
    api: Api, told: dict[str, Any]
) -> None:
    closed = strict(told)
    seen = set()
    for path, method, answer in requests(api):
        check(closed, schema_of(closed, path, method, answer), answer.json())
        seen.add((method.lower(), path, str(answer.status)))
    described = {
        (method, path, status)
        for path, item in told["paths"].items()
        if not path.startswith(DASHBOARD)
        for method in item.keys() & METHODS
        for status, response in item[method]["responses"].items()
        if status.isdigit() and "application/json" in resolve(told, response).get("content", {})
    }
    assert seen <= described
    assert {case for case in described - seen if case[2] not in ELSEWHERE} == set()


def test_text_is_answered_as_text(api: Api, told: dict[str, Any]) -> None:
    path = item(api.create()["id"], "/output")
    api.request("PUT", path, b"abc")
    described = told["paths"]["/api/processes/{process_id}/output"]["get"]["responses"]
    for answer in (api.get(path), api.get(path, Range="bytes=0-0")):
        assert answer.headers["content-type"] in described[str(answer.status)]["content"]


@pytest.mark.parametrize(
    ("schema", "body"),
    [
        ("NewProcess", FULL | {"id": None, "workspaceId": "w"}),
        ("NewProcess", new_process(error=None, fullPrompt=None, metadata=None)),
        (
            "ProcessPatch",
            {"status": "failed", "result": None, "cancellation": {"outcome": "killed"}},
        ),
        ("ProcessPatch", FULL),
        ("Workspace", {"id": "w", "name": "n", "rootPath": "/"}),
        ("OutputWrite", {"content": "x"}),
        ("OutputWrite", {"content": "x", "stream": "stderr", "offset": 0}),
        ("OutputWrite", {"chunks": [{"content": "x"}, {"content": "y", "stream": "s"}]}),
    ],
)
def test_bodies_that_are_accepted_are_as_the_schema_says(
    told: dict[str, Any], schema: str, body: dict[str, Any]
) -> None:
    check(told, {"$ref": f"#/components/schemas/{schema}"}, body)


@pytest.mark.parametrize(
    ("schema", "body"),
    [
        ("NewProcess", {"promptPreview": "p", "status": "running"}),
        ("NewProcess", new_process(status="done")),
        ("NewProcess", new_process(id="")),
        ("ProcessPatch", {"status": None}),
        ("OutputWrite", {}),
        ("OutputWrite", {"content": "x", "chunks": []}),
        ("OutputWrite", {"content": "x", "offset": -1}),
    ],
)
def test_bodies_that_are_refused_are_not_as_the_schema_says(
    told: dict[str, Any], schema: str, body: dict[str, Any]
) -> None:
    validator = Draft202012Validator(
        {"$ref": f"#/components/schemas/{schema}", "components": told["components"]}
    )
    assert not validator.is_valid(body)
