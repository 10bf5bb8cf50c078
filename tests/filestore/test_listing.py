"""Lists and counts, held against the plainest way to make them."""

from __future__ import annotations

import base64
import json
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_host.errors import InvalidInput
from pipeline_host.models import STATUSES, Process, ProcessFilter, Status, Timestamp
from pipeline_host.testing.store_base import moment, new_process, set_fields
from pipeline_host.testing.waiting import wait_until
from pipeline_host_filestore import cursor, listing, pruning
from pipeline_host_filestore.index import Entry, Index, Key, key_of
from pipeline_host_filestore.listing import Listing
from pipeline_host_filestore.pacing import Pace
from pipeline_host_filestore.store import FileProcessStore

WORKSPACES = st.sampled_from([None, "w1", "w2"])
TYPES = st.sampled_from(["clarification", "code-review"])
PARENTS = st.sampled_from([None, "p0", "p1"])
SOME_STATUSES = st.lists(st.sampled_from(STATUSES), max_size=3).map(tuple)

PROCESSES = st.builds(
    new_process,
    st.integers(0, 11).map("p{}".format),
    status=st.sampled_from(STATUSES),
    type=TYPES,
    parent_process_id=PARENTS,
    workspace=WORKSPACES,
    start_time=st.integers(0, 5).map(moment),
    full_prompt=st.sampled_from(["Straße", "needle", ""]),
)
STEPS = st.lists(st.one_of(PROCESSES, st.integers(0, 11).map("p{}".format)), max_size=30)
FILTERS = st.builds(
    ProcessFilter,
    workspace=WORKSPACES,
    statuses=st.none() | SOME_STATUSES,
    type=st.none() | TYPES,
    parent=PARENTS,
    since=st.none() | st.integers(0, 5).map(moment),
    q=st.sampled_from([None, "NEEDLE", "STRASSE", "p1"]),
    order=st.sampled_from(["asc", "desc"]),
    limit=st.integers(1, 6),
    offset=st.integers(0, 6),
)


def entry_of(process: Process, number: int) -> Entry:
    return Entry(
        process=process, fingerprint="", incarnation=number, version=number, size=1, large={}
    )


def built(steps: list[Process | str], *, at_once: bool) -> Index:
    """An index that took these steps: put a process in, or drop an id."""
    index = Index()

    def take() -> None:
        for number, step in enumerate(steps, start=1):
            if isinstance(step, str):
                index.drop(step)
            else:
                old = index.get(step.id)
                index.put(entry_of(step, old.incarnation if old else number))

    if at_once:
        with index.filling():
            take()
    else:
        take()
    return index


def select(index: Index, query: ProcessFilter) -> Listing:
    """A page, as a store finds it."""
    found = listing.select(index, query, "e")
    if isinstance(found, Listing):
        return found
    return listing.search(found, lambda entry: entry.process, lambda: None)


def plain(index: Index, query: ProcessFilter) -> list[str]:
    """The ids of all that match, in order."""
    found = []
    for entry in sorted(index.entries(), key=key_of, reverse=query.order == "desc"):
        process = entry.process
        texts = " ".join([process.id, process.prompt_preview, process.full_prompt])
        matches = [
            query.workspace in (None, process.workspace_id),
            query.statuses is None or process.status in query.statuses,
            query.type in (None, process.type),
            query.parent in (None, process.parent_process_id),
            query.since is None or process.start_time >= query.since,
            query.q is None or query.q.casefold() in texts.casefold(),
        ]
        if all(matches):
            found.append(process.id)
    return found


def ids(found: Listing) -> list[str]:
    return [entry.process.id for entry in found.entries]


@settings(max_examples=150)
@given(STEPS, FILTERS, st.booleans())
def test_a_page_is_a_cut_of_all_that_match(
    steps: list[Process | str], query: ProcessFilter, at_once: bool
) -> None:
    index = built(steps, at_once=at_once)
    expected = plain(index, query)
    found = select(index, query)
    assert ids(found) == expected[query.offset : query.offset + query.limit]
    assert found.total == len(expected)
    assert (found.next_cursor is not None) == (query.offset + query.limit < len(expected))


@settings(max_examples=100)
@given(STEPS, FILTERS)
def test_cursors_lead_through_all_that_match(
    steps: list[Process | str], query: ProcessFilter
) -> None:
    index = built(steps, at_once=True)
    fields: dict[str, Any] = {name: getattr(query, name) for name in query.__struct_fields__}
    fields["offset"] = 0
    found: list[str] = []
    page = select(index, ProcessFilter(**fields))
    found += ids(page)
    while page.next_cursor:
        page = select(index, ProcessFilter(**fields | {"cursor": page.next_cursor}))
        found += ids(page)
    assert found == plain(index, query)


