"""What clients are told of a change, and which clients."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline_host.messages import encode, matches
from pipeline_host.models import (
    Change,
    ChangeKind,
    Process,
    Removed,
    Timestamp,
    Workspace,
)

START = Timestamp("2026-11-22T07:00:00.000Z")


def process_change(kind: ChangeKind, **fields: Any) -> Change:
    values: dict[str, Any] = {
        "id": "p",
        "type": "code-review",
        "prompt_preview": "short",
        "full_prompt": "long",
        "status": "running",
        "start_time": START,
    }
    process = Process(**(values | fields))
    return Change(seq=7, kind=kind, timestamp=1700, process=process.summary())


def removal(kind: ChangeKind, *removed: tuple[str, str | None]) -> Change:
    gone = tuple(Removed(id=one, status="failed", workspace_id=where) for one, where in removed)
    return Change(seq=8, kind=kind, timestamp=1800, removed=gone)


REGISTERED = Change(
    seq=9,
    kind="workspace-registered",
    timestamp=1900,
    workspace=Workspace(id="w", name="one", root_path="/one", color="#fff"),
)


class TestMessages:
    @pytest.mark.parametrize("kind", ["process-added", "process-updated"])
    def test_a_process_is_told_in_short(self, kind: ChangeKind) -> None:
        told = encode(process_change(kind, result="not told"))
        assert json.loads(told) == {
            "type": kind,
            "process": {
                "id": "p",
                "promptPreview": "short",
                "status": "running",
                "type": "code-review",
                "startTime": START,
            },
            "timestamp": 1700,
            "seq": 7,
        }

    def test_of_an_ended_process_its_end_and_of_a_child_its_parent_are_told(self) -> None:
        change = process_change(
            "process-updated",
            status="failed",
            end_time=START,
            error="why",
            parent_process_id="q",
            metadata={"workspaceId": "w", "other": "not told"},
        )
        assert json.loads(encode(change))["process"] == {
            "id": "p",
            "promptPreview": "short",
            "status": "failed",
            "type": "code-review",
            "startTime": START,
            "endTime": START,
            "error": "why",
            "workspaceId": "w",
            "parentProcessId": "q",
        }

    def test_a_removal_tells_the_process_and_where_it_belonged(self) -> None:
        assert json.loads(encode(removal("process-removed", ("p", "w")))) == {
            "type": "process-removed",
            "processId": "p",
            "workspaceId": "w",
            "timestamp": 1800,
            "seq": 8,
        }
        assert "workspaceId" not in json.loads(encode(removal("process-removed", ("p", None))))

    @pytest.mark.parametrize("ids", [("a",), ("a", "b", "c")])
    def test_a_clearing_tells_all_who_went(self, ids: tuple[str, ...]) -> None:
        change = removal("processes-cleared", *((one, "w") for one in ids))
        assert json.loads(encode(change)) == {
            "type": "processes-cleared",
            "count": len(ids),
            "processIds": list(ids),
            "timestamp": 1800,
            "seq": 8,
        }

    def test_a_registration_tells_the_workspace(self) -> None:
        assert json.loads(encode(REGISTERED)) == {
            "type": "workspace-registered",
            "workspace": {"id": "w", "name": "one", "rootPath": "/one", "color": "#fff"},
            "timestamp": 1900,
            "seq": 9,
        }

    def test_the_type_comes_first_and_all_is_on_one_line(self) -> None:
        told = encode(process_change("process-added", prompt_preview="one\r\ntwo\u2028é"))
        assert told.startswith(b'{"type":"process-added",')
        assert not {b"\n", b"\r"} & {told[place : place + 1] for place in range(len(told))}
        assert json.loads(told)["process"]["promptPreview"] == "one\r\ntwo\u2028é"


class TestMatching:
    @pytest.mark.parametrize(
        "change",
        [
            process_change("process-added"),
            process_change("process-updated", metadata={"workspaceId": "w"}),
            removal("process-removed", ("p", None)),
            removal("processes-cleared", ("a", "w"), ("b", None)),
            REGISTERED,
        ],
        ids=lambda change: change.kind,
    )
    def test_without_a_workspace_every_change_concerns_everybody(self, change: Change) -> None:
        assert matches(change, None) is change

    def test_a_process_concerns_its_workspace_alone(self) -> None:
        change = process_change("process-updated", metadata={"workspaceId": "w"})
        assert matches(change, "w") is change
        assert matches(change, "v") is None
        assert matches(process_change("process-added"), "w") is None

    def test_a_removal_concerns_the_workspace_it_was_in(self) -> None:
        change = removal("process-removed", ("p", "w"))
        assert matches(change, "w") is change
        assert matches(change, "v") is None
        assert matches(removal("process-removed", ("p", None)), "w") is None

    def test_of_a_clearing_a_workspace_is_told_its_own(self) -> None:
        change = removal("processes-cleared", ("a", "v"), ("b", "w"), ("c", None), ("d", "w"))
        told = matches(change, "w")
        assert told is not None
        assert (told.seq, told.kind, told.timestamp) == (8, "processes-cleared", 1800)
        assert [removed.id for removed in told.removed] == ["b", "d"]
        assert json.loads(encode(told))["count"] == 2
        assert matches(change, "x") is None

    def test_a_clearing_of_one_workspace_alone_is_told_as_it_is(self) -> None:
        change = removal("processes-cleared", ("a", "w"), ("b", "w"))
        assert matches(change, "w") is change

    def test_a_registration_concerns_that_workspace(self) -> None:
        assert matches(REGISTERED, "w") is REGISTERED
        assert matches(REGISTERED, "v") is None
