"""The store contract on lists: filters, order, pages."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline_host.errors import InvalidInput
from pipeline_host.models import Order, ProcessFilter
from pipeline_host.store import ProcessStore
from pipeline_host.testing.store_base import (
    StoreContractBase,
    moment,
    moved_to,
    new_process,
    set_fields,
)

ORDERS = pytest.mark.parametrize("order", ["asc", "desc"])


def ids(store: ProcessStore, **query: Any) -> list[str]:
    return [process.id for process in store.list(ProcessFilter(**query)).processes]


def walk(store: ProcessStore, **query: Any) -> list[str]:
    """The ids of all pages, each found by the cursor of the one before it."""
    page = store.list(ProcessFilter(**query))
    found = [process.id for process in page.processes]
    while page.next_cursor is not None:
        page = store.list(ProcessFilter(cursor=page.next_cursor, **query))
        found.extend(process.id for process in page.processes)
        assert len(set(found)) == len(found), "a cursor led back"
    return found


class OrderContract(StoreContractBase):
    def test_an_empty_store_lists_nothing(self, store: ProcessStore) -> None:
        page = store.list(ProcessFilter())
        assert (page.processes, page.total, page.next_cursor) == ((), 0, None)

    def test_a_list_has_whole_processes_as_they_are_now(self, store: ProcessStore) -> None:
        store.add(new_process(full_prompt="long", metadata={"a": 1}))
        now = store.update("p", set_fields(result="r"))
        assert store.list(ProcessFilter()).processes == (now,)

    def test_order_is_by_start_then_by_creation(self, store: ProcessStore) -> None:
        for process_id, second in (("c", 5), ("b", 1), ("a", 5), ("d", 3)):
            store.add(new_process(process_id, start_time=moment(second)))
        assert ids(store) == ["b", "d", "c", "a"]
        assert ids(store, order="desc") == ["a", "c", "d", "b"]

    def test_an_update_keeps_its_place(self, store: ProcessStore) -> None:
        for process_id in "abc":
            store.add(new_process(process_id))
        store.update("a", set_fields(status="completed"))
        assert ids(store) == ["a", "b", "c"]


class FilterContract(StoreContractBase):
    def test_by_workspace(self, store: ProcessStore) -> None:
        for process_id, workspace in (("a", "w1"), ("b", "w2"), ("c", None), ("d", "w1")):
            store.add(new_process(process_id, workspace=workspace))
        assert ids(store, workspace="w1") == ["a", "d"]
        assert ids(store, workspace="w") == []

    def test_by_statuses(self, store: ProcessStore) -> None:
        for status in ("queued", "running", "completed", "failed"):
            store.add(new_process(status, status=status))
        assert ids(store, statuses=("running",)) == ["running"]
        assert ids(store, statuses=("failed", "queued")) == ["queued", "failed"]
        assert ids(store, statuses=("cancelled",)) == []

    def test_by_type(self, store: ProcessStore) -> None:
        store.add(new_process("a", type="code-review"))
        store.add(new_process("b", type="code-review-group"))
        assert ids(store, type="code-review") == ["a"]

    def test_by_parent(self, store: ProcessStore) -> None:
        store.add(new_process("child", parent_process_id="parent"))
        store.add(new_process("parent"))
        assert ids(store, parent="parent") == ["child"]

    def test_since_a_start_time_inclusive(self, store: ProcessStore) -> None:
        for second in (1, 2, 3):
            store.add(new_process(f"at {second}", start_time=moment(second)))
        assert ids(store, since=moment(2)) == ["at 2", "at 3"]

    @pytest.mark.parametrize("field", ["id", "preview", "prompt"])
    def test_by_a_text_in_id_preview_or_prompt(self, store: ProcessStore, field: str) -> None:
        found = {
            "id": new_process("a needle, in"),
            "preview": new_process("p", prompt_preview="a needle, in"),
            "prompt": new_process("p", full_prompt="a needle, in"),
        }
        store.add(found[field])
        store.add(new_process("other", error="needle", result="needle", type="needle"))
        assert ids(store, q="needle") == [found[field].id]

    @pytest.mark.parametrize(
        ("text", "q"), [("NeeDLE", "nEEdle"), ("Grüße", "GRÜ"), ("ПРИВЕТ", "привет")]
    )
    def test_a_text_is_found_in_any_case(self, store: ProcessStore, text: str, q: str) -> None:
        store.add(new_process(full_prompt=f"a {text} in a prompt"))
        assert ids(store, q=q) == ["p"]

    @pytest.mark.parametrize("q", ["%", "_", "*", ".", "\\", "'", '"', "[a]", "50%_"])
    def test_a_text_is_taken_as_it_is(self, store: ProcessStore, q: str) -> None:
        store.add(new_process("with", prompt_preview=f"before {q} after"))
        store.add(new_process("without"))
        assert ids(store, q=q) == ["with"]

    def test_every_condition_must_hold(self, store: ProcessStore) -> None:
        one: dict[str, Any] = {
            "workspace": "w",
            "status": "running",
            "type": "t",
            "start_time": moment(5),
            "parent_process_id": "parent",
            "full_prompt": "needle",
        }
        store.add(new_process("all", **one))
        other = {
            "workspace": "w2",
            "status": "queued",
            "type": "t2",
            "start_time": moment(4),
            "parent_process_id": "parent2",
            "full_prompt": "hay",
        }
        for name, value in other.items():
            store.add(new_process(f"all but {name}", **one | {name: value}))
        page = store.list(
            ProcessFilter(
                workspace="w",
                statuses=("running",),
                type="t",
                since=moment(5),
                parent="parent",
                q="needle",
            )
        )
        assert [process.id for process in page.processes] == ["all"]
        assert page.total == 1

    def test_filters_go_by_the_state_now(self, store: ProcessStore) -> None:
        for process_id in "abc":
            store.add(new_process(process_id, workspace="w1"))
        store.update("a", set_fields(status="failed"))
        store.update("a", moved_to("w2"))
        store.remove("b")
        assert (ids(store, statuses=("running",)), ids(store, workspace="w1")) == (["c"], ["c"])
        assert (ids(store, statuses=("failed",)), ids(store, workspace="w2")) == (["a"], ["a"])


class PageContract(StoreContractBase):
    @pytest.fixture
    def many(self, store: ProcessStore) -> ProcessStore:
        """A store with p0 to p9, two of each start time; the even ones ended."""
        for number in range(10):
            status = "running" if number % 2 else "completed"
            store.add(new_process(f"p{number}", status=status, start_time=moment(number // 2)))
        return store

    def test_limit_and_offset_cut_a_page_of_all(self, many: ProcessStore) -> None:
        page = many.list(ProcessFilter(limit=3, offset=4))
        assert [process.id for process in page.processes] == ["p4", "p5", "p6"]
        assert (page.total, page.limit, page.offset) == (10, 3, 4)

    def test_total_counts_what_matches(self, many: ProcessStore) -> None:
        page = many.list(ProcessFilter(statuses=("running",), limit=2))
        assert ([process.id for process in page.processes], page.total) == (["p1", "p3"], 5)

    def test_a_page_of_none_counts_what_matches(self, many: ProcessStore) -> None:
        page = many.list(ProcessFilter(statuses=("running",), limit=0))
        assert (page.processes, page.total, page.next_cursor) == ((), 5, None)
        assert many.list(ProcessFilter(limit=0)).total == 10

    def test_beyond_the_end_is_nothing(self, many: ProcessStore) -> None:
        page = many.list(ProcessFilter(offset=10))
        assert (page.processes, page.total, page.next_cursor) == ((), 10, None)

    def test_a_cursor_is_there_if_more_are(self, many: ProcessStore) -> None:
        assert many.list(ProcessFilter(limit=9)).next_cursor is not None
        assert many.list(ProcessFilter(limit=10)).next_cursor is None
        assert many.list(ProcessFilter(limit=5, offset=5)).next_cursor is None

    @ORDERS
    def test_cursors_lead_through_the_whole_list(self, many: ProcessStore, order: Order) -> None:
        expected = ids(many, order=order)
        assert walk(many, order=order, limit=3) == expected
        assert walk(many, order=order, limit=1) == expected

    @ORDERS
    def test_cursors_lead_through_a_filtered_list(self, many: ProcessStore, order: Order) -> None:
        expected = ids(many, order=order, statuses=("running",))
        assert walk(many, order=order, statuses=("running",), limit=2) == expected
        assert len(expected) == 5

    def test_the_total_is_the_same_on_each_page(self, many: ProcessStore) -> None:
        first = many.list(ProcessFilter(limit=4))
        assert many.list(ProcessFilter(limit=4, cursor=first.next_cursor)).total == 10

    @ORDERS
    def test_a_cursor_holds_its_place_while_others_come(
        self, many: ProcessStore, order: Order
    ) -> None:
        expected = ids(many, order=order)
        first = many.list(ProcessFilter(order=order, limit=3))
        for process_id, second in (("older", 0), ("newer", 9), ("same", 2)):
            many.add(new_process(process_id, start_time=moment(second)))
        found = [process.id for process in first.processes]
        page = many.list(ProcessFilter(order=order, cursor=first.next_cursor))
        found += [process.id for process in page.processes]
        assert [process_id for process_id in found if process_id in expected] == expected
        assert {"same", "newer" if order == "asc" else "older"} <= set(found)

    @ORDERS
    def test_a_cursor_holds_its_place_while_others_go(
        self, many: ProcessStore, order: Order
    ) -> None:
        listed = ids(many, order=order)
        first = many.list(ProcessFilter(order=order, limit=4))
        for process_id in listed[2:5]:
            many.remove(process_id)
        page = many.list(ProcessFilter(order=order, cursor=first.next_cursor))
        assert [process.id for process in page.processes] == listed[5:]

    @pytest.mark.parametrize("cursor", ["nonsense", "日本", "-", "a.b.c", "\0", "x" * 5000])
    def test_a_cursor_that_no_page_gave_is_refused(self, many: ProcessStore, cursor: str) -> None:
        with pytest.raises(InvalidInput, match="cursor"):
            many.list(ProcessFilter(cursor=cursor))
