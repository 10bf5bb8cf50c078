"""``/api/stats``: the counts of all processes."""

from __future__ import annotations

from typing import Any

from .client import Api, item, unique


def count_of(stats: dict[str, Any], workspace: str) -> list[dict[str, Any]]:
    return [one for one in stats["byWorkspace"] if one["workspaceId"] == workspace]


def test_all_five_statuses_are_counted(api: Api) -> None:
    before = api.get("/api/stats").json()
    assert list(before) == ["totalProcesses", "byStatus", "byWorkspace"]
    assert set(before["byStatus"]) == {"queued", "running", "completed", "failed", "cancelled"}
    path = item(api.create(status="queued")["id"])
    api.create(status="failed")
    api.patch(path, {"status": "running"})
    after = api.get("/api/stats").json()
    assert after["totalProcesses"] == before["totalProcesses"] + 2
    assert after["byStatus"] == before["byStatus"] | {
        "running": before["byStatus"]["running"] + 1,
        "failed": before["byStatus"]["failed"] + 1,
    }


def test_processes_are_counted_by_workspace(api: Api) -> None:
    workspace = unique("w")
    api.post("/api/workspaces", {"id": workspace, "name": "Named", "rootPath": "/"})
    ids = [api.create(workspaceId=workspace)["id"] for _ in range(2)]
    assert count_of(api.get("/api/stats").json(), workspace) == [
        {"workspaceId": workspace, "name": "Named", "count": 2}
    ]
    api.delete(item(ids[0]))
    assert count_of(api.get("/api/stats").json(), workspace)[0]["count"] == 1
