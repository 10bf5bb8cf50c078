"""Cursors: what is given out comes back the same, and nothing else is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline_host.cursors import Cursor, Kind, parse

LETTERS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
NUMBERS = st.integers(0, 2**63 - 1)
CURSORS = st.builds(
    Cursor,
    st.text(LETTERS, min_size=1, max_size=32),
    NUMBERS,
    NUMBERS,
    st.sampled_from(Kind),
)


@given(CURSORS)
def test_a_cursor_comes_back_as_it_was_given_out(cursor: Cursor) -> None:
    assert parse(str(cursor)) == cursor


@given(CURSORS)
def test_a_cursor_is_short_printable_ascii_without_spaces(cursor: Cursor) -> None:
    text = str(cursor)
    assert text.isascii()
    assert text.isprintable()
    assert " " not in text
    assert len(text) <= 80


@given(CURSORS, CURSORS)
def test_two_places_never_have_the_same_cursor(one: Cursor, other: Cursor) -> None:
    assert (str(one) == str(other)) == (one == other)


@given(st.text(LETTERS + ".-+ \n٣", max_size=100))
@example("")
def test_any_other_text_is_no_cursor(text: str) -> None:
    cursor = parse(text)
    assert cursor is None or str(cursor) == text


@pytest.mark.parametrize(
    "text",
    [
        "42",
        "e.1",
        "e.1.c",
        "e.1.x5",
        "e.1.c-5",
        "e.1.c+5",
        "e.1.c05",
        "e.01.c5",
        "e.1.c5 ",
        " e.1.c5",
        "e.1.c5\n",
        "e.1.c5\0",
        "e.1.c٣",
        "e.٣.c1",
        "é.1.c1",
        ".1.c1",
        "e_x.1.c1",
        f"{'e' * 33}.1.c1",
        f"e.1.c{2**63}",
        f"e.{2**63}.c1",
        f"e.1.c{'9' * 5000}",
        "e.1.c1.c1",
        "e.1.C1",
    ],
)
def test_what_was_never_given_out_is_no_cursor(text: str) -> None:
    assert parse(text) is None


def test_the_largest_place_has_a_cursor() -> None:
    cursor = Cursor("e", 2**63 - 1, 2**63 - 1, Kind.END)
    assert parse(str(cursor)) == cursor
