"""The newest changes: all above the floor, and a resync for who comes from below it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline_host.models import Change
from pipeline_host.testing.store_base import new_process
from pipeline_host_filestore.window import ChangeWindow


def change(seq: int, text: str = "") -> Change:
    process = new_process(prompt_preview=text).summary()
    return Change(seq=seq, kind="process-updated", timestamp=seq, process=process)


@given(st.integers(0, 60), st.integers(0, 65), st.integers(1, 20))
def test_a_reader_gets_all_or_is_told_to_start_anew(last: int, after: int, limit: int) -> None:
    window = ChangeWindow(size=10)
    for seq in range(1, last + 1):
        window.append(change(seq))
    batch = window.after(after, limit, last)
    assert batch.last == last
    if batch.resync:
        assert batch.changes == ()
        assert after > last or after < last - 10
    else:
        expected = list(range(after + 1, last + 1))[:limit]
        assert [found.seq for found in batch.changes] == expected


def test_what_came_before_a_gap_is_forgotten() -> None:
    window = ChangeWindow()
    for seq in (1, 2, 5, 6):
        window.append(change(seq))
    assert window.after(3, 10, 6).resync
    assert [found.seq for found in window.after(4, 10, 6).changes] == [5, 6]


def test_a_change_that_is_missing_at_the_end_is_not_passed_over() -> None:
    window = ChangeWindow()
    window.append(change(1))
    assert window.after(0, 10, last=2).resync
    assert not window.after(2, 10, last=2).resync


def test_long_texts_are_not_kept_without_bound() -> None:
    window = ChangeWindow(text_limit=1000)
    for seq in range(1, 101):
        window.append(change(seq, "x" * 100))
    kept = window.tail(100)
    assert 0 < len(kept) <= 10
    assert kept[-1].seq == 100
