"""``/api/processes/{id}``: look, change, forget; and ``…/cancel``."""

from __future__ import annotations

from typing import Any

import pytest

from .client import START, Api, item, new_process, unique

STRANGE_IDS = [
    "..", ".", "a/b", "/", "50%", "日本", "a b", "%2F", "%252F", "a?b#c", "a+b", "a;b,c", "é",
    "e\u0301", '"quoted"', "\\..\\x", "-rf", "~", "..%2f..%2fetc%2fpasswd", "{id}", "x" * 200,
    "日" * 200, "👩‍👩‍👧" * 40,
]  # fmt: skip


@pytest.mark.parametrize("name", STRANGE_IDS, ids=ascii)
def test_any_id_works_in_every_route(api: Api, name: str) -> None:
    process = new_process(id=name)
    assert api.post("/api/processes", process).status == 201
    assert api.get(item(name)).json()["process"]["id"] == name
    assert api.post(item(name, "/output"), {"content": "x"}).json() == {"offset": 1}
    assert api.get(item(name, "/output")).body == b"x"
    assert api.patch(item(name), {"result": "r"}).json()["process"]["result"] == "r"
    assert api.request("POST", item(name, "/cancel")).json()["process"]["status"] == "cancelled"
    assert api.delete(item(name)).status == 204
    assert api.get(item(name)).status == 404


def test_an_id_is_percent_decoded_once(api: Api) -> None:
    process = api.create(id=unique("a%2Fb"))
    encoded = item(process["id"])
    assert "%252F" in encoded
    assert api.get(encoded).status == 200
    assert api.get(encoded.replace("%252F", "%2F")).status == 404


def test_characters_that_need_no_encoding_may_be_encoded_or_not(api: Api) -> None:
    process = api.create(id=unique("a@b"))
    for path in (item(process["id"]), item(process["id"]).replace("%40", "@")):
        assert api.get(path).status == 200


def test_a_path_that_is_not_utf8_is_400(api: Api) -> None:
    for method in ("GET", "DELETE"):
        answer = api.request(method, "/api/processes/%FF")
        assert answer.status == 400
        assert "UTF-8" in answer.error


@pytest.mark.parametrize("name", ["x" * 201, "x" * 4000, "a%0Ab", "%00", "%7F"])
def test_an_id_that_no_process_can_have_is_404(api: Api, name: str) -> None:
    assert api.get(f"/api/processes/{name}").status == 404


@pytest.mark.parametrize(
    ("method", "rest", "body"),
    [
        ("GET", "", None),
        ("PATCH", "", {}),
        ("DELETE", "", None),
        ("POST", "/cancel", None),
        ("GET", "/output", None),
        ("POST", "/output", {"content": "x"}),
        ("POST", "/output", {"content": ""}),
    ],
)
def test_a_process_that_is_not_there_is_404(
    api: Api, method: str, rest: str, body: dict[str, Any] | None
) -> None:
    path = item(unique(), rest)
    answer = api.request(method, path) if body is None else api.send(method, path, body)
    assert (answer.status, answer.error) == (404, "Process not found")


def test_a_patch_changes_only_what_is_given(api: Api) -> None:
    before = api.create(error="old", metadata={"a": 1, "b": 2}, workspaceId="w")
    changes = {
        "status": "completed",
        "result": "done",
        "endTime": "2026-11-22T08:00:00+00:00",
        "structuredResult": "{}",
        "exitCode": 3,
        "metadata": {"b": 3, "c": 4},
    }
    answer = api.patch(item(before["id"]), changes)
    assert answer.status == 200
    assert answer.json()["process"] == before | changes | {
        "endTime": "2026-11-22T08:00:00.000Z",
        "metadata": {"a": 1, "b": 3, "c": 4, "workspaceId": "w"},
    }


def test_null_clears_an_optional_field(api: Api) -> None:
    process = api.create(error="e", result="r", exitCode=1, metadata={"a": 1}, workspaceId="w")
    patched = api.patch(
        item(process["id"]), {"error": None, "result": None, "exitCode": None, "metadata": None}
    ).json()["process"]
    assert not patched.keys() & {"error", "result", "exitCode"}
    assert patched["metadata"] == {"workspaceId": "w"}


def test_an_empty_patch_changes_nothing(api: Api) -> None:
    process = api.create()
    assert api.patch(item(process["id"]), {}).json()["process"] == process


def test_a_patch_never_loses_the_workspace(api: Api) -> None:
    process = api.create(workspaceId="w")
    for metadata in ({}, {"x": 1}, {"workspaceId": None}, None, {"workspaceId": "other"}):
        patched = api.patch(item(process["id"]), {"metadata": metadata}).json()["process"]
        assert patched["metadata"]["workspaceId"] == "w"


