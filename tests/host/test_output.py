from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_host.errors import InvalidInput, OffsetMismatch
from pipeline_host.models import Chunk
from pipeline_host.output import MAX_PIECE, place, split
from pipeline_host.times import now_ms

law = settings(max_examples=100, deadline=None)
TEXTS = st.text(st.sampled_from("aé日🧪\r\n"), max_size=40)


def chunks(*contents: str) -> list[Chunk]:
    return [Chunk(content=content) for content in contents]


def unreadable(after: int, size: int) -> list[Chunk]:
    """What is stored where the disk gives none of it."""
    return []


def placed(length: int, offset: int | None, *contents: str) -> list[tuple[str, int, int]]:
    found = place(chunks(*contents), offset, length, unreadable)
    return [(chunk.content, chunk.offset, chunk.length) for chunk in found]


def cut(draw: Any, text: str) -> list[str]:
    """Cut a text anywhere, into any number of pieces, some of them perhaps empty."""
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=4)))
    bounds = [0, *places, len(text)]
    return [text[start:end] for start, end in pairwise(bounds)]


class Output:
    """An output as a store keeps it: what is placed is appended."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []

    @property
    def length(self) -> int:
        return self.chunks[-1].end if self.chunks else 0

    @property
    def text(self) -> str:
        return "".join(chunk.content for chunk in self.chunks)

    def write(self, pieces: list[str], offset: int | None) -> None:
        self.chunks += place(chunks(*pieces), offset, self.length, self.read)

    def read(self, after: int, size: int) -> Iterator[Chunk]:
        return (chunk for chunk in self.chunks if chunk.end > after)


@law
@given(TEXTS, st.integers(4, 20))
def test_pieces_join_to_the_text_and_are_within_the_limit(text: str, limit: int) -> None:
    pieces = list(split(text, limit))
    assert "".join(pieces) == text
    assert all(0 < len(piece.encode()) <= limit for piece in pieces)


@law
@given(TEXTS, st.integers(4, 20))
def test_text_is_cut_in_no_more_pieces_than_it_must_be(text: str, limit: int) -> None:
    pieces = list(split(text, limit))
    for piece, following in pairwise(pieces):
        assert len((piece + following[0]).encode()) > limit


def test_empty_text_has_no_pieces() -> None:
    assert list(split("")) == []


def test_a_piece_holds_16_kib() -> None:
    assert MAX_PIECE == 16 * 1024
    assert [len(piece) for piece in split("x" * 40_000)] == [16_384, 16_384, 7232]


def test_without_an_offset_chunks_go_to_the_end() -> None:
    assert placed(0, None, "aé", "日") == [("aé", 0, 3), ("日", 3, 3)]
    assert placed(7, None, "x") == [("x", 7, 1)]


def test_empty_chunks_are_left_out() -> None:
    assert placed(0, None, "", "x", "") == [("x", 0, 1)]
    assert placed(5, None) == []
    assert placed(5, 5, "") == []


def test_long_chunks_are_cut() -> None:
    assert [length for _, _, length in placed(0, None, "日" * 10_000)] == [16_383, 13_617]


def test_streams_are_kept_and_places_of_others_are_not() -> None:
    sent = Chunk(content="x", stream="stderr", offset=77, length=77, time=77)
    before = now_ms()
    (chunk,) = place([sent], None, 3, unreadable)
    assert (chunk.stream, chunk.offset, chunk.length) == ("stderr", 3, 1)
    assert before <= chunk.time <= now_ms()


@pytest.mark.parametrize(
    ("offset", "contents", "expected"),
    [
        (0, ("aé日",), []),
        (0, ("a", "é", "日"), []),
        (3, ("日",), []),
        (0, ("aé日b",), [("b", 6, 1)]),
        (3, ("日b", "c"), [("b", 6, 1), ("c", 7, 1)]),
        (6, ("b",), [("b", 6, 1)]),
        (0, ("a",), []),
    ],
)
def test_of_a_repeat_only_what_is_new_is_kept(
    offset: int, contents: tuple[str, ...], expected: list[tuple[str, int, int]]
) -> None:
    assert placed(6, offset, *contents) == expected


def test_a_gap_is_refused_with_the_place_to_go_on_from() -> None:
    with pytest.raises(OffsetMismatch, match="expected 6") as refused:
        placed(6, 7, "x")
    assert refused.value.extra() == {"offset": 6}


def test_a_gap_is_refused_even_for_nothing() -> None:
    with pytest.raises(OffsetMismatch):
        placed(6, 7)


@pytest.mark.parametrize("contents", [("é",), ("a", "é"), ("日本",)])
def test_a_repeat_that_ends_inside_a_character_is_refused(contents: tuple[str, ...]) -> None:
    length = len("".join(contents).encode()) - 1
    with pytest.raises(InvalidInput, match=r"^offset: .*inside a character"):
        placed(length, 0, *contents)


@law
@given(TEXTS, st.data())
def test_any_cutting_with_any_repeats_stores_exactly_the_text(
    text: str, data: st.DataObject
) -> None:
    output = Output()
    while output.text != text:
        known = len(output.text)
        start = data.draw(st.integers(0, known), label="from character")
        end = data.draw(st.integers(start, len(text)), label="to character")
        pieces = cut(data.draw, text[start:end])
        output.write(pieces, len(text[:start].encode()))
        assert text.startswith(output.text)
        assert len(output.text) == max(known, end)
        if end <= known:
            output.write([text[known : known + 1]], None)
    assert output.length == len(text.encode())


@law
@given(st.lists(TEXTS, max_size=4), TEXTS, st.data())
def test_only_what_is_stored_is_taken_for_a_repeat(
    stored: list[str], text: str, data: st.DataObject
) -> None:
    output = Output()
    output.write(stored, None)
    before, known = output.text, output.text.encode()
    offset = data.draw(st.integers(0, len(known)))
    sent = text.encode()
    same = known[offset : offset + len(sent)] == sent[: len(known) - offset]
    pieces = cut(data.draw, text)
    if same:
        output.write(pieces, offset)
        assert output.text.encode() == known[:offset] + sent + known[offset + len(sent) :]
    else:
        with pytest.raises(OffsetMismatch, match=f"expected {len(known)}, .* is stored"):
            output.write(pieces, offset)
        assert output.text == before


@law
@given(st.lists(TEXTS, max_size=5))
def test_places_follow_each_other_without_a_gap(texts: list[str]) -> None:
    position = 0
    for chunk in place(chunks(*texts), None, 0, unreadable):
        assert chunk.offset == position
        assert chunk.length == len(chunk.content.encode()) > 0
        position = chunk.end
    assert position == len("".join(texts).encode())
