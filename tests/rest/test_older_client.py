"""Requests as an older client of the first server sends them, recorded as they were."""

from __future__ import annotations

import json
from typing import Any

from .client import Answer, Api, item, unique

HEADERS = {"Content-Type": "application/json", "Accept": "*/*", "User-Agent": "node"}


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


def test_a_cancel_comes_without_a_body_and_without_a_type(api: Api) -> None:
    sent = recorded(unique("review"))
    send(api, "POST", "/api/processes", sent)
    path = item(sent["id"], "/cancel")
    assert api.request("POST", path, None, {"Content-Length": "0"}).status == 200
    with_type = api.request("POST", path, None, HEADERS | {"Content-Length": "0"})
    assert with_type.status == 409


def test_a_workspace_is_registered_whenever_the_editor_opens(api: Api) -> None:
    workspace = {"id": unique("w"), "name": "project", "rootPath": "/home/me/project"}
    statuses = [send(api, "POST", "/api/workspaces", workspace).status for _ in range(2)]
    assert statuses == [201, 201]
