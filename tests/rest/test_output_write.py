"""Writing to ``/api/processes/{id}/output``: JSON, and raw bodies as they arrive."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pipeline_host.testing import LiveServer, wait_until

from .client import Api, item, unique


@pytest.fixture
def output(api: Api) -> str:
    """The path of a new process's output."""
    return item(api.create()["id"], "/output")


def read(api: Api, output: str) -> str:
    return api.get(output).body.decode()


def begin_upload(api: Api, path: str, *headers: str) -> socket.socket:
    """Send the head of a chunked upload."""
    connection = api.connect()
    lines = [f"PUT {path} HTTP/1.1", f"Host: 127.0.0.1:{api.port}", "Transfer-Encoding: chunked"]
    connection.sendall("\r\n".join([*lines, *headers, "", ""]).encode())
    return connection


def send_chunk(connection: socket.socket, data: bytes) -> None:
    connection.sendall(b"%x\r\n%s\r\n" % (len(data), data))


def answered(connection: socket.socket) -> tuple[int, bytes]:
    """The status and all that came with it; the other side closes, or has said how much it is."""
    with connection.makefile("rb") as stream:
        status = int(stream.readline().split()[1])
        length = 0
        while (line := stream.readline()) not in (b"\r\n", b""):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return status, stream.read(length)


def test_json_appends_one_chunk_or_several(api: Api, output: str) -> None:
    assert api.post(output, {"content": "one €\n"}).json() == {"offset": 8}
    chunks = [{"content": "two\n", "stream": "stderr"}, {"content": ""}, {"content": "three\n"}]
    assert api.post(output, {"chunks": chunks}).json() == {"offset": 18}
    assert api.send("PUT", output, {"content": "four"}).json() == {"offset": 22}
    assert read(api, output) == "one €\ntwo\nthree\nfour"


def test_an_empty_write_tells_the_length(api: Api, output: str) -> None:
    api.post(output, {"content": "abc"})
    bodies: list[dict[str, Any]] = [{"content": ""}, {"chunks": []}, {"content": "", "offset": 3}]
    for body in bodies:
        assert api.post(output, body).json() == {"offset": 3}
    assert api.request("POST", output, b"").json() == {"offset": 3}


def test_a_repeat_is_accepted_and_changes_nothing(api: Api, output: str) -> None:
    for _ in range(2):
        assert api.post(output, {"content": "a€b", "offset": 0}).json() == {"offset": 5}
    longer = {"chunks": [{"content": "a"}, {"content": "€bcd"}], "offset": 0}
    assert api.post(output, longer).json() == {"offset": 7}
    assert read(api, output) == "a€bcd"


def test_a_gap_is_409_with_the_expected_offset(api: Api, output: str) -> None:
    api.post(output, {"content": "abc"})
    for answer in (
        api.post(output, {"content": "x", "offset": 4}),
        api.request("POST", f"{output}?offset=4", b"x"),
        api.request("POST", f"{output}?offset=4", b""),
    ):
        assert answer.status == 409
        assert answer.json()["offset"] == 3
        assert answer.error.startswith("offset: expected 3")
    assert read(api, output) == "abc"


def test_where_something_else_is_stored_a_write_is_409_with_the_end(api: Api, output: str) -> None:
    api.post(output, {"content": "a€bc"})
    for answer in (
        api.post(output, {"content": "a€x", "offset": 0}),
        api.post(output, {"content": "xyz and more", "offset": 4}),
        api.request("POST", f"{output}?offset=1", b"!"),
    ):
        assert answer.status == 409
        assert answer.json()["offset"] == 6
        assert answer.error.startswith("offset: expected 6")
    assert read(api, output) == "a€bc"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "content"),
        ({"content": None}, "content"),
        ({"content": 1}, "content"),
        ({"content": "x", "chunks": []}, "content"),
        ({"chunks": {}}, "chunks"),
        ({"chunks": ["x"]}, "chunks"),
        ({"chunks": [{}]}, "chunks"),
        ({"chunks": [{"content": 1}]}, "chunks"),
        ({"content": "x", "stream": 2}, "stream"),
        ({"content": "x", "stream": ""}, "stream"),
        ({"content": "x", "stream": "s" * 101}, "stream"),
        ({"content": "x", "offset": -1}, "offset"),
        ({"content": "x", "offset": "0"}, "offset"),
        ({"content": "x", "offset": 0.5}, "offset"),
        ({"content": "x", "offset": 2**63}, "offset"),
        ({"content": "x", "offset": True}, "offset"),
    ],
)
def test_a_write_that_cannot_be_read_is_400_by_name(
    api: Api, output: str, body: dict[str, Any], named: str
) -> None:
    answer = api.post(output, body)
    assert answer.status == 400
    assert re.match(rf"{named}\b.*: expected ", answer.error), answer.error
    assert read(api, output) == ""


