"""Bodies of requests: what is taken as JSON, how much of it, and how long it may take."""

from __future__ import annotations

import io
import socket
import struct
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from wsgiref.util import setup_testing_defaults

import falcon
import pytest

from pipeline_host.bodies import HOST_KEY, INPUT_KEY, PIECE, iter_body, read_json
from pipeline_host.errors import BodyTimeout, BodyTooLarge, InvalidInput, UnsupportedContent
from pipeline_host.settings import Settings

LIMIT = 2048


def request(body: Any = b"", **environ: Any) -> falcon.Request:
    """A request with that body (bytes, or a stream of unknown length) and these headers."""
    sized = isinstance(body, bytes)
    stream = io.BytesIO(body + b"the next request") if sized else body
    env: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/",
        "CONTENT_TYPE": "application/json",
        "wsgi.input": stream,
        HOST_KEY: SimpleNamespace(settings=Settings(max_body=LIMIT, body_timeout=7.0)),
    }
    if sized:
        env["CONTENT_LENGTH"] = str(len(body))
    setup_testing_defaults(env)
    return falcon.Request(env | environ)


class Input:
    """A body as the worker offers it, over a real connection; remembers the deadlines asked for."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.deadlines: list[float | None] = []

    def read1(self, size: int) -> bytes:
        return self._connection.recv(size)

    def deadline(self, seconds: float | None) -> None:
        self.deadlines.append(seconds)
        self._connection.settimeout(None if seconds is None else 0.01)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json;charset=utf-8",
        "application/json ; charset=UTF-8",
        "application/merge-patch+json",
        "application/vnd.acme.v2+json; x=y",
    ],
)
def test_json_is_read_where_it_is_declared(content_type: str) -> None:
    assert read_json(request(b'{"a": 1}', CONTENT_TYPE=content_type)) == {"a": 1}


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonp", "text/json"],
)
def test_what_isnt_declared_as_json_is_refused(content_type: str) -> None:
    with pytest.raises(UnsupportedContent, match=r"^Content-Type: expected application/json$"):
        read_json(request(b"{}", CONTENT_TYPE=content_type))


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip", ""])
def test_a_compressed_body_is_refused(coding: str) -> None:
    req = request(b"{}", HTTP_CONTENT_ENCODING=coding)
    with pytest.raises(UnsupportedContent, match=r"^Content-Encoding: expected none, got "):
        read_json(req)
    with pytest.raises(UnsupportedContent):
        list(iter_body(req))


def test_identity_is_no_compression() -> None:
    assert read_json(request(b"{}", HTTP_CONTENT_ENCODING="Identity")) == {}


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"1", b"{", b"NaN", b'{"a": NaN}', b'"\\ud800"', b"\xff"]
)
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"^Invalid JSON: "):
        read_json(request(body))


def test_a_body_of_the_largest_size_is_taken() -> None:
    body = b'{"a":"' + b"x" * (LIMIT - 8) + b'"}'
    assert len(body) == LIMIT
    assert len(read_json(request(body))["a"]) == LIMIT - 8


def test_a_larger_one_is_refused_before_any_of_it_is_read() -> None:
    req = request(b"x" * (LIMIT + 1))
    with pytest.raises(BodyTooLarge, match="expected at most 2048 bytes"):
        read_json(req)
    assert req.env["wsgi.input"].tell() == 0


def test_one_of_unknown_length_is_refused_as_soon_as_it_is_too_large() -> None:
    stream = io.BytesIO(b"x" * 10 * LIMIT)
    with pytest.raises(BodyTooLarge):
        read_json(request(stream, **{"wsgi.input_terminated": True}))
    assert stream.tell() == LIMIT + 1


def test_without_a_length_there_is_no_body_unless_the_server_marks_its_end() -> None:
    assert read_json(request(io.BytesIO(b"{}"), **{"wsgi.input_terminated": True})) == {}
    with pytest.raises(InvalidInput):
        read_json(request(io.BytesIO(b"{}")))
    assert list(iter_body(request(io.BytesIO(b"{}")))) == []


@pytest.mark.parametrize("length", ["-1", "1e3", "two", "+2", "٢"])
def test_a_length_that_is_no_number_is_refused(length: str) -> None:
    with pytest.raises(InvalidInput, match=r"^Content-Length: expected a number of bytes$"):
        read_json(request(b"{}", CONTENT_LENGTH=length))


def test_a_body_that_ends_early_is_refused() -> None:
    req = request(b"", CONTENT_LENGTH="50", **{"wsgi.input": io.BytesIO(b"{}")})
    with pytest.raises(InvalidInput, match="ended before it was complete"):
        read_json(req)


def test_a_body_that_stalls_is_given_up(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.sendall(b'{"a": ')
    offered = Input(ours)
    with pytest.raises(BodyTimeout, match="stopped arriving"):
        read_json(request(CONTENT_LENGTH="100", **{INPUT_KEY: offered}))
    assert offered.deadlines == [7.0]


def test_a_connection_that_breaks_is_no_internal_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    with ours:
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        theirs.close()
        with pytest.raises(InvalidInput, match="ended before it was complete"):
            read_json(request(CONTENT_LENGTH="100", **{INPUT_KEY: Input(ours)}))


def test_the_deadline_is_renewed_by_progress_not_by_the_byte() -> None:
    class Slow:
        def __init__(self, *sizes: int) -> None:
            self.pieces = [b" " * size for size in sizes]
            self.deadlines: list[float | None] = []

        def read1(self, size: int) -> bytes:
            return self.pieces.pop(0) if self.pieces else b""

        def deadline(self, seconds: float | None) -> None:
            self.deadlines.append(seconds)

    settings = SimpleNamespace(settings=Settings(body_timeout=7.0))
    drip, flow = Slow(*[1] * 100), Slow(*[PIECE] * 3)
    for offered in (drip, flow):
        with pytest.raises(InvalidInput):
            read_json(request(CONTENT_LENGTH="", **{INPUT_KEY: offered, HOST_KEY: settings}))
    assert drip.deadlines == [7.0, None]
    assert flow.deadlines == [7.0, 7.0, 7.0, 7.0, None]


def test_pieces_are_passed_on_as_they_arrive(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    offered = Input(ours)
    pieces = iter_body(request(CONTENT_LENGTH="", **{INPUT_KEY: offered}))
    theirs.sendall(b"no line")
    assert next(pieces) == b"no line"
    theirs.sendall(b"one\ntwo\n")
    assert next(pieces) == b"one\ntwo\n"
    theirs.shutdown(socket.SHUT_WR)
    assert list(pieces) == []
    assert offered.deadlines == [None]


def test_pieces_of_a_declared_length_keep_the_servers_deadline(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    offered = Input(ours)
    theirs.sendall(b"text")
    pieces = iter_body(request(CONTENT_LENGTH="4", **{INPUT_KEY: offered}))
    assert next(pieces) == b"text"
    assert offered.deadlines == []


def test_pieces_have_a_largest_size() -> None:
    body = b"x" * (2 * PIECE + 1)
    pieces = list(iter_body(request(body)))
    assert b"".join(pieces) == body
    assert max(map(len, pieces)) <= PIECE


def test_under_another_server_a_line_is_passed_on_at_once() -> None:
    class Lines:
        """Such an input as PEP 3333 asks for at the least; to read all of it would wait."""

        lines = (b"one\n", b"two\n", b"")

        def __init__(self) -> None:
            self.left = list(self.lines)

        def readline(self, size: int) -> bytes:
            return self.left.pop(0)

    stream = Lines()
    pieces = iter_body(request(stream, **{"wsgi.input_terminated": True}))
    assert next(pieces) == b"one\n"
    assert stream.left == [b"two\n", b""]
    assert list(pieces) == [b"two\n"]
