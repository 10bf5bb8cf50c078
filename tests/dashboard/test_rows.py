"""What the list asks for: rows in short, those that belong to another under it, and counts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import requests
from jsonschema import Draft202012Validator

from pipeline_host.models import STATUSES, Process, ProcessFilter, Status, Timestamp
from pipeline_host.store import ProcessStore
from pipeline_host.testing.server import LiveServer
from pipeline_host_dashboard import rows
from pipeline_host_filestore.store import FileProcessStore

from .conftest import Api, ago

ROWS = "/api/dashboard/processes"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ProcessStore]:
    with_files = FileProcessStore(tmp_path / "data")
    yield with_files
    with_files.close()


def add(store: ProcessStore, process_id: str, /, **fields: Any) -> None:
    number = store.stats().total_processes
    start = Timestamp(f"2026-11-22T07:{number // 60:02}:{number % 60:02}.000Z")
    process = Process(
        **{"id": process_id, "type": "t", "prompt_preview": process_id, "full_prompt": ""}
        | {"status": "running", "start_time": start}
        | fields
    )
    store.add(process)


def ids(found: rows.Rows) -> list[str]:
    return [row.id for row in found.processes]


def top(store: ProcessStore, **query: Any) -> rows.Rows:
    return rows.top_page(store, ProcessFilter(order="desc", **query))


def test_a_row_has_texts_in_short_and_neither_prompt_nor_result(store: ProcessStore) -> None:
    add(store, "p", prompt_preview="x" * 1000, error="y" * 1000, result="z", full_prompt="w")
    (row,) = top(store).processes
    assert (len(row.prompt_preview), len(row.error or "")) == (rows.SHOWN, rows.SHOWN)
    assert not hasattr(row, "result")
    assert row.children is None


def test_the_newest_come_first_and_those_that_belong_to_another_are_left_out(
    store: ProcessStore,
) -> None:
    add(store, "group")
    add(store, "part-1", parent_process_id="group", status="failed")
    add(store, "part-2", parent_process_id="group", status="queued")
    add(store, "alone")
    found = top(store)
    assert ids(found) == ["alone", "group"]
    assert found.total == 4
    expected = dict.fromkeys(STATUSES, 0) | {"failed": 1, "queued": 1}
    assert found.processes[1].children == expected
    assert found.processes[0].children is None


def test_one_whose_parent_is_not_there_stands_for_itself(store: ProcessStore) -> None:
    add(store, "orphan", parent_process_id="gone")
    assert ids(top(store)) == ["orphan"]


def test_one_whose_parent_is_of_another_workspace_stands_for_itself_there(
    store: ProcessStore,
) -> None:
    add(store, "parent", metadata={"workspaceId": "a"})
    add(store, "child", metadata={"workspaceId": "b"}, parent_process_id="parent")
    assert ids(top(store)) == ["parent"]
    assert ids(top(store, workspace="b")) == ["child"]


def test_those_that_are_their_own_ancestors_are_not_lost(store: ProcessStore) -> None:
    add(store, "self", parent_process_id="self")
    add(store, "a", parent_process_id="b")
    add(store, "b", parent_process_id="a")
    assert set(ids(top(store))) == {"self", "a", "b"}


def test_a_chain_of_any_length_has_one_end(store: ProcessStore) -> None:
    add(store, "0")
    for number in range(1, 60):
        add(store, str(number), parent_process_id=str(number - 1))
    assert ids(top(store, limit=100)) == ["0"]


def test_pages_tell_each_row_once_however_many_belong_to_others(store: ProcessStore) -> None:
    add(store, "group")
    for number in range(90):
        add(store, f"part-{number}", parent_process_id="group")
    add(store, "alone")
    seen, cursor = [], None
    for _ in range(20):
        found = top(store, limit=4, cursor=cursor)
        seen += ids(found)
        cursor = found.next_cursor
        if cursor is None:
            break
    assert seen == ["alone", "group"]
    assert found.reached == "2026-11-22T07:00:00.000Z"


def test_counts_are_by_status_and_follow_the_other_conditions(store: ProcessStore) -> None:
    for number, status in enumerate(get_args(Status)):
        add(store, status, status=status, type="even" if number % 2 == 0 else "odd")
    assert rows.counts(store, ProcessFilter()) == dict.fromkeys(STATUSES, 1)
    narrowed = rows.counts(store, ProcessFilter(type="odd", statuses=("failed",)))
    assert narrowed == dict.fromkeys(STATUSES, 0) | {"running": 1, "failed": 1}


@pytest.fixture(scope="module")
def filled(server: LiveServer, api: Api) -> LiveServer:
    api.create("a,b", type="odd", startTime=ago(50))
    api.create("ü/%", parentProcessId="a,b", status="queued", fullPrompt="a needle", exitCode=3)
    return server


def ask(server: LiveServer, path: str, **params: Any) -> requests.Response:
    return requests.get(server.url + path, params=params, timeout=20)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, ["a,b", "ü/%"]),
        ({"top": "true"}, ["a,b"]),
        ({"parent": "a,b"}, ["ü/%"]),
        ({"q": "needle"}, ["ü/%"]),
        ({"type": "odd"}, ["a,b"]),
        ({"status": "queued,failed"}, ["ü/%"]),
        ({"id": ["ü/%", "none", "a,b", "a,b"]}, ["a,b", "ü/%"]),
        ({"id": ["ü/%", "a,b"], "q": "NEEDLE"}, ["ü/%"]),
        ({"workspace": "none"}, []),
    ],
)
def test_rows_are_found_by(filled: LiveServer, params: dict[str, Any], expected: list[str]) -> None:
    answer = ask(filled, ROWS, **params)
    assert sorted(row["id"] for row in answer.json()["processes"]) == expected
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "params",
    [
        {"status": "done"},
        {"limit": "0"},
        {"limit": "501"},
        {"limit": "٣"},
        {"limit": "-1"},
        {"cursor": "x"},
    ],
)
def test_what_cannot_be_read_is_refused_with_its_name(
    filled: LiveServer, params: dict[str, str]
) -> None:
    answer = ask(filled, ROWS, **params)
    assert answer.status_code == 400
    assert next(iter(params)) in answer.json()["error"]


def test_every_answer_is_as_its_schema_says(filled: LiveServer) -> None:
    told = ask(filled, "/api/openapi.json").json()
    assert ask(filled, "/api/dashboard/about").json().keys() == {"build", "epoch", "heartbeat"}
    own = [path for path in told["paths"] if path.startswith("/api/dashboard/")]
    assert len(own) == 5
    for path in own:
        answer = ask(filled, path.replace("{process_id}", "a%2Cb"))
        described = told["paths"][path]["get"]["responses"][str(answer.status_code)]
        schema = described["content"]["application/json"]["schema"]
        validator = Draft202012Validator(schema | {"components": told["components"]})
        validator.validate(answer.json())
        assert answer.status_code == 200