@settings(max_examples=50)
@given(STEPS)
def test_filled_at_once_or_one_by_one_is_the_same(steps: list[Process | str]) -> None:
    one_by_one, at_once = built(steps, at_once=False), built(steps, at_once=True)
    assert list(one_by_one.entries()) == list(at_once.entries())
    assert one_by_one.bytes == at_once.bytes == len(one_by_one)
    counts = [
        {workspace: list(keys) for workspace, keys in index.workspaces()}
        for index in (one_by_one, at_once)
    ]
    assert counts[0] == counts[1]


@pytest.mark.parametrize("size", [10, 1000])
def test_what_facets_cover_is_not_gone_through(size: int) -> None:
    """A page costs what the page costs: no process is looked at that isn't on it."""
    index = Index()
    with index.filling():
        for number in range(1, size + 1):
            status = STATUSES[number % 5]
            index.put(entry_of(new_process(f"p{number}", workspace="w", status=status), number))
    for query in (
        ProcessFilter(limit=2),
        ProcessFilter(limit=2, workspace="w", statuses=("queued", "failed")),
        ProcessFilter(limit=2, statuses=("running",), since=moment(0), order="desc"),
    ):
        found = listing.select(index, query, "e")
        assert isinstance(found, Listing)
        assert len(found.entries) == 2


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("statuses", [None, ("queued", "failed", "completed")])
def test_a_search_leaves_nothing_to_be_sorted_at_its_end(
    order: Literal["asc", "desc"],
    statuses: tuple[Status, ...] | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """That can't be done in slices, and took the longer the more there was."""
    compared = 0

    class Counting(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return str(self) == other

    index = Index()
    with index.filling():
        for number in range(1, 1001):
            time = Timestamp(Counting(moment(number * 37 % 1000)))
            process = new_process(f"p{number}", status=STATUSES[number % 5], start_time=time)
            index.put(entry_of(process, number))
    compared = 0
    monkeypatch.setattr(cursor, "encode", lambda key, epoch: key.id)
    page = select(index, ProcessFilter(q="p", limit=2, statuses=statuses, order=order))
    assert page.total == (1000 if statuses is None else 600)
    assert len(page.entries) == 2
    assert compared < 100


def test_a_search_keeps_nobody_waiting_and_tells_of_one_moment(
    store: FileProcessStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it goes through the texts, others read, write, and even compact the journal."""
    for number in range(6):
        store.add(new_process(f"p{number}", full_prompt="needle " * 1000))
    before = {process.id: process for process in store.list(ProcessFilter()).processes}
    paused = 0

    class Meddling(Pace):
        def pause(self) -> None:
            nonlocal paused
            paused += 1
            store.update("p5", set_fields(result=f"result {paused} " * 500))
            if paused == 2:
                store.remove("p3")
                store.add(new_process("p7", full_prompt="needle"))
            if paused == 3:
                assert store._compactor.compact(force=True)
                wait_until(lambda: store.get("p5") and not relocating(store))

    monkeypatch.setattr("pipeline_host_filestore.store.Pace", Meddling)
    page = store.list(ProcessFilter(q="NEEDLE"))
    assert paused == 6
    assert {process.id: process for process in page.processes} == before
    monkeypatch.undo()
    assert [process.id for process in store.list(ProcessFilter(q="needle")).processes] == [
        "p0",
        "p1",
        "p2",
        "p4",
        "p5",
        "p7",
    ]


def relocating(store: FileProcessStore) -> bool:
    with store._access.reading() as replica:
        return replica.relocating


def test_a_cursor_leads_back_to_its_key() -> None:
    key = Key(moment(3), 7, "")
    assert cursor.decode(cursor.encode(key, "epoch1"), "epoch1") == key


@pytest.mark.parametrize(
    "values",
    [
        ("e", 'a"', -1),
        ("e", moment(0), -1),
        ("e", moment(0), 2**63),
        ("e", moment(0), 1.5),
        ("e", "2026-11-22T07:00:00Z", 1),
        ("e", "", 1),
        ("other", moment(0), 1),
        (moment(0), 1),
        ["e", moment(0), 1, 1],
        {},
    ],
)
def test_a_cursor_with_anything_but_a_place_in_these_data_is_refused(values: object) -> None:
    given = base64.urlsafe_b64encode(json.dumps(values).encode()).rstrip(b"=").decode()
    with pytest.raises(InvalidInput, match="cursor"):
        cursor.decode(given, "e")


def test_a_status_named_twice_counts_once() -> None:
    index = built([new_process("p", status="failed")], at_once=False)
    query = ProcessFilter(statuses=("failed", "failed"))
    assert select(index, query).total == 1
    assert pruning.to_clear(index, ["failed", "failed"], None) == ["p"]