@pytest.mark.parametrize(
    "query", ["offset=-1", "offset=x", "offset=0&offset=0", "stream=" + "s" * 101]
)
def test_a_raw_write_with_a_bad_query_is_400_by_name(api: Api, output: str, query: str) -> None:
    answer = api.request("POST", f"{output}?{query}", b"x")
    assert answer.status == 400
    assert answer.error.startswith(f"{query.partition('=')[0]}: expected ")


@pytest.mark.parametrize(
    "content_type",
    [None, "text/plain", "application/x-www-form-urlencoded", "application/octet-stream", "x"],
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_body_of_any_other_type_is_the_output_itself(
    api: Api, output: str, method: str, content_type: str | None
) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    answer = api.request(method, output, b'{"content": "raw"}', headers)
    assert answer.json() == {"offset": 18}
    assert read(api, output) == '{"content": "raw"}'


def test_raw_bytes_that_are_not_utf8_become_replacement_characters(api: Api, output: str) -> None:
    assert api.request("POST", output, b"a\xffb\xe2\x82").json() == {"offset": 8}
    assert read(api, output) == "a\ufffdb\ufffd"


def test_a_character_split_over_pieces_is_put_together(api: Api, output: str) -> None:
    text = "日本語 € 😀 " * 20
    data = text.encode()
    answer = api.request("PUT", output, (data[i : i + 1] for i in range(len(data))))
    assert answer.json() == {"offset": len(data)}
    assert read(api, output) == text


def test_each_piece_of_an_upload_can_be_read_as_soon_as_it_was_sent(api: Api, output: str) -> None:
    with begin_upload(api, output) as connection:
        text = ""
        for piece in ("first ", "second ", "third"):
            send_chunk(connection, piece.encode())
            text += piece
            wait_until(lambda text=text: read(api, output) == text)  # type: ignore[misc]
        connection.sendall(b"0\r\n\r\n")
        assert answered(connection) == (200, b'{"offset":18}')


def test_a_raw_write_may_begin_at_an_offset_and_repeat_what_is_there(api: Api, output: str) -> None:
    data = "zero € one".encode()
    assert api.request("PUT", f"{output}?offset=0", data).json() == {"offset": len(data)}
    pieces = [data[:6], data[6:7], data[7:], b" two"]
    answer = api.request("PUT", f"{output}?offset=0&stream=stdout", iter(pieces))
    assert answer.json() == {"offset": len(data) + 4}
    assert read(api, output) == "zero € one two"


def test_an_upload_that_breaks_off_keeps_what_arrived_and_can_be_sent_again(
    api: Api, output: str, rest_server: LiveServer
) -> None:
    log_before = rest_server.log()
    data = "kept €".encode()
    with begin_upload(api, f"{output}?offset=0") as connection:
        send_chunk(connection, data[:-1])
        wait_until(lambda: read(api, output) == "kept ")
    assert api.request("PUT", f"{output}?offset=0", data).json() == {"offset": len(data)}
    assert read(api, output) == "kept €"
    assert "Traceback" not in rest_server.log()[len(log_before) :]


def test_an_upload_of_known_length_that_breaks_off_keeps_what_arrived(
    api: Api, output: str, rest_server: LiveServer
) -> None:
    log_before = rest_server.log()
    with api.connect() as connection:
        connection.sendall(
            f"POST {output} HTTP/1.1\r\nHost: 127.0.0.1:{api.port}\r\n"
            "Content-Length: 100\r\n\r\nhalf".encode()
        )
        wait_until(lambda: read(api, output) == "half")
    assert api.request("POST", output, b" more").json() == {"offset": 9}
    assert "Traceback" not in rest_server.log()[len(log_before) :]


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_what_has_ended_takes_no_more_output(api: Api, status: str) -> None:
    output = item(api.create(status=status)["id"], "/output")
    for answer in (
        api.post(output, {"content": "late"}),
        api.request("POST", output, b"late"),
        api.request("POST", output, b""),
    ):
        assert answer.status == 409
        assert answer.error == f"Process is already in terminal state: {status}"


def test_a_repeat_is_accepted_after_the_end_too(api: Api, output: str) -> None:
    api.request("PUT", output, b"all of it")
    api.patch(output.removesuffix("/output"), {"status": "completed"})
    assert api.post(output, {"content": "all of it", "offset": 0}).json() == {"offset": 9}
    assert api.request("PUT", f"{output}?offset=0", b"all of it").json() == {"offset": 9}
    assert api.request("PUT", f"{output}?offset=0", b"all of it, more").status == 409


def test_an_upload_is_refused_before_its_body_comes_where_it_cannot_be_taken(api: Api) -> None:
    ended = item(api.create(status="failed")["id"], "/output")
    for path, status in ((ended, 409), (item(unique(), "/output"), 404)):
        with begin_upload(api, path) as connection:
            assert answered(connection)[0] == status


def test_a_process_that_ends_during_an_upload_ends_the_upload_with_409(
    api: Api, output: str
) -> None:
    with begin_upload(api, output) as connection:
        send_chunk(connection, b"in time")
        wait_until(lambda: read(api, output) == "in time")
        api.request("POST", output.replace("/output", "/cancel"))
        send_chunk(connection, b"too late")
        status, body = answered(connection)
        assert (status, body) == (
            409,
            b'{"error":"Process is already in terminal state: cancelled"}',
        )
    assert read(api, output) == "in time"


def test_a_process_that_is_deleted_during_an_upload_ends_the_upload_with_404(
    api: Api, output: str
) -> None:
    with begin_upload(api, output) as connection:
        send_chunk(connection, b"x")
        wait_until(lambda: read(api, output) == "x")
        api.delete(output.removesuffix("/output"))
        send_chunk(connection, b"y")
        assert answered(connection)[0] == 404


def test_a_body_of_known_length_that_stalls_is_408_and_a_chunked_one_may_wait(
    tmp_path: Path,
) -> None:
    with LiveServer(tmp_path / "data", env={"PIPELINE_HOST_BODY_TIMEOUT": "0.3"}) as server:
        api = Api(server.port)
        output = item(api.create()["id"], "/output")
        with begin_upload(api, output) as waiting, api.connect() as stalled:
            send_chunk(waiting, b"live ")
            wait_until(lambda: read(api, output) == "live ")
            stalled.sendall(
                f"POST {output} HTTP/1.1\r\nHost: 127.0.0.1:{api.port}\r\n"
                "Content-Length: 10\r\n\r\nhalf ".encode()
            )
            assert answered(stalled)[0] == 408
            send_chunk(waiting, b"again")
            waiting.sendall(b"0\r\n\r\n")
            assert answered(waiting)[0] == 200
        assert read(api, output) == "live half again"


def test_a_great_upload_and_download_need_little_memory(tmp_path: Path) -> None:
    size = 200 * 1024 * 1024
    line = b"0123456789abcde\n" * 4096

    def lines() -> Iterator[bytes]:
        for _ in range(size // len(line)):
            yield line

    with LiveServer(tmp_path / "data") as server:
        api = Api(server.port)
        output = item(api.create()["id"], "/output")
        api.get(output)
        (worker,) = server.worker_pids() or [server.pid]
        before = peak_memory(worker)
        assert api.request("PUT", output, lines()).json() == {"offset": size}
        with api.connect() as connection:
            connection.sendall(
                f"GET {output} HTTP/1.1\r\nHost: 127.0.0.1:{api.port}\r\n"
                "Connection: close\r\n\r\n".encode()
            )
            received = 0
            while data := connection.recv(1 << 20):
                received += len(data)
        assert received > size
        assert peak_memory(worker) - before < 32 * 1024 * 1024


def peak_memory(pid: int) -> int:
    """The most memory that a process ever had, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) * 1024


def test_curl_uploads_what_a_pipe_gives_it(api: Api, output: str) -> None:
    url = f"http://127.0.0.1:{api.port}{output}"
    with subprocess.Popen(
        ["curl", "-sS", "--fail-with-body", "-T", "-", url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as curl:
        assert curl.stdin
        assert curl.stdout
        for piece in ("live\n", "from a pipe €\n"):
            curl.stdin.write(piece.encode())
            curl.stdin.flush()
            wait_until(lambda piece=piece: read(api, output).endswith(piece))  # type: ignore[misc]
        curl.stdin.close()
        assert curl.stdout.read() == b'{"offset":21}'
    assert curl.returncode == 0


def test_curl_learns_that_the_process_has_ended(api: Api, output: str) -> None:
    url = f"http://127.0.0.1:{api.port}{output}"
    with subprocess.Popen(
        ["curl", "-sS", "-o", "-", "-w", "%{http_code}", "-T", "-", url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as curl:
        assert curl.stdin
        assert curl.stdout
        curl.stdin.write(b"one\n")
        curl.stdin.flush()
        wait_until(lambda: read(api, output) == "one\n")
        api.request("POST", output.replace("/output", "/cancel"))

        def has_ended() -> bool:
            """Write on as a command does; curl looks at the answer when there is more to send."""
            assert curl.stdin
            with suppress(BrokenPipeError):
                curl.stdin.write(b"more\n")
                curl.stdin.flush()
            return curl.poll() is not None

        wait_until(has_ended)
        assert curl.stdout.read().endswith(b"409")
        with suppress(BrokenPipeError):
            curl.stdin.close()
    assert read(api, output) == "one\n"
