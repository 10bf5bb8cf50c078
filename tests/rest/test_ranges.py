"""A Range header of one range of bytes, as RFC 9110 has it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_host_rest.ranges import RangeNotSatisfiable, Span, requested_span


@pytest.mark.parametrize(
    ("header", "span"),
    [
        ("bytes=0-0", Span(0, 1)),
        ("bytes=0-4", Span(0, 5)),
        ("bytes=5-", Span(5, 10)),
        ("bytes=9-", Span(9, 10)),
        ("bytes=5-100", Span(5, 10)),
        ("bytes=0-9223372036854775807", Span(0, 10)),
        ("bytes=-3", Span(7, 10)),
        ("bytes=-100", Span(0, 10)),
        ("Bytes=1-2", Span(1, 3)),
        ("bytes= 1-2 ", Span(1, 3)),
        ("bytes=007-008", Span(7, 9)),
    ],
)
def test_one_range_is_cut_to_what_is_there(header: str, span: Span) -> None:
    assert requested_span(header, 0, 10) == span


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=1",
        "bytes=5-2",
        "bytes=1-2,4-5",
        "bytes=0-0,-1",
        "bytes=--1",
        "bytes=+1-2",
        "bytes=1-2-3",
        "lines=0-4",
        "0-4",
        "bytes=\u0661-\u0662",
        "bytes=" + "9" * 5000 + "-",
    ],
)
def test_a_malformed_or_multiple_range_is_ignored(header: str | None) -> None:
    assert requested_span(header, 0, 10) is None


@pytest.mark.parametrize(
    "header", ["bytes=10-", "bytes=10-20", "bytes=99999999999999999999-", "bytes=-0"]
)
def test_a_range_of_bytes_that_are_not_there_is_not_satisfiable(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable):
        requested_span(header, 0, 10)


def test_of_an_empty_output_the_last_bytes_are_all_of_it_and_others_are_not_there() -> None:
    assert requested_span("bytes=-5", 0, 0) is None
    with pytest.raises(RangeNotSatisfiable):
        requested_span("bytes=0-", 0, 0)


def test_where_the_head_is_gone_a_range_is_cut_to_what_is_kept() -> None:
    assert requested_span("bytes=0-", 100, 200) == Span(100, 200)
    assert requested_span("bytes=50-149", 100, 200) == Span(100, 150)
    assert requested_span("bytes=-150", 100, 200) == Span(100, 200)
    assert requested_span("bytes=120-129", 100, 200) == Span(120, 130)
    with pytest.raises(RangeNotSatisfiable):
        requested_span("bytes=0-99", 100, 200)


@given(st.text(max_size=30), st.integers(0, 50), st.integers(0, 50))
def test_whatever_the_header_says_the_span_lies_within_what_is_there(
    text: str, start: int, length: int
) -> None:
    for header in (text, f"bytes={text}"):
        try:
            span = requested_span(header, start, start + length)
        except RangeNotSatisfiable:
            continue
        assert span is None or start <= span.first < span.end <= start + length


@given(st.integers(0, 60), st.integers(0, 60), st.binary(min_size=1, max_size=40))
def test_first_and_last_mean_what_a_slice_means(first: int, last: int, data: bytes) -> None:
    if last < first or first >= len(data):
        return
    span = requested_span(f"bytes={first}-{last}", 0, len(data))
    assert span is not None
    assert data[span.first : span.end] == data[first : last + 1]
