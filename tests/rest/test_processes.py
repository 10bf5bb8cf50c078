"""``/api/processes``: create, list, clear."""

from __future__ import annotations

import uuid
from itertools import product
from typing import Any

import pytest

from .client import FULL, START, Api, item, new_process, unique


def listed(api: Api, query: str) -> list[str]:
    return [process["id"] for process in api.get(f"/api/processes?{query}").json()["processes"]]


def test_a_new_process_is_answered_itself_and_can_be_found(api: Api) -> None:
    sent = new_process()
    answer = api.post("/api/processes", sent)
    assert answer.status == 201
    assert answer.json() == sent | {"type": "clarification", "fullPrompt": ""}
    assert answer.headers["location"] == item(sent["id"])
    assert api.get(item(sent["id"])).json() == {"process": answer.json()}


def test_every_field_is_kept_as_it_was_sent(api: Api) -> None:
    sent = FULL | {"id": unique()}
    assert api.post("/api/processes", sent).json() == sent
    assert api.get(item(sent["id"])).json()["process"] == sent


def test_the_server_gives_an_id_where_the_client_sends_none(api: Api) -> None:
    sent = new_process(id=None)
    first, second = (api.post("/api/processes", sent) for _ in range(2))
    assert (first.status, second.status) == (201, 201)
    assert first.json()["id"] != second.json()["id"]
    assert uuid.UUID(first.json()["id"]).version == 7


def test_the_workspace_lands_in_the_metadata(api: Api) -> None:
    process = api.create(workspaceId="w1", metadata={"a": 1})
    assert process["metadata"] == {"a": 1, "workspaceId": "w1"}
    assert "workspaceId" not in process
    assert api.create(workspaceId="w1")["metadata"] == {"workspaceId": "w1"}


def test_null_means_no_value_and_unknown_fields_are_ignored(api: Api) -> None:
    process = api.create(error=None, metadata=None, exitCode=None, type=None, colour="red")
    assert process.keys() == {
        "id", "type", "promptPreview", "fullPrompt", "status", "startTime"
    }  # fmt: skip
    assert process["type"] == "clarification"


def test_times_of_any_zone_are_answered_in_utc_with_milliseconds(api: Api) -> None:
    assert api.create(startTime="2026-11-22T09:00:00.1234+02:00")["startTime"] == (
        "2026-11-22T07:00:00.123Z"
    )


def test_a_process_that_has_ended_already_gets_an_end_time(api: Api) -> None:
    assert "endTime" in api.create(status="failed")
    assert "endTime" not in api.create(status="queued")


def test_the_same_create_again_is_200_and_changes_nothing(api: Api) -> None:
    sent = new_process()
    assert api.post("/api/processes", sent).status == 201
    api.patch(item(sent["id"]), {"status": "completed", "endTime": START})
    again = api.post("/api/processes", sent)
    assert again.status == 200
    assert again.json()["status"] == "completed"
    assert api.get(item(sent["id"])).json()["process"] == again.json()


def test_another_body_for_a_known_id_is_409(api: Api) -> None:
    sent = new_process()
    api.post("/api/processes", sent)
    answer = api.post("/api/processes", sent | {"promptPreview": "Another"})
    assert answer.status == 409
    assert sent["id"] in answer.error


@pytest.mark.parametrize("missing", ["promptPreview", "status", "startTime"])
@pytest.mark.parametrize("way", ["left out", "null"])
def test_a_missing_required_field_is_400_by_name(api: Api, missing: str, way: str) -> None:
    sent = new_process()
    if way == "null":
        sent[missing] = None
    else:
        del sent[missing]
    answer = api.post("/api/processes", sent)
    assert answer.status == 400
    assert answer.error.startswith(f"{missing}: expected a")


