"""The queue that overflows to disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_host.client.pending import OVERHEAD, PendingQueue

TWO_ITEMS = 2 * (OVERHEAD + 10)


@pytest.fixture
def queue() -> Iterator[PendingQueue]:
    made = PendingQueue(TWO_ITEMS)
    yield made
    made.close()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@given(st.lists(st.booleans(), max_size=60))
def test_items_come_out_in_order_whatever_is_put_and_taken_when(puts: list[bool]) -> None:
    queue = PendingQueue(TWO_ITEMS)
    waiting: list[int] = []
    for number, put in enumerate(puts):
        if put:
            queue.put({"content": f"日{number}"}, 10)
            waiting.append(number)
        else:
            expected = {"content": f"日{waiting.pop(0)}"} if waiting else None
            assert queue.take() == expected
        assert bool(queue) == bool(waiting)
    while waiting:
        assert queue.take() == {"content": f"日{waiting.pop(0)}"}
    assert queue.take() is None
    queue.close()


def test_beyond_the_limit_items_wait_on_disk_without_a_name(
    queue: PendingQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = open_files()
    for number in range(2):
        queue.put({"n": number}, 10)
    assert open_files() == before
    queue.put({"n": 2}, 10)
    assert open_files() == before + 1
    assert list(tmp_path.iterdir()) == []
    assert [queue.take() for _ in range(4)] == [{"n": 0}, {"n": 1}, {"n": 2}, None]
    queue.close()
    assert open_files() == before


def test_without_room_on_disk_nothing_is_lost(
    queue: PendingQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    for number in range(4):
        queue.put({"n": number}, 10)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    queue.put({"n": 4}, 10)
    assert [queue.take() for _ in range(6)] == [*({"n": n} for n in range(5)), None]


def test_an_item_larger_than_the_limit_is_taken_all_the_same(queue: PendingQueue) -> None:
    queue.put({"content": "x" * 10_000}, 10_000)
    assert queue.take() == {"content": "x" * 10_000}
