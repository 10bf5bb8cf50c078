"""What callers give: copied as it will be on the wire, and only what is new of it sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline_host.client.told import Told
from pipeline_host.client.values import plain

law = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
METADATA = st.none() | st.dictionaries(st.sampled_from("klm"), st.integers(0, 2), max_size=3)
FIELDS = st.fixed_dictionaries(
    {}, optional={"result": st.sampled_from(["", "x"]), "metadata": METADATA}
)


def applied(stored: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """What a server makes of a change."""
    metadata = changes.get("metadata", {})
    merged = {} if metadata is None else {**stored.get("metadata", {}), **metadata}
    return {**stored, **changes, "metadata": merged}


@law
@given(st.lists(FIELDS, max_size=8))
def test_what_is_left_out_makes_no_difference(updates: list[dict[str, Any]]) -> None:
    told = Told()
    told.create("a", {"metadata": {"k": 0}})
    full = sparse = {"metadata": {"k": 0}}
    for update in updates:
        full = applied(full, update)
        sparse = applied(sparse, told.changed("a", update))
        assert sparse == full


def test_fields_that_cannot_be_changed_and_those_that_did_not_are_left_out() -> None:
    told = Told()
    told.create("a", {"id": "a", "status": "running", "promptPreview": "p"})
    whole = {"id": "a", "promptPreview": "new", "status": "running", "result": "r"}
    assert told.changed("a", whole) == {"result": "r"}
    assert told.changed("a", whole) == {}
    told.forget("a")
    assert told.changed("a", whole) == {"status": "running", "result": "r"}


def test_true_and_one_are_different() -> None:
    told = Told()
    assert [told.changed("a", {"exitCode": value}) for value in (1, True, "1")] == [
        {"exitCode": 1},
        {"exitCode": True},
        {"exitCode": "1"},
    ]


def test_only_so_many_are_remembered() -> None:
    told = Told(most=2)
    for name in "abc":
        told.changed(name, {"result": "r"})
    assert told.changed("c", {"result": "r"}) == {}
    assert told.changed("a", {"result": "r"}) == {"result": "r"}


@law
@given(VALUES)
def test_a_copy_is_the_same_on_the_wire(value: Any) -> None:
    assert json.dumps(plain(value)) == json.dumps(value)


def test_a_copy_is_nobody_elses() -> None:
    inner: dict[str, Any] = {"a": [1, (2, 3)]}
    copy = plain(inner)
    inner["a"].append(4)
    assert copy == {"a": [1, [2, 3]]}


@pytest.mark.parametrize("value", [{1: 2}, {"a": {1}}, b"x", float("inf"), [object()]])
def test_what_json_has_not_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"JSON|key"):
        plain(value)


def test_halves_of_pairs_are_replaced() -> None:
    assert plain({"\ud800": ["\udfff"]}) == {"\ufffd": ["\ufffd"]}