TEXTS = [
    "id", "type", "promptPreview", "fullPrompt", "status", "startTime", "endTime", "error",
    "result", "structuredResult", "resultFilePath", "rawStdoutFilePath", "parentProcessId",
    "sdkSessionId", "backend", "workingDirectory",
]  # fmt: skip
OBJECTS = [
    "metadata", "groupMetadata", "codeReviewMetadata", "discoveryMetadata",
    "codeReviewGroupMetadata", "cancellation",
]  # fmt: skip
WRONG: list[tuple[str, Any]] = [
    *product(TEXTS, (7, True, ["x"], {"a": "b"})),
    *product(OBJECTS, (7, False, "{}", [])),
    *product(["exitCode"], ("1", 1.5, True, [], {})),
    ("status", "done"),
    ("status", "Running"),
    ("status", ""),
    ("startTime", "yesterday"),
    ("startTime", ""),
    ("startTime", "2026-11-22"),
    ("startTime", "2026-11-22T07:00:00"),
    ("startTime", "2026-02-30T07:00:00Z"),
    ("startTime", "2026-11-22T25:00:00Z"),
    ("startTime", "0001-01-01T00:00:00+23:59"),
    ("endTime", "later"),
    ("id", ""),
    ("id", "x" * 201),
    ("id", "a\nb"),
    ("id", "\0"),
    ("id", "a\x7f"),
    ("id", "a\x85"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_value_that_cannot_be_is_400_by_name(api: Api, name: str, value: Any) -> None:
    answer = api.post("/api/processes", new_process() | {name: value})
    assert answer.status == 400
    assert answer.error.startswith(f"{name}: expected "), answer.error


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("cancellation", {}, "cancellation.requestedTime"),
        ("cancellation", {"requestedTime": "now"}, "cancellation.requestedTime"),
        ("cancellation", {"requestedTime": START, "outcome": "gone"}, "cancellation.outcome"),
        ("cancellation", {"requestedTime": START, "outcomeTime": 1}, "cancellation.outcomeTime"),
        ("metadata", {"workspaceId": 1}, "metadata.workspaceId"),
        ("metadata", {"workspaceId": "x" * 201}, "metadata.workspaceId"),
        ("workspaceId", ["w"], "metadata.workspaceId"),
        ("workspaceId", "", "metadata.workspaceId"),
    ],
)
def test_a_wrong_value_inside_a_field_is_400_by_its_path(
    api: Api, field: str, value: Any, named: str
) -> None:
    answer = api.post("/api/processes", new_process() | {field: value})
    assert answer.status == 400
    assert answer.error.startswith(f"{named}: expected "), answer.error


def test_a_list_has_whole_processes_oldest_first(api: Api) -> None:
    workspace = unique("w")
    second = api.create(workspaceId=workspace, startTime="2026-11-22T08:00:00.000Z")
    first = api.create(workspaceId=workspace, fullPrompt="all", result="r")
    answer = api.get(f"/api/processes?workspace={workspace}")
    assert answer.json() == {"processes": [first, second], "total": 2, "limit": 50, "offset": 0}
    assert listed(api, f"workspace={workspace}&order=desc") == [second["id"], first["id"]]


def test_a_list_can_be_narrowed_by_every_condition(api: Api) -> None:
    workspace = unique("w")
    parent = unique("parent")
    queued = api.create(workspaceId=workspace, status="queued", promptPreview="Straße")["id"]
    child = api.create(workspaceId=workspace, parentProcessId=parent, type="discovery")["id"]
    late = api.create(
        workspaceId=workspace,
        startTime="2026-11-23T00:00:00Z",
        status="failed",
        fullPrompt="NEEDLE",
    )["id"]
    within = f"workspace={workspace}"
    assert listed(api, f"{within}&status=queued") == [queued]
    assert listed(api, f"{within}&status=queued,failed") == [queued, late]
    assert listed(api, f"{within}&type=discovery") == [child]
    assert listed(api, f"parent={parent}") == [child]
    assert listed(api, f"{within}&since=2026-11-23T00:00:00Z") == [late]
    assert listed(api, f"{within}&since=2026-11-23T01:00:00+01:00") == [late]
    assert listed(api, f"{within}&since=2026-11-23T00:00:00.001Z") == []
    assert listed(api, f"{within}&q=needle") == [late]
    assert listed(api, f"{within}&q=stra%C3%9Fe") == [queued]
    assert listed(api, f"q={child}") == [child]
    assert listed(api, f"{within}&q=nowhere") == []


