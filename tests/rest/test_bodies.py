"""Bodies that can't be read: the same answers on every route that takes JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline_host.testing import LiveServer

from .client import Api, item, new_process, unique

DEEP = 64
ROUTES = ["create", "patch", "output", "workspace"]


def route(api: Api, name: str) -> tuple[str, str]:
    """The method and path of a route that takes JSON."""
    if name == "create":
        return "POST", "/api/processes"
    if name == "workspace":
        return "POST", "/api/workspaces"
    process = api.create()["id"]
    return ("PATCH", item(process)) if name == "patch" else ("POST", item(process, "/output"))


def nested(levels: int) -> str:
    return '{"metadata":' * (levels - 1) + "{}" + "}" * (levels - 1)


UNREADABLE = {
    "empty": b"",
    "blank": b"  ",
    "truncated": b'{"id": "x"',
    "truncated string": b'{"id": "x',
    "trailing garbage": b'{"id": "x"} x',
    "two objects": b"{}{}",
    "trailing comma": b'{"id": "x",}',
    "single quotes": b"{'id': 'x'}",
    "comment": b"{} // {}",
    "NaN": b'{"exitCode": NaN}',
    "Infinity": b'{"exitCode": Infinity}',
    "minus Infinity": b'{"metadata": {"x": -Infinity}}',
    "1e400": b'{"metadata": {"x": 1e400}}',
    "lone surrogate": b'{"result": "\\ud800"}',
    "lone surrogate in a key": b'{"metadata": {"\\udc00": 1}}',
    "surrogates in the wrong order": b'{"result": "\\udc00\\ud800"}',
    "raw surrogate": b'{"result": "\xed\xa0\x80"}',
    "invalid UTF-8": b'{"result": "\xff"}',
    "overlong UTF-8": b'{"result": "\xc0\x80"}',
    "UTF-16": '{"result": "x"}'.encode("utf-16"),
    "byte-order mark": b"\xef\xbb\xbf{}",
    "raw control character": b'{"result": "a\nb"}',
    "array": b"[]",
    "array of objects": b"[{}]",
    "string": b'"x"',
    "number": b"7",
    "null": b"null",
    "too deep": nested(DEEP + 1).encode(),
    "a million deep": b'{"metadata":' * 1_000_000,
    "a million arrays deep": b'{"metadata":' + b"[" * 1_000_000,
}


@pytest.mark.parametrize("name", ROUTES)
@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_an_unreadable_body_is_400_invalid_json(api: Api, name: str, body: bytes) -> None:
    method, path = route(api, name)
    answer = api.send(method, path, body)
    assert answer.status == 400
    assert answer.error.startswith("Invalid JSON"), answer.error


def test_64_levels_are_not_too_deep(api: Api) -> None:
    path = item(api.create()["id"])
    answer = api.patch(path, nested(DEEP).encode())
    assert answer.status == 200
    assert json.loads(answer.body)["process"]["metadata"] == json.loads(nested(DEEP))["metadata"]


def test_a_pair_of_surrogates_is_one_character(api: Api) -> None:
    path = item(api.create()["id"])
    answer = api.patch(path, b'{"result": "\\ud83d\\ude00"}')
    assert answer.json()["process"]["result"] == "😀"


def test_great_and_small_numbers_are_kept(api: Api) -> None:
    numbers = [0, -1, 2**53 + 1, 2**63, 10**30, 1e-300, 1.7e308]
    path = item(api.create()["id"])
    answer = api.patch(path, {"metadata": {"numbers": numbers}})
    assert answer.json()["process"]["metadata"]["numbers"] == numbers


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonx",
        "text/json",
        "application/xml",
    ],
)
@pytest.mark.parametrize("name", ["create", "patch", "workspace"])
def test_a_body_of_another_content_type_is_415(
    api: Api, name: str, content_type: str | None
) -> None:
    method, path = route(api, name)
    headers = {} if content_type is None else {"Content-Type": content_type}
    answer = api.request(method, path, json.dumps(new_process()).encode(), headers)
    assert answer.status == 415
    assert "application/json" in answer.error


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"],
)
def test_a_json_content_type_may_have_parameters_and_capitals(api: Api, content_type: str) -> None:
    body = json.dumps(new_process()).encode()
    assert api.request("POST", "/api/processes", body, {"Content-Type": content_type}).status == 201
    output = item(api.create()["id"], "/output")
    body = b'{"content": "abc"}'
    answer = api.request("POST", output, body, {"Content-Type": content_type})
    assert answer.json() == {"offset": 3}


def test_a_compressed_body_is_415(api: Api) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert api.request("POST", "/api/processes", b"\x1f\x8b", headers).status == 415
    output = item(api.create()["id"], "/output")
    assert api.request("POST", output, b"\x1f\x8b", {"Content-Encoding": "gzip"}).status == 415


def test_json_sent_in_chunks_is_read_like_any_other(api: Api) -> None:
    body = json.dumps(new_process()).encode()
    parts = (body[i : i + 7] for i in range(0, len(body), 7))
    headers = {"Content-Type": "application/json"}
    assert api.request("POST", "/api/processes", parts, headers).status == 201


@pytest.mark.parametrize("name", ROUTES)
def test_a_body_of_100_mb_is_413_before_it_is_sent(api: Api, name: str) -> None:
    method, path = route(api, name)
    with api.connect() as connection:
        connection.sendall(
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{api.port}\r\n"
            "Content-Type: application/json\r\nContent-Length: 104857600\r\n\r\n".encode()
        )
        head = connection.makefile("rb").readline()
    assert head.startswith(b"HTTP/1.1 413 ")


def test_a_body_that_grows_over_the_limit_in_chunks_is_413(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder: Path = tmp_path_factory.mktemp("small")
    environment = {"PIPELINE_HOST_MAX_BODY": "65536"}
    with LiveServer(folder / "data", env=environment) as server:
        api = Api(server.port)
        exact = new_process(fullPrompt="")
        exact["fullPrompt"] = "x" * (65536 - len(json.dumps(exact)))
        assert len(json.dumps(exact)) == 65536
        assert api.post("/api/processes", exact).status == 201
        over = exact | {"id": exact["id"] + "x"}
        assert api.post("/api/processes", over).status == 413
        with api.connect() as connection:
            connection.sendall(
                f"POST /api/processes HTTP/1.1\r\nHost: 127.0.0.1:{api.port}\r\n"
                "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
            )
            connection.sendall(b"8000\r\n" + b" " * 0x8000 + b"\r\n")
            connection.sendall(b"8001\r\n" + b" " * 0x8001 + b"\r\n")
            assert connection.makefile("rb").readline().startswith(b"HTTP/1.1 413 ")
        assert api.get("/api/health").status == 200


def test_a_key_that_is_there_twice_counts_as_its_last(api: Api) -> None:
    name: Any = unique()
    body = json.dumps(new_process(id=name))[:-1] + ', "status": "queued"}'
    assert api.post("/api/processes", body.encode()).json()["status"] == "queued"
