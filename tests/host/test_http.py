"""HTTP's rules as pure functions; the worker's tests show them over sockets."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_host.http import MAX_HEAD, Refused, error_response, parse_head, take_head

HEAD = b"POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close"


def test_a_head_is_told_in_cgis_names() -> None:
    head = parse_head(HEAD + b"\r\nX-Own-Field:  \ta value\t ")
    assert (head.method, head.target, head.version) == ("POST", "/a?b=c", "HTTP/1.1")
    assert head.fields == {
        "HTTP_HOST": "x",
        "CONTENT_LENGTH": "3",
        "HTTP_CONNECTION": "close",
        "HTTP_X_OWN_FIELD": "a value",
    }
    assert (head.length, head.chunked, head.keep_alive) == (3, False, False)


def test_a_field_with_an_underscore_does_not_pass_for_another() -> None:
    head = parse_head(b"GET / HTTP/1.1\r\nHost: x\r\nX-Id: a\r\nX_Id: b\r\nContent_Length: 5")
    assert head.fields == {"HTTP_HOST": "x", "HTTP_X_ID": "a"}


@pytest.mark.parametrize(
    ("target", "path", "host"),
    [
        (b"http://a:1/b?c", "/b?c", "a:1"),
        (b"HTTPS://a", "/", "a"),
        (b"http://a?b", "/?b", "a"),
        (b"/http://a/", "/http://a/", "x"),
        (b"//a/b", "//a/b", "x"),
    ],
)
def test_an_absolute_target_gives_the_host(target: bytes, path: str, host: str) -> None:
    head = parse_head(b"GET " + target + b" HTTP/1.1\r\nHost: x")
    assert (head.target, head.fields["HTTP_HOST"]) == (path, host)


@pytest.mark.parametrize(
    ("version", "connection", "expected"),
    [
        (b"1.1", b"", True),
        (b"1.1", b"keep-alive", True),
        (b"1.1", b"Upgrade, close", False),
        (b"1.0", b"", False),
        (b"1.0", b"Keep-Alive", True),
        (b"1.0", b"keep-alive, close", False),
    ],
)
def test_who_keeps_a_connection(version: bytes, connection: bytes, expected: bool) -> None:
    head = b"GET / HTTP/%b\r\nHost: x\r\nConnection: %b" % (version, connection)
    assert parse_head(head).keep_alive is expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (b"Content-Length: 3", True),
        (b"Transfer-Encoding: chunked", True),
        (b"Content-Length: 0", False),
        (b"X-A: b", False),
    ],
)
def test_only_who_sends_a_body_waits_for_leave(fields: bytes, expected: bool) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\n" + fields
    assert parse_head(head).expects_continue is expected


@given(st.binary(max_size=200))
def test_any_bytes_are_a_head_or_refused(data: bytes) -> None:
    outcome: object
    try:
        outcome = parse_head(data)
    except Refused as refused:
        outcome = refused
    if isinstance(outcome, Refused):
        assert 400 <= outcome.status < 600
        assert str(outcome).isprintable()


@given(st.lists(st.integers(1, len(HEAD) + 3), max_size=5))
def test_a_head_is_taken_off_wherever_it_is_cut(cuts: list[int]) -> None:
    data = HEAD + b"\r\n\r\nabc"
    buffer = bytearray()
    taken = None
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(data)], strict=True):
        buffer += data[start:end]
        taken = taken or take_head(buffer)
    assert taken == HEAD
    assert buffer == b"abc"


def test_a_head_may_be_as_long_as_allowed_and_no_longer() -> None:
    fields = b"\r\nA: " + b"a" * (MAX_HEAD - len(HEAD) - 5)
    assert take_head(bytearray(HEAD + fields + b"\r\n\r\n")) is not None
    with pytest.raises(Refused) as refused:
        take_head(bytearray(HEAD + fields + b"aa\r\n\r\n"))
    assert refused.value.status == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


def test_an_answer_of_the_servers_own_is_json() -> None:
    answer = error_response(HTTPStatus.BAD_REQUEST, 'a "quote"')
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert answer.endswith(b'\r\n\r\n{"error":"a \\"quote\\""}')
