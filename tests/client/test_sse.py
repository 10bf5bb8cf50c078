"""The event-stream parser against the WHATWG standard, section 9.2.6."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_host.client import Event, EventParser


def parse(text: str | bytes, parser: EventParser | None = None) -> list[Event]:
    data = text.encode() if isinstance(text, str) else text
    return list((parser or EventParser()).feed(data))


def message(data: str, last_event_id: str = "") -> Event:
    return Event("message", data, last_event_id)


def test_fields_make_an_event() -> None:
    assert parse("event: chunk\nid: 7\ndata: hello\n\n") == [Event("chunk", "hello", "7")]


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_every_line_end_of_the_standard_counts(end: str) -> None:
    text = "data: a\ndata: b\n\ndata: c\n\n".replace("\n", end)
    assert parse(text) == [message("a\nb"), message("c")]


@pytest.mark.parametrize("character", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
def test_nothing_else_ends_a_line(character: str) -> None:
    assert parse(f"data: a{character}b\n\n") == [message(f"a{character}b")]


def test_the_standards_examples() -> None:
    stocks = "data: YHOO\ndata: +2\ndata: 10\n\n"
    four = (
        ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n"
    )
    empty = "data\n\ndata\ndata\n\ndata:"
    same = "data:test\n\ndata: test\n\n"
    assert parse(stocks) == [message("YHOO\n+2\n10")]
    assert parse(four) == [message("first event", "1"), message("second event")]
    assert parse(empty) == [message(""), message("\n")]
    assert parse(same) == [message("test"), message("test")]


def test_one_byte_order_mark_at_the_start_is_left_out() -> None:
    mark = b"\xef\xbb\xbf"
    assert parse(mark + b"data: a\n\n") == [message("a")]
    assert parse(mark + mark + b"data: a\n\ndata: b\n\n") == [message("b")]
    assert parse(b"data: a\n\n" + mark + b"data: b\n\ndata: c\n\n") == [message("a"), message("c")]


def test_a_frame_with_an_id_alone_is_no_event_but_moves_the_place_to_resume_from() -> None:
    parser = EventParser()
    assert parse("data: a\nid: 1\n\nid: 2\n\n", parser) == [message("a", "1")]
    assert parser.last_event_id == "2"


def test_an_event_that_was_cut_short_is_not_delivered_and_its_id_not_kept() -> None:
    parser = EventParser("0")
    assert parse("id: 1\ndata: a\n\nid: 2\ndata: b\n", parser) == [message("a", "1")]
    assert parser.last_event_id == "1"


def test_an_id_lasts_until_another_one() -> None:
    assert parse("id: 1\ndata: a\n\ndata: b\n\n") == [message("a", "1"), message("b", "1")]
    assert parse("data: a\n\n", EventParser("9")) == [message("a", "9")]


def test_an_id_with_nul_is_ignored() -> None:
    assert parse("id: 1\n\nid: 2\0\ndata: a\n\n") == [message("a", "1")]


def test_comments_and_unknown_fields_are_ignored() -> None:
    assert parse(": hi\nfoo: bar\ndata : x\nData: y\ndata: a\n:\n\n") == [message("a")]


def test_a_type_is_for_one_event_only_and_alone_it_makes_none() -> None:
    assert parse("event: x\n\ndata: a\n\n") == [message("a")]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("2500", 2.5), ("0", 0.0), ("-1", None), ("1_0", None), ("٣", None), ("9" * 5000, None)],
)
def test_only_ascii_digits_are_a_retry(value: str, seconds: float | None) -> None:
    parser = EventParser()
    assert parse(f"retry: {value}\n\n", parser) == []
    assert parser.retry == seconds


def test_bytes_that_are_not_utf8_become_replacement_characters() -> None:
    assert parse(b"data: \xff\xe6\x97\n\n") == [message("\ufffd\ufffd")]


FRAGMENTS = st.sampled_from(
    [
        "data: ",
        "data",
        "id: ",
        "event: ",
        "retry: 5",
        ":",
        "\n",
        "\r",
        "\r\n",
        "\n\n",
        "日",
        "x",
        "\0",
    ]
)


@settings(max_examples=200)
@given(text=st.lists(FRAGMENTS, max_size=40).map("".join), mark=st.booleans(), cuts=st.data())
def test_how_the_bytes_are_cut_makes_no_difference(
    text: str, mark: bool, cuts: st.DataObject
) -> None:
    data = b"\xef\xbb\xbf" * mark + text.encode()
    places = sorted(cuts.draw(st.lists(st.integers(0, len(data)), max_size=8)))
    whole, cut = EventParser(), EventParser()
    expected = list(whole.feed(data))
    found = [
        event
        for start, end in zip([0, *places], [*places, len(data)], strict=True)
        for event in cut.feed(data[start:end])
    ]
    assert found == expected
    assert cut.last_event_id == whole.last_event_id
