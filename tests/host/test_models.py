from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest

from pipeline_host import models
from pipeline_host.models import (
    STATUSES,
    TERMINAL,
    Cancellation,
    Chunk,
    Lease,
    Model,
    Process,
    ProcessPatch,
    ProcessSummary,
    Stats,
    Status,
    Timestamp,
)

MODELS = [m for m in vars(models).values() if isinstance(m, type) and issubclass(m, Model)]
NOON = Timestamp("2026-11-22T12:00:00.000Z")


def process(**fields: Any) -> Process:
    values = {
        "id": "p",
        "type": "clarification",
        "prompt_preview": "preview",
        "full_prompt": "",
        "status": "running",
        "start_time": NOON,
    }
    return Process(**values | fields)


def test_there_are_five_statuses_three_of_them_terminal() -> None:
    assert get_args(Status) == STATUSES
    assert {status for status in STATUSES if process(status=status).terminal} == TERMINAL
    assert {"completed", "failed", "cancelled"} == TERMINAL


def test_names_are_camel_case_on_the_wire_and_what_is_unset_is_left_out() -> None:
    assert msgspec.to_builtins(process()) == {
        "id": "p",
        "type": "clarification",
        "promptPreview": "preview",
        "fullPrompt": "",
        "status": "running",
        "startTime": NOON,
    }


def test_every_field_has_the_name_that_clients_know() -> None:
    full = process(
        end_time=NOON,
        error="e",
        result="r",
        structured_result="s",
        result_file_path="/r",
        raw_stdout_file_path="/o",
        parent_process_id="parent",
        sdk_session_id="session",
        backend="b",
        working_directory="/w",
        metadata={"a_b": 1},
        group_metadata={},
        code_review_metadata={},
        discovery_metadata={},
        code_review_group_metadata={},
        exit_code=0,
        cancellation=Cancellation(requested_time=NOON, outcome="killed", outcome_time=NOON),
        lease=Lease(seconds=1.5, expires=NOON),
    )
    told = msgspec.json.decode(msgspec.json.encode(full))
    assert set(told) == {
        *("id", "type", "promptPreview", "fullPrompt", "status", "startTime", "endTime"),
        *("error", "result", "structuredResult", "resultFilePath", "rawStdoutFilePath"),
        *("parentProcessId", "sdkSessionId", "backend", "workingDirectory", "metadata"),
        *("groupMetadata", "codeReviewMetadata", "discoveryMetadata"),
        *("codeReviewGroupMetadata", "exitCode", "cancellation", "lease"),
    }
    assert told["cancellation"] == {
        "requestedTime": NOON,
        "outcome": "killed",
        "outcomeTime": NOON,
    }
    assert told["metadata"] == {"a_b": 1}, "keys inside are kept as they were sent"
    assert msgspec.json.decode(msgspec.json.encode(full), type=Process) == full


def test_a_value_that_is_set_is_told_even_if_it_is_empty() -> None:
    told = msgspec.to_builtins(process(result="", exit_code=0, metadata={}))
    assert (told["result"], told["exitCode"], told["metadata"]) == ("", 0, {})


@pytest.mark.parametrize("model", MODELS)
def test_values_never_change(model: type[Model]) -> None:
    assert model.__struct_config__.frozen


def test_the_workspace_is_kept_in_the_metadata() -> None:
    assert process().workspace_id is None
    assert process(metadata={}).workspace_id is None
    named = process(metadata={"workspaceId": "w", "workspaceName": "one"})
    assert (named.workspace_id, named.workspace_name) == ("w", "one")
    assert process(metadata={"workspaceName": 5}).workspace_name is None
    assert process().workspace_name is None


def test_a_summary_has_no_prompt_and_no_result() -> None:
    whole = process(
        full_prompt="long",
        result="long",
        end_time=NOON,
        error="e",
        parent_process_id="parent",
        metadata={"workspaceId": "w"},
    )
    assert whole.summary() == ProcessSummary(
        id="p",
        prompt_preview="preview",
        status="running",
        type="clarification",
        start_time=NOON,
        end_time=NOON,
        error="e",
        workspace_id="w",
        parent_process_id="parent",
    )


def test_a_chunk_ends_where_the_next_begins() -> None:
    assert Chunk(content="é", offset=5, length=2).end == 7


def test_a_patch_tells_unset_from_cleared() -> None:
    assert msgspec.to_builtins(ProcessPatch()) == {}
    assert msgspec.to_builtins(ProcessPatch(error=None)) == {"error": None}


def test_counts_are_told_even_if_they_are_zero() -> None:
    stats = Stats(total_processes=0, by_status=dict.fromkeys(STATUSES, 0), by_workspace=())
    assert msgspec.to_builtins(stats)["byStatus"] == dict.fromkeys(STATUSES, 0)
    assert set(msgspec.to_builtins(stats)) == {"totalProcesses", "byStatus", "byWorkspace"}
