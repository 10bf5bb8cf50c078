"""Query strings become typed values, or an error that names the parameter."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_host.errors import InvalidInput
from pipeline_host.models import ProcessFilter, Timestamp
from pipeline_host_rest.queries import clearing, output_place, parameters, process_filter


def test_an_empty_query_asks_for_the_first_fifty_oldest_first() -> None:
    assert process_filter("") == ProcessFilter(order="asc", limit=50, offset=0)


def test_every_parameter_is_read() -> None:
    query = (
        "workspace=ws%2F1&status=queued,running&type=code-review&since=2026-11-22T07:00:00Z"
        "&parent=p+1&q=a%26b&order=desc&limit=10&offset=20"
    )
    assert process_filter(query) == ProcessFilter(
        workspace="ws/1",
        statuses=("queued", "running"),
        type="code-review",
        since=Timestamp("2026-11-22T07:00:00.000Z"),
        parent="p 1",
        q="a&b",
        order="desc",
        limit=10,
        offset=20,
    )


def test_a_cursor_goes_alone_or_with_offset_zero() -> None:
    assert process_filter("cursor=abc&offset=0").cursor == "abc"
    with pytest.raises(InvalidInput, match="offset: expected none beside a cursor"):
        process_filter("cursor=abc&offset=1")


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("limit=-1", "limit: expected an integer from 0 to 1000, got '-1'"),
        ("limit=1001", "limit: expected an integer from 0 to 1000, got '1001'"),
        ("limit=ten", "limit: expected an integer from 0 to 1000, got 'ten'"),
        ("limit=1.5", "limit: expected an integer from 0 to 1000, got '1.5'"),
        ("limit=%D9%A3", "limit: expected an integer from 0 to 1000, got '٣'"),
        ("limit=" + "9" * 5000, "limit: expected an integer from 0 to 1000"),
        ("offset=-1", "offset: expected an integer from 0 to 9223372036854775807, got '-1'"),
        ("offset=9223372036854775808", "offset: expected an integer from 0"),
        ("order=up", "order: expected asc or desc, got 'up'"),
        ("status=done", "status: expected some of queued, running, .*, got 'done'"),
        ("status=running,done", "status: expected .*, got 'done'"),
        ("status=running,", "status: expected .*, got ''"),
        ("status=Running", "status: expected .*, got 'Running'"),
        ("since=yesterday", "since: expected a time such as .*, got 'yesterday'"),
        ("since=2026-11-22T07:00:00", "since: expected a time"),
        ("since=2026-13-22T07:00:00Z", "since: expected a time"),
        ("limit=1&limit=2", "limit: expected one value, but it is given twice"),
        ("status=failed&status=queued", "status: expected one value, but it is given twice"),
        ("q=%FF", "q: expected percent-encoded UTF-8"),
        ("q=%ED%A0%80", "q: expected percent-encoded UTF-8"),
    ],
)
def test_a_value_that_cannot_be_read_is_refused_by_name(query: str, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{sentence}"):
        process_filter(query)


@pytest.mark.parametrize("limit", [0, 1, 999, 1000])
def test_limits_from_zero_to_a_thousand_are_taken(limit: int) -> None:
    assert process_filter(f"limit={limit}").limit == limit


def test_an_empty_value_counts_as_not_given() -> None:
    everything = ProcessFilter()
    assert process_filter("status=&limit=&since=&q=&order=&cursor=&offset=") == everything
    assert process_filter("status&limit&&") == everything


def test_an_empty_value_does_not_hide_one_that_is_given() -> None:
    assert process_filter("limit=&limit=7").limit == 7


def test_unknown_parameters_are_ignored_whatever_they_hold() -> None:
    assert process_filter("_=1&_=2&%FF=%FF&x=%FF&utm=a") == ProcessFilter()


def test_statuses_may_repeat_and_have_spaces_around() -> None:
    assert process_filter("status=failed,+failed,queued").statuses == ("failed", "queued")


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T09:00:00%2B02:00",
        "2026-11-22T09:00:00+02:00",
        "2026-11-22%2009:00:00+02:00",
        "2026-11-22T07:00:00.000Z",
        "2026-11-22T07:00Z",
        "2026-11-22T02:00:00-05:00",
    ],
)
def test_since_takes_any_zone_also_where_the_plus_arrives_as_a_space(text: str) -> None:
    assert process_filter(f"since={text}").since == "2026-11-22T07:00:00.000Z"


def test_text_that_was_sent_without_percent_encoding_is_read_as_utf8() -> None:
    as_wsgi_has_it = "q=日本".encode().decode("latin-1")
    assert process_filter(as_wsgi_has_it).q == "日本"


def test_clearing_needs_a_status() -> None:
    assert clearing("status=completed,failed&workspace=w") == (("completed", "failed"), "w")
    assert clearing("status=completed") == (("completed",), None)
    for query in ("", "workspace=w", "status=", "limit=3"):
        with pytest.raises(InvalidInput, match="status: expected one or more of queued"):
            clearing(query)


def test_a_raw_body_may_tell_its_stream_and_its_offset() -> None:
    assert output_place("") == (None, None)
    assert output_place("stream=stderr&offset=12") == ("stderr", 12)
    assert output_place("offset=0") == (None, 0)
    with pytest.raises(InvalidInput, match="offset: expected an integer"):
        output_place("offset=1e3")
    with pytest.raises(InvalidInput, match="stream: expected a name of 1 to 100"):
        output_place("stream=" + "x" * 101)


@given(st.text(alphabet=st.characters(max_codepoint=255)))
def test_no_query_string_is_too_strange(query: str) -> None:
    for read in (process_filter, clearing, output_place):
        with suppress(InvalidInput):
            read(query)


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), st.text(min_size=1)))
def test_what_a_form_encodes_is_decoded_as_it_was(values: dict[str, str]) -> None:
    assert parameters(urlencode(values), {"a", "b", "c"}) == values
