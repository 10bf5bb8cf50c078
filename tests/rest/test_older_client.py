"""Requests as an older client of the first server sends them, recorded as they were."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any

import pytest

from .client import Answer, Api, item, unique

HEADERS = {
    "Content-Type": "application/json",
    "X-Workspace-Id": "0123456789abcdef",
    "Accept": "*/*",
    "User-Agent": "node",
}


def recorded(name: str) -> dict[str, Any]:
    """A whole serialized process."""
    return {
        "id": name,
        "type": "code-review-group",
        "promptPreview": "Review of 3 commits",
        "fullPrompt": "Review these commits:\n- a\n- b\n- c",
        "status": "running",
        "startTime": "2026-11-22T07:00:00.123Z",
        "metadata": {"type": "code-review-group", "reviewType": "range"},
        "codeReviewGroupMetadata": {
            "reviewType": "range",
            "rulesUsed": ["naming.md"],
            "childProcessIds": [f"{name}-1", f"{name}-2"],
            "executionStats": {"totalRules": 2, "successfulRules": 0},
        },
        "workspaceId": "0123456789abcdef",
    }


def send(api: Api, method: str, path: str, value: object = None) -> Answer:
    if value is None:
        return api.request(method, path, None, {"Accept": "*/*", "User-Agent": "node"})
    return api.request(method, path, json.dumps(value, separators=(",", ":")).encode(), HEADERS)


def on_the_wire(
    api: Api, method: str, path: str, headers: Mapping[str, str], body: bytes = b""
) -> bytes:
    """The answer to a request with just these headers, and ``Host``; as it comes."""
    told = {"Host": f"127.0.0.1:{api.port}", "Connection": "close", **headers}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items())]
    with api.connect() as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        with connection.makefile("rb") as answer:
            return answer.read()


def test_a_whole_process_is_posted_then_patched_whole_and_deleted(api: Api) -> None:
    sent = recorded(unique("review"))
    created = send(api, "POST", "/api/processes", sent)
    assert created.status == 201
    assert created.json()["id"] == sent["id"]
    assert created.json()["metadata"]["workspaceId"] == "0123456789abcdef"
    ended = sent | {
        "status": "completed",
        "endTime": "2026-11-22T07:03:00.456Z",
        "result": "Fine.",
        "structuredResult": '{"summary":{}}',
        "metadata": {"type": "code-review-group", "reviewType": "range", "done": True},
    }
    patched = send(api, "PATCH", item(sent["id"]), ended)
    assert patched.status == 200
    expected = {key: value for key, value in ended.items() if key != "workspaceId"}
    expected["metadata"] = {**ended["metadata"], "workspaceId": "0123456789abcdef"}
    assert patched.json() == {"process": expected}
    assert send(api, "PATCH", item(sent["id"]), ended).status == 200
    assert send(api, "DELETE", item(sent["id"])).status == 204


def test_a_create_that_is_sent_again_after_a_reconnect_is_accepted(api: Api) -> None:
    sent = recorded(unique("review"))
    assert [send(api, "POST", "/api/processes", sent).status for _ in range(2)] == [201, 200]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Length": "0"},
        HEADERS,
        HEADERS | {"Content-Length": "0"},
        HEADERS | {"Transfer-Encoding": "chunked"},
    ],
    ids=["bare", "length", "type", "type-and-length", "chunked"],
)
def test_a_cancel_comes_without_a_body(api: Api, headers: dict[str, str]) -> None:
    sent = recorded(unique("review"))
    send(api, "POST", "/api/processes", sent)
    end = b"0\r\n\r\n" if "Transfer-Encoding" in headers else b""
    answer = on_the_wire(api, "POST", item(sent["id"], "/cancel"), headers, end)
    assert answer.startswith(b"HTTP/1.1 200 ")
    process = api.get(item(sent["id"])).json()["process"]
    assert process["status"] == "cancelled"
    assert process["cancellation"].keys() == {"requestedTime"}


def test_a_process_that_has_ended_is_cancelled_in_vain(api: Api) -> None:
    sent = recorded(unique("review")) | {"status": "completed"}
    send(api, "POST", "/api/processes", sent)
    refused = send(api, "POST", item(sent["id"], "/cancel"))
    assert refused.status == 409
    assert refused.error == "Process is already in terminal state: completed"


def test_a_process_is_patched_whole_even_where_only_its_result_is_new(api: Api) -> None:
    sent = recorded(unique("review"))
    send(api, "POST", "/api/processes", sent)
    ended = sent | {"status": "failed", "error": "no model", "promptPreview": "renamed meanwhile"}
    assert send(api, "PATCH", item(sent["id"]), ended).status == 200
    late = send(api, "PATCH", item(sent["id"]), ended | {"result": "after all"})
    assert late.status == 200
    process = late.json()["process"]
    assert (process["status"], process["result"]) == ("failed", "after all")
    assert process["promptPreview"] == "Review of 3 commits"


def test_a_process_that_was_removed_elsewhere_is_removed_again_with_a_404(api: Api) -> None:
    sent = recorded(unique("review"))
    send(api, "POST", "/api/processes", sent)
    path = item(sent["id"])
    assert [send(api, "DELETE", path).status for _ in range(2)] == [204, 404]
    assert send(api, "PATCH", path, sent).status == 404


def test_its_whole_life_goes_over_one_connection(api: Api) -> None:
    sent = recorded(unique("review"))
    steps = [
        ("POST", "/api/processes", sent, 201),
        ("PATCH", item(sent["id"]), sent | {"result": "so far"}, 200),
        ("POST", item(sent["id"], "/cancel"), None, 200),
        ("PATCH", item(sent["id"]), sent | {"status": "completed"}, 409),
        ("DELETE", item(sent["id"]), None, 204),
    ]
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=30)
    statuses = []
    for method, path, value, _ in steps:
        body = None if value is None else json.dumps(value)
        connection.request(method, path, body, HEADERS if body else {})
        response = connection.getresponse()
        response.read()
        statuses.append(response.status)
        assert connection.sock is not None, "the server closed it"
    connection.close()
    assert statuses == [step[3] for step in steps]


def test_a_workspace_is_registered_whenever_the_editor_opens(api: Api) -> None:
    workspace = {"id": unique("w"), "name": "project", "rootPath": "/home/me/project"}
    statuses = [send(api, "POST", "/api/workspaces", workspace).status for _ in range(2)]
    assert statuses == [201, 201]
