"""Several processes on one data directory: nothing is lost, and everything is seen by all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline_host.models import ProcessFilter
from pipeline_host.testing.store_base import (
    changes_since,
    chunks_of,
    new_process,
    set_fields,
)
from pipeline_host_filestore.store import FileProcessStore

from .scripts import Script

Start = Callable[..., Script]


@pytest.mark.parametrize(("workers", "count"), [(2, 60), (4, 40)])
def test_concurrent_workers_lose_nothing(
    script: Start, store: FileProcessStore, data_dir: Path, workers: int, count: int
) -> None:
    store.add(new_process("shared", metadata={"kept": True}))
    names = "abcd"[:workers]
    started = [script("worker.py", data_dir, "write", name, str(count)) for name in names]
    for each in started:
        each.tell("go")
    for each in started:
        each.answer()
        each.end()

    expected = {f"{name}-{number}" for name in names for number in range(count)}
    page = store.list(ProcessFilter(statuses=("completed",), limit=1000))
    assert {process.id for process in page.processes} == expected
    assert all(process.result == process.id for process in page.processes)
    assert all(process.full_prompt == "x" * 2000 for process in page.processes)
    shared = store.get("shared").metadata
    assert shared is not None
    assert shared.keys() == expected | {"kept"}
    counts = {found.workspace_id: found.count for found in store.stats().by_workspace}
    assert counts == dict.fromkeys(names, count)
    assert store.damage == []


def test_concurrent_appends_are_in_one_order(
    script: Start, store: FileProcessStore, data_dir: Path
) -> None:
    store.add(new_process("shared"))
    started = [script("worker.py", data_dir, "write", name, "50") for name in "abc"]
    for each in started:
        each.tell("go")
    for each in started:
        each.end()
    found = chunks_of(store, "shared")
    place = 0
    for chunk in found:
        assert chunk.offset == place
        place = chunk.end
    for name in "abc":
        text = "".join(chunk.content for chunk in found if chunk.stream == name)
        assert text == "".join(f"{number}é" for number in range(50))


def test_all_workers_number_changes_alike(
    script: Start, store: FileProcessStore, data_dir: Path
) -> None:
    """One that read along, one that opens later, and one in another process."""
    store.add(new_process("shared"))
    started = [script("worker.py", data_dir, "write", name, "20") for name in "ab"]
    for each in started:
        each.tell("go")
    told = changes_since(store, 0)
    for each in started:
        each.end()
    told += changes_since(store, told[-1].seq)
    assert [change.seq for change in told] == list(range(1, 2 * 20 * 3 + 2))
    other = script("worker.py", data_dir, "tell_all").answer()["changes"]
    assert other == [
        [change.seq, change.kind, change.process.id if change.process else None] for change in told
    ]


def test_of_complete_and_cancel_one_wins(
    script: Start, store: FileProcessStore, data_dir: Path
) -> None:
    for number in range(40):
        store.add(new_process(f"p{number}"))
    ways = ["completed", "cancelled", "failed", "cancelled"]
    started = [script("worker.py", data_dir, "end", "40", how) for how in ways]
    assert [each.answer() for each in started] == ["ready"] * 4
    for each in started:
        each.tell("go")
    won = [each.answer() for each in started]
    assert sorted(process_id for each in won for process_id in each) == sorted(
        f"p{number}" for number in range(40)
    )
    for how, ids in zip(ways, won, strict=True):
        assert {store.get(process_id).status for process_id in ids} <= {how}


def test_what_another_process_did_is_seen_at_once(
    script: Start, store: FileProcessStore, data_dir: Path
) -> None:
    store.add(new_process("p0"))
    ending = script("worker.py", data_dir, "end", "1", "failed")
    assert ending.answer() == "ready"
    ending.tell("go")
    assert ending.answer() == ["p0"]
    assert store.get("p0").status == "failed"
    assert store.update("p0", set_fields(result="late")).status == "failed"


def test_a_full_disk_is_told_and_costs_nothing(script: Start, data_dir: Path) -> None:
    """Files may not grow beyond a size, as on a full disk; then they may again."""
    told = script("worker.py", data_dir, "fill").answer()
    names = {name for name, _, _ in told["refusals"]}
    statuses = {status for _, status, _ in told["refusals"]}
    assert (names, statuses) == ({"StorageFull"}, {507})
    assert all("The disk is full: can't write to" in text for _, _, text in told["refusals"])
    assert 1 <= len(told["added"]) < 9
    assert told["readable"]
    assert told["cut"]
    assert told["again"]
    assert told["all there"]
    store = FileProcessStore(data_dir)
    listed = {process.id for process in store.list(ProcessFilter()).processes}
    assert listed == {"first", "again", *told["added"]}
    assert store.damage == []
    store.close()
