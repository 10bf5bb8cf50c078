"""The queue keeps order, merges neighbours, and says what it drops."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline_host.client.batch import MAX_BATCH
from pipeline_host.client.items import (
    Cancel,
    Create,
    Item,
    Output,
    Register,
    Remove,
    Update,
    from_json,
    lane,
    merged,
    to_json,
)
from pipeline_host.client.outbox import FULL, NEAR, UNCREATED, Outbox
from pipeline_host.client.overflow import OverflowFile
from pipeline_host.errors import Conflict
from pipeline_host.transitions import patched
from pipeline_host.wire import parse_patch, parse_process

law = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

NAMES = st.sampled_from("ab")
TEXTS = st.text(alphabet="xyz€", max_size=4)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["queued", "running", "completed", "failed"]),
        "result": TEXTS | st.none(),
        "error": TEXTS,
        "metadata": st.none() | st.dictionaries(st.sampled_from("kl"), st.none() | TEXTS),
        "exitCode": st.integers(0, 3),
    },
)
OUTPUTS = st.builds(
    lambda name, text, stream: Output(name, ({"content": text, "stream": stream},)),
    NAMES,
    TEXTS,
    st.sampled_from(["stdout", "stderr"]),
)
UPDATES = st.builds(Update, NAMES, FIELDS)
ITEMS: st.SearchStrategy[Item] = st.one_of(
    OUTPUTS,
    UPDATES,
    st.builds(
        Create,
        NAMES,
        st.just({"id": "a", "promptPreview": "p"}),
        st.booleans(),
        st.booleans(),
    ),
    st.builds(Remove, NAMES),
    st.builds(Cancel, NAMES),
    st.builds(Register, st.just({"id": "w"})),
)


def written(items: list[Item], name: str) -> list[tuple[str, str]]:
    """Every character that they write to a process, each with its stream."""
    return [
        (letter, chunk["stream"])
        for item in items
        if isinstance(item, Output) and item.process_id == name
        for chunk in item.chunks
        for letter in chunk["content"]
    ]


def sent(outbox: Outbox) -> list[Item]:
    """Everything that it hands out, in order."""
    items = []
    while (entry := outbox.take()) is not None:
        items.append(entry.item)
        outbox.settle(entry)
    return items


def after(updates: list[Item], process: dict[str, Any]) -> Any:
    """The process after these, as the server would have it; a refused status is left out."""
    now = parse_process(process)
    for update in updates:
        assert isinstance(update, Update)
        rest = {name: value for name, value in update.changes.items() if name != "status"}
        try:
            now = patched(now, parse_patch(dict(update.changes)))
        except Conflict:
            now = patched(now, parse_patch(rest))
    return now


START = {"id": "a", "promptPreview": "p", "startTime": "2026-11-22T07:00:00.000Z"}


@settings(law, max_examples=300)
@given(st.sampled_from(["queued", "running", "failed"]), st.lists(FIELDS, min_size=2, max_size=6))
def test_merged_updates_do_what_they_did_one_by_one(
    status: str, changes: list[dict[str, Any]]
) -> None:
    updates: list[Item] = [Update("a", each) for each in changes]
    outbox = Outbox()
    for update in updates:
        outbox.put(update)
    start = START | {"endTime": "2026-11-22T08:00:00.000Z"}
    process = {**start, "status": status, "metadata": {"k": "old", "workspaceId": "w"}}
    assert after(sent(outbox), process) == after(updates, process)


@law
@given(st.lists(OUTPUTS, max_size=30))
def test_merged_output_says_the_same_from_the_same_streams(items: list[Output]) -> None:
    outbox = Outbox()
    for item in items:
        outbox.put(item)
    merged_ones = sent(outbox)
    for name in "ab":
        assert written(merged_ones, name) == written(list(items), name)
    assert len(merged_ones) == len({item.process_id for item in items})


@law
@given(st.lists(ITEMS, max_size=40), st.randoms(use_true_random=False))
def test_nothing_is_lost_but_what_is_told_to_be(items: list[Item], chance: random.Random) -> None:
    outbox = Outbox(max_items=4)
    gone: list[Item] = []
    out: list[Item] = []
    flying = None
    for item in items:
        put = outbox.put(item)
        gone.extend(entry.item for entry in put.needless)
        gone.extend(entry.item for entry, _ in put.lost)
        assert len(outbox) <= 4 or len(outbox) == 1
        assert flying is None or flying in list(outbox)
        if flying is not None and chance.random() < 0.5:
            outbox.settle(flying)
            flying = None
        if flying is None and chance.random() < 0.5:
            flying = outbox.take()
            out.extend([flying.item] if flying else [])
    if flying is not None:
        assert flying.item == out[-1]
        outbox.settle(flying)
    out.extend(sent(outbox))
    for name in "ab":
        told = written(list(items), name)
        assert sorted(told) == sorted(written([*out, *gone], name))
        assert is_part(written(out, name), told)
    assert (len(outbox), outbox.bytes, outbox.in_memory) == (0, 0, 0)


def is_part(part: list[Any], whole: list[Any]) -> bool:
    """Whether ``part`` is ``whole`` with some left out, in the same order."""
    rest = iter(whole)
    return all(any(each == other for other in rest) for each in part)


@law
@given(ITEMS)
def test_an_item_can_be_kept_on_disk(item: Item) -> None:
    assert from_json(to_json(item)) == item


def test_a_creation_of_an_older_spool_leaves_what_is_there_alone_as_it_did_then() -> None:
    old = to_json(Create("a", {"id": "a"}))
    del old["exclusive"]
    assert from_json(old) == Create("a", {"id": "a"}, exclusive=True)


def test_what_the_server_would_refuse_takes_nothing_else_with_it() -> None:
    good, late = {"result": "r"}, {"error": "e"}
    refused = (
        {"status": "strange"},
        {"exitCode": "1"},
        {"result": 5},
        {"metadata": []},
        {"exitCode": True},
    )
    for bad in refused:
        outbox = Outbox()
        for changes in (good, bad, late):
            outbox.put(Update("a", changes))
        assert sent(outbox) == [Update("a", changes) for changes in (good, bad, late)]


def test_only_what_is_of_one_process_is_merged() -> None:
    outbox = Outbox()
    told = [Update("a", {"result": "1"}), Update("b", {"result": "2"})]
    for item in (*told, Update("b", {"error": "3"})):
        outbox.put(item)
    assert sent(outbox) == [told[0], Update("b", {"result": "2", "error": "3"})]


def test_output_and_updates_beside_it_are_merged_across_one_another() -> None:
    outbox = Outbox()
    for number in range(1000):
        outbox.put(Output("a", ({"content": "x"},)))
        outbox.put(Update("a", {"metadata": {"n": number}}))
    outbox.put(Update("a", {"status": "completed"}))
    changes = {"metadata": {"n": 999}, "status": "completed"}
    assert sent(outbox) == [Output("a", ({"content": "x" * 1000},)), Update("a", changes)]


@pytest.mark.parametrize(
    "wall",
    [
        Update("a", {"status": "running"}),
        Update("a", {"status": "completed"}),
        Update("a", {"endTime": None}),
        Cancel("a"),
        Create("a", {"id": "a"}),
    ],
    ids=lambda item: item.kind,
)
def test_nothing_is_moved_across_what_has_its_place(wall: Item) -> None:
    outbox = Outbox()
    text = Output("a", ({"content": "x"},))
    for item in (Update("a", {"result": "1"}), text, wall, text):
        outbox.put(item)
    assert sent(outbox) == [Update("a", {"result": "1"}), text, wall, text]


def test_a_change_of_status_stays_behind_the_output_before_it() -> None:
    outbox = Outbox()
    text = Output("a", ({"content": "x"},))
    for item in (Update("a", {"result": "1"}), text, Update("a", {"status": "failed"})):
        outbox.put(item)
    assert sent(outbox) == [Update("a", {"result": "1"}), text, Update("a", {"status": "failed"})]


def test_what_is_on_its_way_is_not_changed_across_others_either() -> None:
    outbox = Outbox()
    text = Output("a", ({"content": "x"},))
    outbox.put(text)
    flying = outbox.take()
    outbox.put(Update("a", {"result": "1"}))
    outbox.put(text)
    assert flying is not None
    assert flying.item == text
    outbox.settle(flying)
    assert sent(outbox) == [Update("a", {"result": "1"}), text]


def test_an_update_is_not_searched_a_place_for_in_much_output() -> None:
    outbox = Outbox()
    outbox.put(Update("a", {"result": "1"}))
    for _ in range(NEAR):
        outbox.put(Output("a", ({"content": "x" * MAX_BATCH},)))
    assert outbox.put(Update("a", {"result": "2"})).new
    assert not outbox.put(Update("a", {"result": "3"})).new
    assert sent(outbox)[-1] == Update("a", {"result": "3"})


@law
@given(
    st.lists(
        OUTPUTS.filter(lambda i: i.process_id == "a") | st.builds(Update, st.just("a"), FIELDS),
        max_size=12,
    )
)
def test_merged_across_one_another_they_do_what_they_did_in_order(items: list[Item]) -> None:
    outbox = Outbox()
    for item in items:
        outbox.put(item)
    out = sent(outbox)
    process = {**START, "status": "queued", "endTime": START["startTime"]}
    assert taken(out, process) == taken(items, process)


def taken(items: list[Item], process: dict[str, Any]) -> tuple[Any, Any]:
    """The process after these, and the output that came before its end."""
    updates = [item for item in items if isinstance(item, Update)]
    output: list[Any] = []
    for place, item in enumerate(items):
        done = [each for each in items[:place] if isinstance(each, Update)]
        if isinstance(item, Output) and after(list(done), process).status in ("queued", "running"):
            output += written([item], "a")
    return after(list(updates), process), output


def test_a_lane_whose_first_is_on_its_way_waits_and_the_others_go_on() -> None:
    outbox = Outbox()
    a, b, then = Update("a", {"result": "1"}), Cancel("b"), Cancel("a")
    for item in (a, b, then):
        outbox.put(item)
    flying = outbox.take()
    assert flying is not None
    assert flying.item == a
    other = outbox.take(blocked={lane(a)})
    assert other is not None
    assert other.item == b
    outbox.settle(other)
    assert outbox.take(blocked={lane(a)}) is None
    assert outbox.take() is flying
    outbox.put(Update("a", {"result": "2"}))
    outbox.settle(flying)
    assert sent(outbox) == [then, Update("a", {"result": "2"})]


def test_over_the_limit_the_oldest_goes_and_a_creation_only_by_itself() -> None:
    outbox = Outbox(max_items=4)
    create, update = Create("a", {"id": "a"}), Update("a", {"result": "1"})
    for item in (create, update, Cancel("a"), Cancel("b")):
        assert not outbox.put(item).lost
    lost = [outbox.put(Cancel(name)).lost for name in "cde"]
    assert [[(entry.item, reason) for entry, reason in each] for each in lost] == [
        [(update, FULL)],
        [(Cancel("a"), FULL)],
        [(create, FULL)],
    ]
    assert sent(outbox) == [Cancel(name) for name in "bcde"]


def test_of_two_creations_of_one_id_the_older_goes_first() -> None:
    outbox = Outbox(max_items=2)
    first, second = (Create("a", {"id": "a", "promptPreview": text}) for text in "12")
    outbox.put(first)
    outbox.put(second)
    assert [entry.item for entry, _ in outbox.put(Cancel("b")).lost] == [first]


def test_neither_what_was_just_put_nor_an_end_goes_instead_of_a_creation() -> None:
    create, end = Create("a", {"id": "a"}), Update("a", {"status": "completed"})
    text = Output("a", ({"content": "x"},))
    late = Update("a", {"endTime": "2026-11-22T07:00:00.000Z"})
    for told, last in (([create], text), ([create, end], text), ([create], late)):
        outbox = Outbox(max_items=len(told) + 1)
        for item in (*told, Cancel("b")):
            outbox.put(item)
        lost = outbox.put(last).lost
        assert [(entry.item, reason) for entry, reason in lost] == [
            (create, FULL),
            *((item, UNCREATED) for item in (*told[1:], last)),
        ]
        assert sent(outbox) == [Cancel("b")]


def test_what_comes_before_or_after_an_end_goes_and_the_end_stays() -> None:
    create, end = Create("a", {"id": "a"}), Update("a", {"status": "completed"})
    before, after_it = Output("a", ({"content": "x"},)), Cancel("a")
    outbox = Outbox(max_items=4)
    for item in (create, before, end, after_it):
        outbox.put(item)
    lost = [outbox.put(Cancel(name)).lost for name in "bc"]
    assert [[entry.item for entry, _ in each] for each in lost] == [[before], [after_it]]
    assert sent(outbox) == [create, end, Cancel("b"), Cancel("c")]


def test_what_is_too_large_for_the_queue_is_dropped() -> None:
    outbox = Outbox(max_bytes=2000)
    outbox.put(Cancel("a"))
    put = outbox.put(Update("b", {"result": "x" * 3000}))
    assert [entry.item.kind for entry, _ in put.lost] == ["cancel", "update"]
    assert len(outbox) == outbox.bytes == 0


def test_requests_have_a_sensible_size() -> None:
    outbox = Outbox()
    for _ in range(MAX_BATCH // 1000 * 3):
        outbox.put(Output("a", ({"content": "x" * 1000},)))
    sizes = [sum(len(c["content"]) for c in item.chunks) for item in sent(outbox)]  # type: ignore[union-attr]
    assert len(sizes) == 3
    assert max(sizes) <= MAX_BATCH


@settings(law, max_examples=30)
@given(st.lists(st.integers(0, 4), max_size=40))
def test_what_memory_has_no_room_for_comes_out_in_order(steps: list[int]) -> None:
    outbox = Outbox(None, None, OverflowFile(), memory_limit=3000)
    text = "x" * (MAX_BATCH // 2)
    expected, out = "", ""
    for number, step in enumerate(steps):
        if step == 4:
            outbox.put(Update("a", {"exitCode": number}))
        elif step:
            piece = f"{number}{text}"
            outbox.put(Output("a", ({"content": piece},)))
            expected += piece
            assert outbox.in_memory < 3 * MAX_BATCH
        elif (entry := outbox.take()) is not None:
            out += content(entry.item)
            outbox.settle(entry)
    out += "".join(map(content, sent(outbox)))
    assert out == expected
    assert (outbox.bytes, outbox.in_memory) == (0, 0)


def content(item: Item) -> str:
    chunks = item.chunks if isinstance(item, Output) else ()
    return "".join(chunk["content"] for chunk in chunks)


def test_without_room_on_disk_it_stays_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    outbox = Outbox(None, None, OverflowFile(), memory_limit=0)
    for number in range(4):
        outbox.put(Output("a", ({"content": f"{number}" * MAX_BATCH},)))
    assert [content(item)[0] for item in sent(outbox)] == ["0", "1", "2", "3"]


def test_two_kinds_are_never_one() -> None:
    assert merged(Remove("a"), Remove("a")) is None
    assert merged(Create("a", {}), Update("a", {})) is None
