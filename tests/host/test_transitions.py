from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import replace

from pipeline_host.errors import Conflict, InvalidInput, PipelineHostError, TerminalState
from pipeline_host.models import (
    STATUSES,
    TERMINAL,
    Cancellation,
    CancellationPatch,
    Process,
    ProcessPatch,
    Status,
    Timestamp,
)
from pipeline_host.times import parse_timestamp
from pipeline_host.transitions import (
    cancelled,
    check_move,
    completed,
    created,
    fingerprint,
    patch,
    patched,
)

law = settings(max_examples=200, deadline=None)
NOON = Timestamp("2026-11-22T12:00:00.000Z")
LATER = Timestamp("2026-11-22T12:02:34.000Z")
ENDS = sorted(TERMINAL)
RANK = {"queued": 0, "running": 1, "completed": 2, "failed": 2, "cancelled": 2}

TIMES = st.sampled_from([NOON, LATER])
TEXTS = st.sampled_from(["", "x", "日本"])
OUTCOMES = st.sampled_from(["terminated", "killed", "ignored"])
METADATA = st.dictionaries(
    st.sampled_from(["workspaceId", "workspaceName", "a", "b"]),
    st.none() | st.sampled_from(["v", "w"]),
)
STORED_METADATA = st.dictionaries(
    st.sampled_from(["workspaceId", "workspaceName", "a", "b"]), st.sampled_from(["v", "w"])
)


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