def test_fields_that_cannot_be_patched_are_ignored_whatever_they_hold(api: Api) -> None:
    process = api.create()
    answer = api.patch(
        item(process["id"]),
        {
            "id": 7,
            "startTime": "soon",
            "promptPreview": None,
            "type": [],
            "workspaceId": {},
            "x": 1,
        },
    )
    assert answer.status == 200
    assert answer.json()["process"] == process


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"status": None}, "status"),
        ({"status": "done"}, "status"),
        ({"status": 1}, "status"),
        ({"result": 1}, "result"),
        ({"error": ["e"]}, "error"),
        ({"endTime": "soon"}, "endTime"),
        ({"endTime": 1700000000}, "endTime"),
        ({"structuredResult": {"a": 1}}, "structuredResult"),
        ({"metadata": "m"}, "metadata"),
        ({"metadata": {"workspaceId": 1}}, "metadata.workspaceId"),
        ({"exitCode": "0"}, "exitCode"),
        ({"exitCode": 0.5}, "exitCode"),
        ({"cancellation": 1}, "cancellation"),
        ({"cancellation": {"outcome": "lost"}}, "cancellation.outcome"),
        ({"cancellation": {"outcome": "killed"}}, "cancellation.requestedTime"),
    ],
)
def test_a_patch_with_a_value_that_cannot_be_changes_nothing(
    api: Api, changes: dict[str, Any], named: str
) -> None:
    process = api.create()
    answer = api.patch(item(process["id"]), {"result": "r"} | changes)
    assert answer.status == 400
    assert answer.error.startswith(f"{named}: expected "), answer.error
    assert api.get(item(process["id"])).json()["process"] == process


def test_a_status_goes_one_way(api: Api) -> None:
    path = item(api.create(status="queued")["id"])
    assert api.patch(path, {"status": "running"}).status == 200
    back = api.patch(path, {"status": "queued"})
    assert back.status == 409
    ended = api.patch(path, {"status": "completed"})
    assert "endTime" in ended.json()["process"]
    assert api.patch(path, {"status": "completed"}).status == 200
    for status in ("queued", "running", "failed", "cancelled"):
        answer = api.patch(path, {"status": status})
        assert answer.status == 409
        assert answer.error == "Process is already in terminal state: completed"


def test_other_fields_may_be_patched_after_the_end(api: Api) -> None:
    path = item(api.create(status="completed")["id"])
    answer = api.patch(path, {"result": "late", "exitCode": 0})
    assert answer.status == 200
    assert answer.json()["process"]["result"] == "late"


def test_delete_forgets_a_process_once(api: Api) -> None:
    path = item(api.create()["id"])
    first = api.delete(path)
    assert (first.status, first.body) == (204, b"")
    assert "content-type" not in first.headers
    assert api.delete(path).status == 404


def test_a_process_of_the_same_id_may_come_after_a_delete_and_has_no_output(api: Api) -> None:
    process = api.create()
    api.post(item(process["id"], "/output"), {"content": "old"})
    api.delete(item(process["id"]))
    assert api.post("/api/processes", new_process(id=process["id"])).status == 201
    assert api.get(item(process["id"], "/output")).body == b""


def test_a_cancel_tells_when_and_its_outcome_can_be_added(api: Api) -> None:
    path = item(api.create()["id"])
    answer = api.request("POST", f"{path}/cancel")
    cancelled = answer.json()["process"]
    assert answer.status == 200
    assert cancelled["status"] == "cancelled"
    assert cancelled["endTime"] == cancelled["cancellation"]["requestedTime"]
    told = api.patch(path, {"cancellation": {"outcome": "killed", "outcomeTime": START}})
    assert told.json()["process"]["cancellation"] == cancelled["cancellation"] | {
        "outcome": "killed",
        "outcomeTime": START,
    }


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b"", None), (b"{}", "application/json"), (b"no", "text/plain"), (b"{", None)],
)
def test_a_cancel_does_not_look_at_its_body(
    api: Api, body: bytes, content_type: str | None
) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    path = item(api.create()["id"], "/cancel")
    assert api.request("POST", path, body, headers).status == 200


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_what_has_ended_cannot_be_cancelled(api: Api, status: str) -> None:
    answer = api.request("POST", item(api.create(status=status)["id"], "/cancel"))
    assert answer.status == 409
    assert answer.error == f"Process is already in terminal state: {status}"
