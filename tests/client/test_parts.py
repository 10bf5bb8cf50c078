"""The client's small pure parts: ids, delays, batches."""

from __future__ import annotations

import hashlib
import os
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_host.client import new_id, workspace_folder, workspace_id
from pipeline_host.client.backoff import Backoff
from pipeline_host.client.batch import MAX_PIECE, clean, joined, pieces


def test_ids_are_uuids_of_version_7_in_the_order_of_time() -> None:
    ids = [new_id() for _ in range(100)]
    assert len(set(ids)) == 100
    assert {UUID(each).version for each in ids} == {7}
    assert [each[:13] for each in ids] == sorted(each[:13] for each in ids)


def test_a_workspace_is_the_hash_of_its_absolute_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = hashlib.sha256(os.fsencode(tmp_path)).hexdigest()[:16]
    monkeypatch.chdir(tmp_path)
    for way in (tmp_path, str(tmp_path), ".", "x/..", f"{tmp_path}/"):
        assert workspace_id(way) == expected


def test_the_folder_of_a_workspace_is_the_git_working_tree(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert workspace_folder(inner) == inner
    (tmp_path / "a" / ".git").write_text("gitdir: elsewhere\n")
    assert workspace_folder(inner) == tmp_path / "a"


def test_delays_double_to_thirty_seconds_and_begin_again_after_a_success() -> None:
    backoff = Backoff(quick=(0.1,))
    full = (0.1, 1, 2, 4, 8, 16, 30, 30)
    for expected in full:
        assert expected / 2 <= backoff.next() <= expected
    backoff.reset()
    assert backoff.next() <= 0.1


def test_a_server_that_asks_for_a_longer_delay_gets_it() -> None:
    assert Backoff().next(at_least=7) == 7


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [("a日😀", "a日😀"), ("a\ud800b", "a\ufffdb"), ("\udcff", "\ufffd"), ("\ud83d\ude00", "😀")],
)
def test_what_utf8_cannot_hold_is_replaced(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


CHUNKS = st.lists(
    st.tuples(st.text(max_size=20) | st.just("x" * (MAX_PIECE - 5)), st.sampled_from("oe"))
)


@given(CHUNKS)
def test_joining_keeps_the_text_and_which_stream_it_came_from(
    chunks: list[tuple[str, str]],
) -> None:
    result = joined([{"content": content, "stream": stream} for content, stream in chunks])
    letters = [(letter, stream) for content, stream in chunks for letter in content]
    assert letters == [(letter, each["stream"]) for each in result for letter in each["content"]]
    assert all(len(each["content"]) <= MAX_PIECE for each in result)
    assert not any(
        before["stream"] == after["stream"]
        and len(before["content"]) + len(after["content"]) <= MAX_PIECE
        for before, after in pairwise(result)
    )


def test_a_long_text_is_cut() -> None:
    text = "日" * (2 * MAX_PIECE + 1)
    assert [len(piece) for piece in pieces(text)] == [MAX_PIECE, MAX_PIECE, 1]
    assert list(pieces("")) == []