def optional(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.just(UNSET) | st.none() | values


CANCELLATIONS = st.builds(
    Cancellation,
    requested_time=TIMES,
    outcome=st.none() | OUTCOMES,
    outcome_time=st.none() | TIMES,
)
PROCESSES = st.builds(
    process,
    status=st.sampled_from(STATUSES),
    end_time=st.none() | TIMES,
    metadata=st.none() | STORED_METADATA,
    cancellation=st.none() | CANCELLATIONS,
    result=st.none() | TEXTS,
).map(created)
PATCHES = st.builds(
    ProcessPatch,
    status=st.just(UNSET) | st.sampled_from(STATUSES),
    result=optional(TEXTS),
    error=optional(TEXTS),
    end_time=optional(TIMES),
    structured_result=optional(TEXTS),
    metadata=optional(METADATA),
    exit_code=optional(st.integers(-1, 1)),
    cancellation=optional(
        st.builds(
            CancellationPatch,
            requested_time=st.none() | TIMES,
            outcome=st.none() | OUTCOMES,
            outcome_time=st.none() | TIMES,
        )
    ),
)


class TestLaws:
    @law
    @given(PROCESSES, PATCHES)
    def test_a_patch_again_changes_nothing(self, before: Process, changes: ProcessPatch) -> None:
        try:
            after = patched(before, changes)
        except PipelineHostError:
            return
        assert patched(after, changes) is after

    @law
    @given(PROCESSES, PATCHES)
    def test_the_workspace_is_never_lost(self, before: Process, changes: ProcessPatch) -> None:
        try:
            after = patched(before, changes)
        except PipelineHostError:
            return
        assert before.workspace_id is None or after.workspace_id is not None
        assert before.workspace_name is None or after.workspace_name is not None

    @law
    @given(PROCESSES, PATCHES)
    def test_a_status_only_moves_forward(self, before: Process, changes: ProcessPatch) -> None:
        wanted = before.status if changes.status is UNSET else changes.status
        forward = wanted == before.status or RANK[wanted] > RANK[before.status]
        try:
            after = patched(before, changes)
        except Conflict:
            assert not forward
        except InvalidInput:
            assert changes.cancellation is not UNSET
        else:
            assert forward
            assert after.status == wanted

    @law
    @given(PROCESSES, PATCHES)
    def test_who_has_ended_has_an_end_time(self, before: Process, changes: ProcessPatch) -> None:
        try:
            after = patched(before, changes)
        except PipelineHostError:
            return
        assert after.terminal <= (after.end_time is not None)

    @law
    @given(PROCESSES, PATCHES)
    def test_only_the_given_fields_change(self, before: Process, changes: ProcessPatch) -> None:
        try:
            after = patched(before, changes)
        except PipelineHostError:
            return
        for field in Process.__struct_fields__:
            given_value = getattr(changes, field, UNSET)
            if given_value is UNSET and field != "end_time":
                assert getattr(after, field) == getattr(before, field), field

    @law
    @given(PROCESSES)
    def test_no_changes_are_no_change(self, before: Process) -> None:
        assert patched(before, ProcessPatch()) is before


class TestMoves:
    @pytest.mark.parametrize("status", STATUSES)
    def test_the_same_status_again_is_fine(self, status: Status) -> None:
        check_move(status, status)

    @pytest.mark.parametrize("end", ENDS)
    @pytest.mark.parametrize("status", STATUSES)
    def test_after_the_end_there_is_no_other(self, end: Status, status: Status) -> None:
        if status == end:
            return
        with pytest.raises(TerminalState, match=f"^Process is already in terminal state: {end}$"):
            check_move(end, status)

    @pytest.mark.parametrize("old", ["queued", "running"])
    @pytest.mark.parametrize("end", ENDS)
    def test_any_other_may_end(self, old: Status, end: Status) -> None:
        check_move(old, end)

    def test_a_queued_process_may_run_but_not_the_other_way(self) -> None:
        check_move("queued", "running")
        with pytest.raises(Conflict, match=r"^status: expected a status after running"):
            check_move("running", "queued")


class TestPatched:
    def test_an_end_gets_the_time_it_came(self) -> None:
        after = patched(process(), ProcessPatch(status="failed"))
        assert after.end_time is not None
        assert parse_timestamp(after.end_time) == after.end_time

    def test_an_end_time_that_is_sent_is_kept(self) -> None:
        after = patched(process(), ProcessPatch(status="failed", end_time=LATER))
        assert after.end_time == LATER

    def test_an_end_time_cannot_be_cleared_after_the_end(self) -> None:
        ended = process(status="failed", end_time=LATER)
        assert patched(ended, ProcessPatch(end_time=None)) is ended

    def test_none_clears(self) -> None:
        before = process(error="e", result="r", exit_code=1)
        after = patched(before, ProcessPatch(error=None, exit_code=None))
        assert after == process(result="r")

    def test_metadata_is_merged_key_by_key(self) -> None:
        before = process(metadata={"workspaceId": "w", "a": 1, "b": {"deep": 1}})
        after = patched(before, ProcessPatch(metadata={"a": None, "b": {"other": 2}, "c": 3}))
        assert after.metadata == {"workspaceId": "w", "b": {"other": 2}, "c": 3}

    def test_a_process_stays_in_its_workspace(self) -> None:
        before = process(metadata={"workspaceId": "w", "workspaceName": "one"})
        other = {"workspaceId": "w2", "workspaceName": "two"}
        assert patched(before, ProcessPatch(metadata=other)) is before
        after = patched(before, ProcessPatch(metadata=other | {"a": 1}))
        assert after.metadata == before.metadata | {"a": 1}
        gone = ProcessPatch(metadata={"workspaceId": None, "workspaceName": None})
        assert patched(before, gone) is before
        assert patched(before, ProcessPatch(metadata=None)) is before

    @pytest.mark.parametrize("metadata", [None, {"a": 1}, {"workspaceId": None}])
    def test_a_process_without_a_workspace_gets_the_first_it_is_given(
        self, metadata: dict[str, Any] | None
    ) -> None:
        given = {"workspaceId": "w", "workspaceName": "one"}
        after = patched(process(metadata=metadata), ProcessPatch(metadata=given))
        assert after.metadata == (metadata or {}) | given

    def test_with_its_first_workspace_a_process_gets_the_name_of_that(self) -> None:
        before = process(metadata={"workspaceName": "old", "a": 1})
        given = {"workspaceId": "w", "workspaceName": "one"}
        after = patched(before, ProcessPatch(metadata=given))
        assert after.metadata == {"a": 1} | given
        assert patched(after, ProcessPatch(metadata={"workspaceName": "two"})) is after

    @pytest.mark.parametrize("name", [{}, {"workspaceName": None}])
    def test_a_name_is_kept_where_no_other_is_given(self, name: dict[str, Any]) -> None:
        before = process(metadata={"workspaceName": "old"})
        after = patched(before, ProcessPatch(metadata=name | {"workspaceId": "w"}))
        assert after.metadata == {"workspaceId": "w", "workspaceName": "old"}
        assert patched(before, ProcessPatch(metadata=name)) is before
        assert patched(before, ProcessPatch(metadata=None)) is before

    def test_all_metadata_can_be_cleared_where_there_is_no_workspace(self) -> None:
        before = process(metadata={"a": 1})
        assert patched(before, ProcessPatch(metadata=None)).metadata is None

    def test_what_was_there_is_not_touched(self) -> None:
        metadata = {"a": 1}
        patched(process(metadata=metadata), ProcessPatch(metadata={"b": 2}))
        assert metadata == {"a": 1}

    def test_a_reporter_adds_what_became_of_a_cancel(self) -> None:
        before = cancelled(process())
        told = ProcessPatch(cancellation=CancellationPatch(outcome="killed"))
        after = patched(before, told)
        assert before.cancellation is not None
        assert after.cancellation is not None
        assert after.cancellation.requested_time == before.cancellation.requested_time
        assert after.cancellation.outcome == "killed"
        assert after.cancellation.outcome_time is not None
        assert patched(after, told) is after

    def test_an_outcome_needs_a_cancel(self) -> None:
        told = ProcessPatch(cancellation=CancellationPatch(outcome="killed"))
        with pytest.raises(InvalidInput, match=r"^cancellation\.requestedTime: expected a time"):
            patched(process(), told)

    def test_a_cancel_that_is_told_whole_is_kept(self) -> None:
        told = CancellationPatch(requested_time=NOON, outcome="ignored", outcome_time=LATER)
        after = patched(process(), ProcessPatch(cancellation=told))
        assert after.cancellation == Cancellation(
            requested_time=NOON, outcome="ignored", outcome_time=LATER
        )

    def test_patch_is_the_mutation_of_it(self) -> None:
        assert patch(ProcessPatch(result="r"))(process()) == process(result="r")


class TestCancelled:
    @pytest.mark.parametrize("status", ["queued", "running"])
    def test_it_ends_what_has_not_ended(self, status: Status) -> None:
        after = cancelled(process(status=status))
        assert after.status == "cancelled"
        assert after.cancellation is not None
        assert after.end_time == after.cancellation.requested_time

    @pytest.mark.parametrize("status", ENDS)
    def test_of_cancels_only_one_succeeds(self, status: Status) -> None:
        with pytest.raises(TerminalState, match=status):
            cancelled(process(status=status, end_time=LATER))

    def test_an_end_time_that_is_there_stays(self) -> None:
        assert cancelled(process(end_time=LATER)).end_time == LATER


class TestCompleted:
    def test_it_ends_with_a_status(self) -> None:
        after = completed("failed")(process())
        assert after.status == "failed"
        assert after.end_time is not None

    def test_a_duration_counts_from_the_start(self) -> None:
        assert completed("completed", "2m 34s")(process()).end_time == LATER

    def test_the_same_again_is_no_change(self) -> None:
        complete = completed("completed", "2m 34s")
        after = complete(process())
        assert complete(after) is after

    def test_another_end_is_refused(self) -> None:
        with pytest.raises(TerminalState):
            completed("completed")(process(status="cancelled", end_time=LATER))

    @pytest.mark.parametrize("status", ["queued", "running"])
    def test_it_must_be_an_end(self, status: Status) -> None:
        with pytest.raises(ValueError, match=r"^status: expected one of"):
            completed(status)

    def test_a_duration_must_be_one(self) -> None:
        with pytest.raises(ValueError, match="not a duration"):
            completed("completed", "soon")

    def test_a_duration_beyond_the_calendar_is_refused(self) -> None:
        with pytest.raises(ValueError, match="out of range"):
            completed("completed", "9999999999999h")(process())


class TestCreated:
    @pytest.mark.parametrize("status", ["queued", "running"])
    def test_what_has_not_ended_is_kept_as_it_is(self, status: Status) -> None:
        before = process(status=status)
        assert created(before) is before

    @pytest.mark.parametrize("status", ENDS)
    def test_what_has_ended_gets_an_end_time(self, status: Status) -> None:
        assert created(process(status=status)).end_time is not None
        told = process(status=status, end_time=LATER)
        assert created(told) is told


class TestFingerprint:
    def test_the_order_of_keys_tells_nothing(self) -> None:
        one = process(metadata={"a": 1, "b": {"c": 2, "d": 3}})
        other = process(metadata={"b": {"d": 3, "c": 2}, "a": 1})
        assert fingerprint(one) == fingerprint(other)

    @pytest.mark.parametrize(
        "fields",
        [
            {"id": "q"},
            {"full_prompt": " "},
            {"result": ""},
            {"metadata": {}},
            {"exit_code": 0},
            {"end_time": LATER},
        ],
    )
    def test_any_field_tells_creates_apart(self, fields: dict[str, Any]) -> None:
        assert fingerprint(replace(process(), **fields)) != fingerprint(process())

    def test_one_is_not_true(self) -> None:
        one, true = process(metadata={"a": 1}), process(metadata={"a": True})
        assert fingerprint(one) != fingerprint(true)
