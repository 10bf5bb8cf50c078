"""The worker as its clients and its operators meet it, over raw sockets."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import socket
import struct
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from pipeline_host.testing.waiting import wait_until

HUNDRED_MB = 100 * 1024 * 1024


def get(path: str, *fields: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *fields, "", ""]).encode("latin-1")


def read_response(sock: socket.socket) -> tuple[bytes, bytes]:
    """The head and the body of one answer that tells its length."""
    received = b""
    while b"\r\n\r\n" not in received:
        more = sock.recv(65536)
        assert more, f"the connection ended after {received!r}"
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    assert length, head
    while len(body) < int(length[1]):
        body += sock.recv(65536)
    assert len(body) == int(length[1])
    return head, body


def read_to_end(sock: socket.socket) -> bytes:
    received = b""
    while more := sock.recv(65536):
        received += more
    return received


def exchange(server: Any, data: bytes) -> bytes:
    """What the server answers until it closes."""
    with server.connect() as sock:
        sock.sendall(data)
        return read_to_end(sock)


def status(response: bytes) -> int:
    return int(response.split(b" ", 2)[1])


# Heads


REFUSED = [
    ("no version", b"GET /pid\r\nHost: x\r\n\r\n", 400),
    ("too many words", b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("two spaces", b"GET  /pid HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("method with a bracket", b"G(T /pid HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("garbage", b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
    ("another protocol", b"GET /pid FTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("target without a slash", b"GET pid HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("target with a fragment", b"GET /pid#a HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("target with a NUL", b"GET /p\x00 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("tunnel", b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("no host", b"GET /pid HTTP/1.1\r\n\r\n", 400),
    ("two hosts", b"GET /pid HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400),
    ("no colon", b"GET /pid HTTP/1.1\r\nHost: x\r\nAccept\r\n\r\n", 400),
    ("space before the colon", b"GET /pid HTTP/1.1\r\nHost: x\r\nAccept : a\r\n\r\n", 400),
    ("no name", b"GET /pid HTTP/1.1\r\nHost: x\r\n: a\r\n\r\n", 400),
    ("folded line", b"GET /pid HTTP/1.1\r\nHost: x\r\nAccept: a\r\n b\r\n\r\n", 400),
    ("folded first line", b"GET /pid HTTP/1.1\r\n Host: x\r\n\r\n", 400),
    ("NUL in a value", b"GET /pid HTTP/1.1\r\nHost: x\r\nAccept: a\x00\r\n\r\n", 400),
    ("CR in a value", b"GET /pid HTTP/1.1\r\nHost: x\r\nAccept: a\rb\r\n\r\n", 400),
    ("LF alone", b"GET /pid HTTP/1.1\nHost: x\n\n", 400),
    ("LF in between", b"GET /pid HTTP/1.1\r\nHost: x\nAccept: b\r\n\r\n", 400),
    ("length of letters", b"POST /pid HTTP/1.1\r\nHost: x\r\nContent-Length: a\r\n\r\n", 400),
    ("negative length", b"POST /pid HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
    ("length with a plus", b"POST /pid HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n", 400),
    ("two lengths in one", b"POST /pid HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1\r\n\r\n", 400),
    (
        "huge length",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n",
        400,
    ),
    (
        "two lengths",
        b"POST /pid HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
        400,
    ),
    (
        "length and chunks",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        400,
    ),
    (
        "chunks in HTTP/1.0",
        b"POST /pid HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    (
        "unknown coding",
        b"POST /pid HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        501,
    ),
    ("unknown expectation", b"GET /pid HTTP/1.1\r\nHost: x\r\nExpect: cake\r\n\r\n", 417),
    ("long target", b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    ("endless target", b"GET /" + b"a" * 9000, 414),
    ("long head", b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 70_000 + b"\r\n\r\n", 431),
    ("endless head", b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 70_000, 431),
    ("many fields", b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 100 + b"\r\n", 431),
]


@pytest.mark.parametrize(
    ("head", "expected"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_a_bad_head_is_refused_with_a_sentence_and_the_connection_ends(
    server: Any, head: bytes, expected: int
) -> None:
    answer = exchange(server, head)
    assert status(answer) == expected
    start, _, body = answer.partition(b"\r\n\r\n")
    assert b"Content-Type: application/json" in start
    assert b"Connection: close" in start
    assert body.startswith(b'{"error":"')


GOOD = [
    ("empty lines before", b"\r\n\r\nGET /pid HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("absolute target", b"GET http://x/pid HTTP/1.1\r\nHost: y\r\n\r\n"),
    ("HTTP/1.0 without a host", b"GET /pid HTTP/1.0\r\n\r\n"),
    ("a later HTTP/1", b"GET /pid HTTP/1.7\r\nHost: x\r\n\r\n"),
    ("empty value", b"GET /pid HTTP/1.1\r\nHost: x\r\nAccept:\r\n\r\n"),
    ("bytes beyond ASCII", "GET /pid/日本?ü HTTP/1.1\r\nHost: x\r\nX-A: ü\r\n\r\n".encode()),
    ("99 more fields", b"GET /pid HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 99 + b"\r\n"),
    ("an upgrade", get("/pid", "Connection: Upgrade", "Upgrade: websocket")),
    (
        "a WebSocket's handshake",
        get(
            "/pid",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ),
    ),
]


@pytest.mark.parametrize("head", [case[1] for case in GOOD], ids=[case[0] for case in GOOD])
def test_an_unusual_head_is_read(server: Any, head: bytes) -> None:
    with server.connect() as sock:
        sock.sendall(head)
        start, body = read_response(sock)
    assert status(start) == 200
    assert body.isdigit()


def test_a_head_may_arrive_byte_by_byte(server: Any) -> None:
    with server.connect() as sock:
        for byte in get("/pid"):
            sock.sendall(bytes([byte]))
        assert status(read_response(sock)[0]) == 200


@pytest.mark.parametrize(
    ("target", "name", "value"),
    [
        ("/environment/a%2Fb%20c?name=PATH_INFO", "PATH_INFO", "/environment/a/b c"),
        ("/environment/a%2Fb?name=RAW_URI", "RAW_URI", "/environment/a%2Fb?name=RAW_URI"),
        (
            "/environment/\u00e9?name=RAW_URI",
            "RAW_URI",
            "/environment/%E9?name=RAW_URI",
        ),
        ("http://h:1/environment?name=HTTP_HOST", "HTTP_HOST", "h:1"),
        ("/environment?name=SERVER_PROTOCOL", "SERVER_PROTOCOL", "HTTP/1.1"),
        ("/environment?name=REMOTE_ADDR", "REMOTE_ADDR", "127.0.0.1"),
        ("/environment?name=wsgi.input_terminated", "", "True"),
        ("/environment?name=HTTP_X_TWICE", "", "a, b"),
        ("/environment?name=HTTP_COOKIE", "", "a=1; b=2"),
        ("/environment?name=HTTP_UNDER_SCORE", "", "None"),
        ("/environment?name=CONTENT_TYPE", "", "text/plain"),
    ],
)
def test_the_environment_is_pep_3333s_with_the_raw_target(
    server: Any, target: str, name: str, value: str
) -> None:
    fields = ("X-Twice: a", "x-twice:b", "Cookie: a=1", "Cookie: b=2", "Under_Score: a")
    with server.connect() as sock:
        sock.sendall(get(target, *fields, "Content-Type: text/plain"))
        assert read_response(sock)[1].decode("latin-1") == value


# Connections


def test_requests_follow_one_another_on_a_connection(server: Any) -> None:
    with server.connect() as sock:
        for _ in range(3):
            sock.sendall(get("/pid"))
            head, _body = read_response(sock)
            assert b"connection" not in head.lower()


def test_requests_sent_at_once_are_answered_in_order(server: Any) -> None:
    with server.connect() as sock:
        body = b"POST /whole_body HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
        sock.sendall(get("/parts") + body + get("/slow", "Connection: close"))
        received = read_to_end(sock)
    assert received.count(b"HTTP/1.1 200") == 3
    assert [received.find(part) for part in (b"one", b"abc", b"done")] == sorted(
        received.find(part) for part in (b"one", b"abc", b"done")
    )


def test_an_idle_connection_ends_after_the_keep_alive_time(gunicorn: Any) -> None:
    with gunicorn("app", "--keep-alive", "1").connect() as sock:
        start = time.monotonic()
        sock.sendall(get("/pid"))
        read_response(sock)
        assert sock.recv(1) == b""
        assert 0.5 < time.monotonic() - start < 20


def test_without_keep_alive_each_answer_ends_its_connection(gunicorn: Any) -> None:
    answer = exchange(gunicorn("app", "--keep-alive", "0"), get("/pid"))
    assert b"Connection: close" in answer


@pytest.mark.parametrize(
    ("request_", "connection"),
    [
        (b"GET /pid HTTP/1.0\r\n\r\n", b"Connection: close"),
        (b"GET /pid HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", b"Connection: keep-alive"),
        (get("/pid", "Connection: foo, CLOSE"), b"Connection: close"),
    ],
)
def test_what_the_client_says_of_the_connection_counts(
    server: Any, request_: bytes, connection: bytes
) -> None:
    with server.connect() as sock:
        sock.sendall(request_)
        assert connection in read_response(sock)[0]
        assert connection.endswith(b"keep-alive") or sock.recv(1) == b""


def test_a_connection_has_no_delay_for_small_answers(server: Any) -> None:
    with server.connect() as sock:
        sock.sendall(get("/sockets"))
        assert read_response(sock)[1] == b"True"


def test_a_head_that_stalls_is_408(gunicorn: Any) -> None:
    server = gunicorn("hasty")
    answer = exchange(server, b"GET /pid HTTP/1.1\r\nHost:")
    assert status(answer) == 408
    assert b'{"error":"request head:' in answer


def test_a_connection_without_a_request_is_closed_in_silence(gunicorn: Any) -> None:
    assert exchange(gunicorn("hasty"), b"") == b""


def test_no_more_connections_are_served_than_allowed(gunicorn: Any) -> None:
    server = gunicorn("hosted", "--worker-connections", "2")
    with server.connect() as one, server.connect() as two, server.connect() as three:
        for sock in (one, two):
            sock.sendall(get("/stream"))
            assert sock.recv(12) == b"HTTP/1.1 200"
        three.sendall(get("/pid"))
        three.settimeout(0.3)
        with pytest.raises(TimeoutError):
            three.recv(1)
        one.shutdown(socket.SHUT_RDWR)
        one.close()
        two.close()


# Answers


def test_a_small_answer_is_sent_in_one_piece(server: Any) -> None:
    with server.connect() as sock:
        sock.sendall(get("/pid"))
        assert sock.recv(65536).partition(b"\r\n\r\n")[2].isdigit()


@pytest.mark.parametrize("path", ["/parts", "/by_write"])
def test_a_stream_is_sent_in_chunks(server: Any, path: str) -> None:
    answer = exchange(server, get(path, "Connection: close"))
    assert b"Transfer-Encoding: chunked" in answer
    assert answer.endswith(b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")


def test_a_stream_to_a_client_of_http_1_0_ends_with_the_connection(server: Any) -> None:
    answer = exchange(server, b"GET /parts HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert b"Connection: close" in answer
    assert b"Transfer-Encoding" not in answer
    assert answer.endswith(b"\r\n\r\nonetwo")


@pytest.mark.parametrize("path", ["/parts", "/pid", "/endless"])
def test_head_is_answered_without_a_body(server: Any, path: str) -> None:
    request = get(path, "Connection: close").replace(b"GET", b"HEAD")
    answer = exchange(server, request)
    assert status(answer) == 200
    assert answer.endswith(b"\r\n\r\n")


def test_an_answer_without_content_says_nothing_of_a_length(server: Any) -> None:
    answer = exchange(server, get("/nothing", "Connection: close"))
    assert status(answer) == 204
    assert b"Content-Length" not in answer
    assert b"Transfer-Encoding" not in answer
    assert answer.endswith(b"\r\n\r\n")


def test_a_body_shorter_than_told_ends_the_connection(server: Any) -> None:
    assert exchange(server, get("/too_short")).endswith(b"\r\n\r\nshort")


def test_a_body_longer_than_told_is_cut(server: Any) -> None:
    answer = exchange(server, get("/too_long") + get("/pid", "Connection: close"))
    assert b"\r\n\r\nshortHTTP/1.1 200 OK\r\n" in answer


@pytest.mark.parametrize("path", ["/failing", "/split_header"])
def test_an_application_that_fails_is_a_500_and_a_traceback_in_the_log(
    gunicorn: Any, path: str
) -> None:
    server = gunicorn("app")
    answer = exchange(server, get(path))
    assert status(answer) == 500
    assert answer.endswith(b'{"error":"Internal server error"}')
    assert b"Set-Cookie" not in answer
    wait_until(lambda: f"Error handling request {path}" in server.log())
    assert "Traceback" in server.log()


def test_an_answer_that_fails_in_the_middle_is_cut_off(server: Any) -> None:
    answer = exchange(server, get("/failing_in_the_middle"))
    assert answer.endswith(b"9\r\nbeginning\r\n")


def test_a_client_that_resets_in_the_middle_of_an_answer_leaves_no_trace(gunicorn: Any) -> None:
    server = gunicorn("app")
    for _ in range(5):
        with server.connect() as sock:
            sock.sendall(get("/endless"))
            sock.recv(65536)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert exchange(server, get("/pid", "Connection: close"))
    assert "Traceback" not in server.log()
    assert "rror" not in server.log()


# Bodies


def chunked(path: str, *chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in chunks) + end


def sized(path: str, body: bytes, length: int | None = None) -> bytes:
    told = len(body) if length is None else length
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {told}\r\n\r\n".encode() + body


@pytest.mark.parametrize(
    "request_",
    [
        sized("/whole_body", b"abc\ndef"),
        chunked("/whole_body", b"abc", b"\nd", b"ef"),
        chunked("/whole_body", b"abc\ndef", end=b"0;x=y\r\nTrailer: a\r\n\r\n"),
    ],
)
def test_a_body_is_read_whole(server: Any, request_: bytes) -> None:
    with server.connect() as sock:
        sock.sendall(request_)
        assert read_response(sock)[1] == b"abc\ndef"
        sock.sendall(request_.replace(b"whole_body", b"body_by_lines"))
        assert read_response(sock)[1] == b"abc\n|def"


def test_what_arrives_of_a_chunked_body_is_there_at_once(server: Any) -> None:
    with server.connect() as sock, sock.makefile("rb") as received:
        sock.sendall(chunked("/body_as_it_arrives", end=b""))
        while received.readline() != b"\r\n":
            pass
        assert received.readline() == b"3\r\n"
        assert received.readline() == b"go;\r\n"
        for piece in (b"one", b"two"):
            sock.sendall(b"3\r\n%b" % piece)
            assert received.readline() == b"5\r\n"
            assert received.readline() == b"[%b]\r\n" % piece
            sock.sendall(b"\r\n")
        sock.sendall(b"0\r\n\r\n")
        assert received.readline() == b"0\r\n"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"xyz\r\n", id="no number"),
        pytest.param(b"-1\r\n", id="negative"),
        pytest.param(b"0x3\r\nabc\r\n", id="prefix"),
        pytest.param(b"3\r\nabcd\r\n", id="longer than told"),
        pytest.param(b"3\nabc\r\n", id="LF alone"),
        pytest.param(b"f" * 17 + b"\r\n", id="huge"),
        pytest.param(b"3;" + b"a" * 5000, id="endless extension"),
        pytest.param(b"0\r\nno trailer\r\n\r\n", id="bad trailer"),
        pytest.param(b"0\r\n" + b"A: b\r\n" * 5000, id="endless trailers"),
    ],
)
def test_a_body_in_bad_chunks_is_refused(server: Any, body: bytes) -> None:
    answer = exchange(server, chunked("/whole_body", end=body))
    assert status(answer) == 400
    assert b'{"error":"body: ' in answer
    assert answer.count(b"HTTP/1.1") == 1


def test_a_body_that_ends_early_is_refused(server: Any) -> None:
    with server.connect() as sock:
        sock.sendall(sized("/whole_body", b"abc", 10))
        sock.shutdown(socket.SHUT_WR)
        assert status(read_to_end(sock)) == 400


@pytest.mark.parametrize("begin", [sized("/whole_body", b"a", 9), chunked("/whole_body", end=b"3")])
def test_a_body_that_stalls_is_408(gunicorn: Any, begin: bytes) -> None:
    answer = exchange(gunicorn("hasty"), begin)
    assert status(answer) == 408
    assert b"Connection: close" in answer


def test_a_body_that_trickles_meets_the_applications_deadline(server: Any) -> None:
    with server.connect() as sock:
        sock.sendall(sized("/body_with_deadline", b"", 1000))
        while not select.select([sock], [], [], 0.02)[0]:
            sock.sendall(b"a")
        assert status(read_to_end(sock)) == 408


def test_continue_is_said_only_when_the_application_reads(server: Any) -> None:
    expecting = sized("/whole_body", b"", 3).replace(b"Host", b"Expect: 100-continue\r\nHost")
    with server.connect() as sock:
        sock.sendall(expecting)
        assert sock.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"abc")
        assert read_response(sock)[1] == b"abc"
    answer = exchange(server, expecting.replace(b"whole_body", b"unread_body"))
    assert status(answer) == 413
    assert b"Connection: close" in answer


def test_continue_is_not_said_when_the_body_is_there(server: Any) -> None:
    expecting = sized("/whole_body", b"abc").replace(b"Host", b"Expect: 100-continue\r\nHost")
    with server.connect() as sock:
        sock.sendall(expecting)
        assert status(read_response(sock)[0]) == 200


def test_a_small_body_that_nobody_read_is_no_harm_to_the_connection(server: Any) -> None:
    with server.connect() as sock:
        for _ in range(2):
            sock.sendall(sized("/unread_body", b"GET / HTTP/1.1\r\n\r\n"))
            head, _body = read_response(sock)
            assert status(head) == 413
            assert b"Connection" not in head


@pytest.mark.parametrize(
    "begin",
    [
        pytest.param(sized("/unread_body", b"", HUNDRED_MB), id="sized"),
        pytest.param(chunked("/unread_body", b"a" * 100, end=b""), id="chunked"),
    ],
)
def test_a_body_that_nobody_reads_is_answered_before_it_ends(server: Any, begin: bytes) -> None:
    with server.connect() as sock:
        sock.sendall(begin)
        answer = read_to_end(sock)
    assert status(answer) == 413
    assert b"Connection: close" in answer


@pytest.fixture(scope="module")
def large_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "file"
    with path.open("wb") as file:
        file.truncate(HUNDRED_MB)
    return path


@pytest.mark.parametrize("how", ["-T", "--data-binary @", "-H Transfer-Encoding:chunked -T"])
def test_curl_sees_the_answer_to_a_large_body_that_nobody_reads(
    server: Any, large_file: Path, how: str
) -> None:
    url = f"http://127.0.0.1:{server.port}/unread_body"
    flags = how.split(" ")
    flags = [*flags[:-1], f"@{large_file}"] if flags[-1] == "@" else [*flags, str(large_file)]
    command = ["curl", "-sS", "-H", "Expect:", "-w", "%{http_code}", *flags, url]
    done = subprocess.run(command, capture_output=True, timeout=30, check=False)
    assert done.stdout == b'{"error":"too large"}413', done


@pytest.mark.parametrize("in_chunks", [False, True])
def test_requests_sees_the_answer_to_a_large_body_that_nobody_reads(
    server: Any, large_file: Path, in_chunks: bool
) -> None:
    url = f"http://127.0.0.1:{server.port}/unread_body"
    with large_file.open("rb") as file:
        body: Any = iter(lambda: file.read(65536), b"") if in_chunks else file
        answer = requests.post(url, data=body, timeout=30)
    assert answer.status_code == 413
    assert answer.json() == {"error": "too large"}


# The process


def test_any_application_is_served_and_left_by_sigterm(gunicorn: Any) -> None:
    server = gunicorn("pid")
    assert exchange(server, get("/", "Connection: close"))
    server.process.terminate()
    assert server.process.wait(20) == 0
    assert "Traceback" not in server.log()


def test_sigterm_ends_many_streams_at_once_and_completely(gunicorn: Any) -> None:
    server = gunicorn("hosted", "--graceful-timeout", "30")
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(server.connect()) for _ in range(200)]
        idle = stack.enter_context(server.connect())
        for sock in streams:
            sock.sendall(get("/stream"))
        for sock in streams:
            assert sock.recv(12) == b"HTTP/1.1 200"
        start = time.monotonic()
        server.process.terminate()
        assert server.process.wait(20) == 0
        assert time.monotonic() - start < 10
        for sock in streams:
            assert read_to_end(sock).endswith(b"begin\n\r\n4\r\nend\n\r\n0\r\n\r\n")
        assert idle.recv(1) == b""
    assert "the application was closed" in server.log()
    assert "Traceback" not in server.log()


def test_sigterm_lets_a_request_end_that_is_under_way(gunicorn: Any) -> None:
    server = gunicorn("hosted", "--graceful-timeout", "30")
    with server.connect() as sock, server.connect() as arrived:
        sock.sendall(get("/last"))
        arrived.sendall(get("/last"))
        exchange(server, get("/pid", "Connection: close"))
        os.kill(server.worker_pids()[0], signal.SIGTERM)
        for one in (sock, arrived):
            head, body = read_response(one)
            assert body == b"done"
            assert b"Connection: close" in head


def test_sigterm_waits_no_longer_than_allowed(gunicorn: Any) -> None:
    server = gunicorn("hosted", "--graceful-timeout", "2")
    with server.connect() as sock:
        sock.sendall(get("/never"))
        exchange(server, get("/pid", "Connection: close"))
        start = time.monotonic()
        server.process.terminate()
        assert server.process.wait(30) == 0
        assert 1 < time.monotonic() - start < 15
    assert "the application was closed" in server.log()
    assert "Traceback" not in server.log()


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGQUIT])
def test_sigint_and_sigquit_end_at_once(gunicorn: Any, sig: signal.Signals) -> None:
    server = gunicorn("hosted", "--graceful-timeout", "30")
    with server.connect() as sock:
        sock.sendall(get("/never"))
        exchange(server, get("/pid", "Connection: close"))
        start = time.monotonic()
        server.process.send_signal(sig)
        assert server.process.wait(20) == 0
        assert time.monotonic() - start < 10
    assert "the application was closed" in server.log()


def test_a_worker_whose_parent_is_gone_ends(gunicorn: Any) -> None:
    server = gunicorn("hosted")
    exchange(server, get("/pid", "Connection: close"))
    (worker,) = server.worker_pids()
    server.process.kill()
    wait_until(lambda: not Path(f"/proc/{worker}").exists())
    assert "the application was closed" in server.log()


def test_a_worker_is_replaced_after_its_number_of_requests(gunicorn: Any) -> None:
    server = gunicorn("app", "--max-requests", "3")
    with server.connect() as sock:
        pids = []
        for _ in range(3):
            sock.sendall(get("/pid"))
            head, body = read_response(sock)
            pids.append(body)
        assert b"Connection: close" in head
    assert len(set(pids)) == 1

    def other() -> bool:
        with contextlib.suppress(OSError):
            return not exchange(server, get("/pid", "Connection: close")).endswith(pids[0])
        return False

    wait_until(other)


def test_several_workers_share_the_work(gunicorn: Any) -> None:
    server = gunicorn("app", "--workers", "4")
    wait_until(lambda: len(server.worker_pids()) == 4)
    with ThreadPoolExecutor(16) as pool:

        def ask(_: int) -> bytes:
            return exchange(server, get("/slow", "Connection: close"))[-4:]

        assert set(pool.map(ask, range(32))) == {b"done"}


def test_the_access_log_has_gunicorns_format(gunicorn: Any) -> None:
    form = "%(m)s %(U)s %(s)s %(B)s %({x-a}i)s %(h)s"
    server = gunicorn("app", "--access-logfile", "-", "--access-logformat", form)
    exchange(server, get("/too_long", "X-A: yes", "Connection: close"))
    exchange(server, b"nonsense\r\n\r\n")
    wait_until(lambda: "GET /too_long 200 5 yes 127.0.0.1" in server.log())
    wait_until(lambda: "- - 400 0 - 127.0.0.1" in server.log())
