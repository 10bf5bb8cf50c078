"""What waits to be told of losses takes little memory, and leaves out nothing but content."""

from __future__ import annotations

import gc
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_host.client.items import Cancel, Create, Drop, Item, Output, Register, Update
from pipeline_host.client.untold import REASONS, VARIOUS, Untold


def output(name: str, text: str, reason: str = "full") -> Drop:
    return Drop(Output(name, ({"content": text},)), name, reason, output_bytes=len(text))


def told(untold: Untold, count: int) -> list[Drop]:
    drops = [untold.pop() for _ in range(count)]
    with pytest.raises(KeyError):
        untold.pop()
    return drops


def test_what_has_room_is_told_one_by_one() -> None:
    untold = Untold(held=10)
    drops = [output("a", "12345"), output("a", "12345"), Drop(Cancel("a"), "a", "full")]
    assert [untold.put(each) for each in drops] == [True] * 3
    assert told(untold, 3) == drops
    assert untold.put(drops[0])
    assert told(untold, 1) == drops[:1]


def test_what_has_no_room_is_counted_for_each_process_and_reason() -> None:
    untold = Untold(held=10)
    assert untold.put(first := output("a", "x" * 100))
    given = [output("a", "xx"), output("b", "x"), output("a", "x"), output("a", "x", "other")]
    assert [untold.put(each) for each in given] == [True, True, False, True]
    assert told(untold, 4) == [
        first,
        Drop(Output("a", ()), "a", "full", count=2, output_bytes=3),
        Drop(Output("b", ()), "b", "full", output_bytes=1),
        Drop(Output("a", ()), "a", "other", output_bytes=1),
    ]


def test_of_too_many_the_rest_is_one_for_each_reason() -> None:
    untold = Untold(most=2)
    drops = [output(name, "x") for name in "abcd"]
    assert [untold.put(each) for each in drops] == [True, True, True, False]
    summary = Drop(None, None, "full", count=2, output_bytes=2)
    assert told(untold, 3) == [*drops[:2], summary]


def test_a_summary_of_one_process_names_it_until_there_is_another() -> None:
    untold = Untold(most=1)
    untold.put(output("a", "x"))
    untold.put(output("b", "x"))
    untold.put(output("b", "x"))
    untold.put(output("b", "x", "other"))
    untold.put(output("c", "x", "other"))
    assert [(each.process_id, each.count) for each in told(untold, 3)] == [
        ("a", 1),
        ("b", 2),
        (None, 2),
    ]


def test_however_many_reasons_there_are_only_so_many_are_told_apart() -> None:
    untold = Untold(most=10)
    told_one_by_one = 10 + REASONS
    new = [untold.put(output("a", "x", f"reason {number}")) for number in range(1000)]
    assert sum(new) == told_one_by_one + 1
    assert not untold.put(output("a", "x", "reason 10"))
    *_, last = told(untold, told_one_by_one + 1)
    assert (last.reason, last.count) == (VARIOUS, 1000 - told_one_by_one)


def test_an_error_does_not_hold_what_the_caller_gave() -> None:
    class Given:
        """What a caller gave."""

    def fail(given: Given) -> None:
        try:
            raise KeyError(given)
        except KeyError:
            raise ValueError("no good") from None

    untold = Untold()
    try:
        fail(given := Given())
    except ValueError as error:
        untold.put(Drop(None, "a", "no good", error))
    left = weakref.ref(given)
    del given
    gc.collect()
    assert left() is None
    (drop,) = told(untold, 1)
    assert str(drop.error) == "no good"


@pytest.mark.parametrize(
    ("item", "bare"),
    [
        (Update("a", {"result": "r"}), Update("a", {})),
        (Create("a", {"id": "a"}), Create("a", {})),
        (Register({"id": "w"}), Register({})),
    ],
)
def test_a_kind_is_kept_without_its_content(item: Item, bare: Item) -> None:
    untold = Untold(held=0)
    untold.put(output("a", "x"))
    untold.put(Drop(item, item.process_id, "full"))
    assert told(untold, 2)[1].item == bare


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("rs"), st.integers(1, 9))))
def test_nothing_goes_uncounted(given: list[tuple[str, str, int]]) -> None:
    untold = Untold(most=4, held=12)
    drops = [output(name, "x" * length, reason) for name, reason, length in given]
    out = told(untold, sum([untold.put(each) for each in drops]))
    assert sum(each.count for each in out) == len(drops)
    assert sum(each.output_bytes for each in out) == sum(length for *_, length in given)
    assert len(out) <= 4 + 2
