from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_host.models import Timestamp
from pipeline_host.times import (
    format_duration,
    now,
    now_ms,
    parse_duration,
    parse_timestamp,
    timestamp,
    to_ms,
)

law = settings(max_examples=100, deadline=None)
FIRST = -62_135_596_800_000
LAST = 253_402_300_799_999
MOMENTS = st.integers(FIRST, LAST)


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (1_795_330_800_007, "2026-11-22T07:00:00.007Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (FIRST, "0001-01-01T00:00:00.000Z"),
        (LAST, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_a_moment_has_one_form(ms: int, text: str) -> None:
    assert timestamp(ms) == text
    assert to_ms(Timestamp(text)) == ms
    assert parse_timestamp(text) == text


@law
@given(MOMENTS)
def test_forms_and_moments_stand_for_each_other(ms: int) -> None:
    assert to_ms(timestamp(ms)) == ms
    assert parse_timestamp(timestamp(ms)) == timestamp(ms)


@law
@given(MOMENTS, MOMENTS)
def test_texts_sort_as_times_do(one: int, other: int) -> None:
    assert (timestamp(one) < timestamp(other)) == (one < other)


@pytest.mark.parametrize("ms", [FIRST - 1, LAST + 1, 2**63, -(2**63), 10**30])
def test_a_moment_out_of_the_calendar_has_no_form(ms: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        timestamp(ms)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("2026-11-22T07:00:00Z", "2026-11-22T07:00:00.000Z"),
        ("2026-11-22t07:00:00z", "2026-11-22T07:00:00.000Z"),
        ("2026-11-22 07:00:00Z", "2026-11-22T07:00:00.000Z"),
        ("2026-11-22T07:00Z", "2026-11-22T07:00:00.000Z"),
        ("2026-11-22T07:00:00.1Z", "2026-11-22T07:00:00.100Z"),
        ("2026-11-22T07:00:00.123456789Z", "2026-11-22T07:00:00.123Z"),
        ("2026-11-22T07:00:00.9999Z", "2026-11-22T07:00:00.999Z"),
        ("2026-11-22T07:00:00+02:00", "2026-11-22T05:00:00.000Z"),
        ("2026-01-01T00:30:00+05:30", "2025-12-31T19:00:00.000Z"),
        ("2026-11-22T07:00:00-00:00", "2026-11-22T07:00:00.000Z"),
    ],
)
def test_any_zone_and_precision_is_brought_into_that_form(text: str, form: str) -> None:
    assert parse_timestamp(text) == form


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-22",
        "2026-11-22T07:00:00",
        "2026-11-22T07Z",
        "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-11-22T25:00:00Z",
        "2026-11-22T07:00:00.Z",
        "2026-11-22T07:00:00.0000000001Z",
        "2026-11-22T07:00:00+25:00",
        "2026-11-22T07:00:00Z\n",
        " 2026-11-22T07:00:00Z",
        "\u0662\u0660\u0662\u0666-11-22T07:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "20261122T070000Z",
        "1795330800",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_timestamp(text)


@law
@given(st.text(max_size=40))
def test_reading_a_time_raises_nothing_but_value_errors(text: str) -> None:
    try:
        parse_timestamp(text)
    except ValueError:
        return
    assert len(parse_timestamp(text)) == 24


def test_now_is_now() -> None:
    assert abs(now_ms() - time.time() * 1000) < 5000
    assert abs(to_ms(now()) - now_ms()) < 5000


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (-5, "< 1s"),
        (0, "< 1s"),
        (999, "< 1s"),
        (1000, "1s"),
        (45_999, "45s"),
        (60_000, "1m 0s"),
        (154_000, "2m 34s"),
        (3_599_999, "59m 59s"),
        (3_900_000, "1h 5m"),
        (3_600_000, "1h 0m"),
        (360_000_000, "100h 0m"),
    ],
)
def test_a_duration_is_for_people(ms: int, text: str) -> None:
    assert format_duration(ms) == text


@law
@given(st.integers(0, 10**12))
def test_a_duration_can_be_read_again(ms: int) -> None:
    """To the second below an hour, to the minute above."""
    precision = 1000 if ms < 3_600_000 else 60_000
    assert parse_duration(format_duration(ms)) == ms // precision * precision


@pytest.mark.parametrize(
    ("text", "ms"), [("1h", 3_600_000), ("1h5m", 3_900_000), (" 2m  34s ", 154_000), ("0s", 0)]
)
def test_a_duration_is_read_with_any_spaces_and_parts(text: str, ms: int) -> None:
    assert parse_duration(text) == ms


@pytest.mark.parametrize(
    "text", ["", "5", "s", "-5s", "1.5s", "5 seconds", "1d", "1m, 2s", "\u0665s", "9" * 9999 + "s"]
)
def test_any_other_text_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_duration(text)
