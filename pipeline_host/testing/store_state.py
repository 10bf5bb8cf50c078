"""The store contract on processes: create, read, change."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from pipeline_host.errors import Conflict, NotFound, TerminalState
from pipeline_host.models import (
    STATUSES,
    Added,
    Cancellation,
    Process,
    Status,
)
from pipeline_host.store import ProcessStore
from pipeline_host.testing.store_base import (
    StoreContractBase,
    moment,
    new_process,
    newest,
    race,
    set_fields,
)
from pipeline_host.transitions import cancelled

AWKWARD_TEXT = "NUL \0 tab \t CRLF \r\n quote \"' back\\slash é e\u0301 日本 🧪 \u2028 \ufeff end"
UNKNOWN = "none has this id"


class Refusal(Exception):
    """What a mutation raises that refuses."""


class AddContract(StoreContractBase):
    def test_an_added_process_is_kept_in_all_its_fields(self, store: ProcessStore) -> None:
        full = new_process(
            "full",
            full_prompt=AWKWARD_TEXT,
            status="cancelled",
            end_time=moment(9),
            error=AWKWARD_TEXT,
            result="r",
            structured_result='{"a": 1}',
            result_file_path="/r",
            raw_stdout_file_path="/o",
            parent_process_id="parent",
            sdk_session_id="s",
            backend="b",
            working_directory="/w",
            metadata={"workspaceId": "w", "deep": [{"n": [1.5, 2**53 + 1, True, None, "日本"]}]},
            group_metadata={"g": 1},
            code_review_metadata={"c": 1},
            discovery_metadata={"d": 1},
            code_review_group_metadata={"cg": 1},
            exit_code=-9,
            cancellation=Cancellation(requested_time=moment(5)),
        )
        assert store.add(full) == Added(process=full, created=True)
        assert store.get("full") == full

    def test_a_process_of_any_size_is_kept(self, store: ProcessStore) -> None:
        large = new_process(full_prompt="日本語 " * 200_000, result="x" * 1_000_000)
        store.add(large)
        assert store.get("p") == large

    def test_one_that_already_ended_gets_an_end_time(self, store: ProcessStore) -> None:
        added = store.add(new_process(status="failed"))
        assert added.process.end_time is not None
        assert store.get("p") == added.process

    @pytest.mark.parametrize(
        "process_id", [".", "..", "a/b", "../../x", "50%", "%2F", " ", "it's", "日本", "界" * 200]
    )
    def test_an_id_may_be_any_text(self, store: ProcessStore, process_id: str) -> None:
        store.add(new_process(process_id))
        store.append_output(process_id, (), None)
        assert store.get(process_id).id == process_id
        assert store.read_output(process_id).end == 0

    def test_ids_that_look_alike_are_different(self, store: ProcessStore) -> None:
        alike = ["a", "A", "é", "e\u0301", "a ", "x" * 199, "x" * 200]
        for number, process_id in enumerate(alike):
            store.add(new_process(process_id, exit_code=number))
        found = [store.get(process_id).exit_code for process_id in alike]
        assert found == list(range(len(alike)))

    def test_a_repeated_create_changes_nothing(self, store: ProcessStore) -> None:
        first = store.add(new_process(status="completed"))
        before = newest(store)
        assert store.add(new_process(status="completed")) == replace(first, created=False)
        assert newest(store) == before

    def test_a_repeated_create_is_known_whatever_became_of_the_process(
        self, store: ProcessStore
    ) -> None:
        store.add(new_process(status="queued", metadata={"a": 1}))
        store.update("p", set_fields(status="running", metadata={"b": 2}))
        store.update("p", set_fields(status="completed", result="done"))
        now = store.get("p")
        again = store.add(new_process(status="queued", metadata={"a": 1}))
        assert again == Added(process=now, created=False)

    def test_another_create_for_a_known_id_is_refused(self, store: ProcessStore) -> None:
        first = store.add(new_process()).process
        before = newest(store)
        with pytest.raises(Conflict):
            store.add(new_process(full_prompt="another"))
        assert store.get("p") == first
        assert newest(store) == before

    def test_the_state_now_is_not_a_repeat_of_the_create(self, store: ProcessStore) -> None:
        store.add(new_process())
        now = store.update("p", set_fields(result="later"))
        with pytest.raises(Conflict):
            store.add(now)

    def test_an_id_is_free_again_after_remove(self, store: ProcessStore) -> None:
        store.add(new_process())
        store.remove("p")
        assert store.add(new_process(full_prompt="another")).created
        assert store.get("p").full_prompt == "another"

    def test_of_racing_creates_one_creates(self, store: ProcessStore) -> None:
        results = race(*[partial(store.add, new_process()) for _ in range(8)])
        assert sorted(r.created for r in results if isinstance(r, Added)) == [False] * 7 + [True]

    def test_of_racing_different_creates_one_is_kept(self, store: ProcessStore) -> None:
        results = race(*[partial(store.add, new_process(exit_code=n)) for n in range(8)])
        kept = [r.process for r in results if isinstance(r, Added)]
        assert kept == [store.get("p")]
        assert all(isinstance(r, Added | Conflict) for r in results)


class UpdateContract(StoreContractBase):
    def test_a_process_nobody_added_is_not_found(self, store: ProcessStore) -> None:
        calls = (
            partial(store.get, UNKNOWN),
            partial(store.update, UNKNOWN, set_fields(result="r")),
            partial(store.remove, UNKNOWN),
        )
        for call in calls:
            with pytest.raises(NotFound, match="Process not found"):
                call()

    def test_an_update_is_kept(self, store: ProcessStore) -> None:
        before = store.add(new_process()).process
        after = store.update("p", set_fields(result=AWKWARD_TEXT, exit_code=3))
        assert after == replace(before, result=AWKWARD_TEXT, exit_code=3)
        assert store.get("p") == after

    def test_an_update_starts_from_the_state_now(self, store: ProcessStore) -> None:
        store.add(new_process())
        now = store.update("p", set_fields(result="first"))
        seen: list[Process] = []

        def mutate(process: Process) -> Process:
            seen.append(process)
            return process

        store.update("p", mutate)
        assert seen[-1] == now

    def test_what_a_mutation_raises_is_raised_and_nothing_changes(
        self, store: ProcessStore
    ) -> None:
        before, number = store.add(new_process()).process, newest(store)

        def refuse(process: Process) -> Process:
            raise Refusal

        with pytest.raises(Refusal):
            store.update("p", refuse)
        assert store.get("p") == before
        assert newest(store) == number
        assert store.update("p", set_fields(result="still works")).result == "still works"

    def test_an_equal_process_is_no_change(self, store: ProcessStore) -> None:
        before, number = store.add(new_process(metadata={"a": [1]})).process, newest(store)
        assert store.update("p", lambda process: replace(process, metadata={"a": [1]})) == before
        assert newest(store) == number

    def test_a_value_that_python_alone_takes_for_equal_is_a_change(
        self, store: ProcessStore
    ) -> None:
        store.add(new_process(metadata={"a": 1, "b": 1}))
        store.update("p", set_fields(metadata={"a": True, "b": 1.0}))
        assert repr(store.get("p").metadata) == repr({"a": True, "b": 1.0})

    def test_a_patch_never_loses_the_workspace(self, store: ProcessStore) -> None:
        store.add(new_process(metadata={"workspaceId": "w", "a": 1}))
        store.update("p", set_fields(metadata={"b": 2}))
        assert store.get("p").metadata == {"workspaceId": "w", "a": 1, "b": 2}
        store.update("p", set_fields(metadata=None))
        assert store.get("p").metadata == {"workspaceId": "w"}

    def test_a_field_can_be_cleared(self, store: ProcessStore) -> None:
        store.add(new_process(error="e", result="r"))
        store.update("p", set_fields(error=None))
        assert (store.get("p").error, store.get("p").result) == (None, "r")

    @pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
    def test_an_ended_process_keeps_its_status(self, store: ProcessStore, status: Status) -> None:
        store.add(new_process())
        ended = store.update("p", set_fields(status=status))
        assert ended.end_time is not None
        sentence = f"^Process is already in terminal state: {status}$"
        for other in set(STATUSES) - {status}:
            with pytest.raises(TerminalState, match=sentence):
                store.update("p", set_fields(status=other))
        assert store.get("p") == ended

    def test_an_ended_process_takes_a_late_result(self, store: ProcessStore) -> None:
        store.add(new_process(status="completed"))
        assert store.update("p", set_fields(result="late")).result == "late"
        assert store.get("p").result == "late"

    def test_of_racing_ends_one_wins(self, store: ProcessStore) -> None:
        ends = [set_fields(status="completed"), set_fields(status="failed"), cancelled, cancelled]
        for number in range(5):
            process_id = f"p{number}"
            store.add(new_process(process_id))
            results = race(*[partial(store.update, process_id, end) for end in ends])
            winners = [result for result in results if isinstance(result, Process)]
            assert winners == [store.get(process_id)]
            losers = [result for result in results if not isinstance(result, Process)]
            assert [str(loser) for loser in losers] == [str(TerminalState(winners[0].status))] * 3

    def test_concurrent_updates_lose_nothing(self, store: ProcessStore) -> None:
        store.add(new_process(workspace="w"))

        def write(writer: int) -> None:
            for turn in range(8):
                store.update("p", set_fields(metadata={f"{writer}-{turn}": turn}))

        race(*[partial(write, writer) for writer in range(4)])
        expected: dict[str, Any] = {f"{w}-{turn}": turn for w in range(4) for turn in range(8)}
        assert store.get("p").metadata == expected | {"workspaceId": "w"}
