"""``/api/workspaces``."""

from __future__ import annotations

from typing import Any

import pytest

from .client import Api, unique


def test_a_workspace_is_registered_and_listed(api: Api) -> None:
    workspace = {
        "id": unique("w"),
        "name": "Proj €",
        "rootPath": "/home/me/proj",
        "color": "#ff0000",
    }
    answer = api.post("/api/workspaces", workspace)
    assert (answer.status, answer.json()) == (201, workspace)
    assert workspace in api.get("/api/workspaces").json()["workspaces"]


def test_registering_again_replaces_it_in_its_place(api: Api) -> None:
    first, second = unique("w"), unique("w")
    for name in (first, second):
        api.post("/api/workspaces", {"id": name, "name": "a", "rootPath": "/a", "color": "red"})
    changed = {"id": first, "name": "b", "rootPath": "/b"}
    assert api.post("/api/workspaces", changed).json() == changed
    listed = api.get("/api/workspaces").json()["workspaces"]
    assert changed in listed
    ids = [workspace["id"] for workspace in listed]
    assert ids.count(first) == 1
    assert ids.index(first) < ids.index(second)


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({}, "id, name, rootPath"),
        ({"id": "w"}, "name, rootPath"),
        ({"id": "", "name": None, "rootPath": "/"}, "id, name"),
        ({"name": "n", "rootPath": "/"}, "id"),
    ],
)
def test_missing_fields_are_named(api: Api, body: dict[str, Any], names: str) -> None:
    answer = api.post("/api/workspaces", body)
    assert (answer.status, answer.error) == (400, f"Missing required fields: {names}")


@pytest.mark.parametrize(
    ("field", "value"),
    [("id", 1), ("id", "x" * 201), ("id", "a\0"), ("name", []), ("rootPath", {}), ("color", 3)],
)
def test_a_value_that_cannot_be_is_400_by_name(api: Api, field: str, value: Any) -> None:
    body = {"id": unique("w"), "name": "n", "rootPath": "/"} | {field: value}
    answer = api.post("/api/workspaces", body)
    assert answer.status == 400
    assert answer.error.startswith(f"{field}: expected "), answer.error