def test_pages_are_cut_by_limit_and_offset(api: Api) -> None:
    workspace = unique("w")
    ids = [api.create(workspaceId=workspace)["id"] for _ in range(5)]
    page = api.get(f"/api/processes?workspace={workspace}&limit=2&offset=1").json()
    assert [process["id"] for process in page["processes"]] == ids[1:3]
    assert (page["total"], page["limit"], page["offset"]) == (5, 2, 1)
    assert "nextCursor" in page
    none = api.get(f"/api/processes?workspace={workspace}&limit=0").json()
    assert (none["processes"], none["total"]) == ([], 5)
    beyond = api.get(f"/api/processes?workspace={workspace}&offset=99").json()
    assert (beyond["processes"], beyond["total"]) == ([], 5)


def test_cursors_lead_through_all_pages_though_processes_come_and_go(api: Api) -> None:
    workspace = unique("w")
    ids = [api.create(workspaceId=workspace)["id"] for _ in range(5)]
    first = api.get(f"/api/processes?workspace={workspace}&limit=2").json()
    api.delete(item(ids[0]))
    found = [process["id"] for process in first["processes"]]
    cursor = first["nextCursor"]
    while cursor:
        page = api.get(f"/api/processes?workspace={workspace}&limit=2&cursor={cursor}").json()
        found += [process["id"] for process in page["processes"]]
        cursor = page.get("nextCursor")
    assert found == ids


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("limit=1001", "limit"),
        ("limit=-1", "limit"),
        ("limit=many", "limit"),
        ("offset=x", "offset"),
        ("status=done", "status"),
        ("since=yesterday", "since"),
        ("order=sideways", "order"),
        ("cursor=nonsense", "cursor"),
        ("cursor=%00%FF", "cursor"),
        ("cursor=x&offset=1", "offset"),
        ("q=%80", "q"),
        ("limit=1&limit=1", "limit"),
    ],
)
def test_a_parameter_that_cannot_be_read_is_400_by_name(api: Api, query: str, named: str) -> None:
    answer = api.get(f"/api/processes?{query}")
    assert answer.status == 400
    assert answer.error.startswith(f"{named}: expected "), answer.error


def test_clearing_forgets_those_of_the_statuses_and_the_workspace_only(api: Api) -> None:
    workspace = unique("w")
    done = api.create(workspaceId=workspace, status="completed")["id"]
    failed = api.create(workspaceId=workspace, status="failed")["id"]
    running = api.create(workspaceId=workspace)["id"]
    elsewhere = api.create(workspaceId=unique("w"), status="completed")["id"]
    path = f"/api/processes?status=completed,failed&workspace={workspace}"
    first, second = api.delete(path), api.delete(path)
    assert (first.status, first.json(), second.json()) == (200, {"removed": 2}, {"removed": 0})
    assert [api.get(item(i)).status for i in (done, failed, running, elsewhere)] == [
        404, 404, 200, 200
    ]  # fmt: skip


@pytest.mark.parametrize("query", ["", "?", "?status=", "?workspace=w", "?status=done"])
def test_clearing_without_a_status_that_there_is_forgets_nothing(api: Api, query: str) -> None:
    kept = api.create(workspaceId="w", status="completed")["id"]
    answer = api.delete(f"/api/processes{query}")
    assert answer.status == 400
    assert answer.error.startswith("status: expected ")
    assert api.get(item(kept)).status == 200
