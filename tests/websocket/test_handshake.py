"""What becomes a WebSocket, and what is answered as plain HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from pipeline_host.testing.server import LiveServer

from .frames_of_clients import PING, PONG, Frame, client_frame
from .raw_client import RawClient, exchange, upgrade


def refused(server: LiveServer, request: bytes) -> tuple[int, dict[str, str], str]:
    status, headers, body = exchange(server.port, request)
    assert headers["content-type"] == "application/json"
    return status, headers, json.loads(body)["error"]


def test_a_handshake_is_answered_as_the_standard_has_it(ws_server: LiveServer) -> None:
    with RawClient(ws_server.port) as client:
        assert client.hear()["type"] == "welcome"
        client.leave()


def test_frames_right_behind_the_handshake_are_read(ws_server: LiveServer) -> None:
    with RawClient(ws_server.port, early=client_frame(PING, b"early")) as client:
        frames = [client.frame(), client.frame()]
        assert Frame(PONG, b"early") in frames


def test_a_plain_request_is_told_to_upgrade(ws_server: LiveServer) -> None:
    answer = requests.get(f"{ws_server.url}/ws", timeout=20)
    assert answer.status_code == 426
    assert answer.headers["Upgrade"] == "websocket"
    assert "/ws" in answer.json()["error"]


def test_another_version_is_told_which_one_there_is(ws_server: LiveServer) -> None:
    for version in ("8", "14", "", None):
        status, headers, error = refused(ws_server, upgrade(Sec_WebSocket_Version=version))
        assert status == 426
        assert headers["sec-websocket-version"] == "13"
        assert error == "Sec-WebSocket-Version: expected 13"


@pytest.mark.parametrize(
    "key", [None, "", "short", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZSE=", "é" * 24]
)
def test_a_bad_key_is_refused(ws_server: LiveServer, key: str | None) -> None:
    status, _, error = refused(ws_server, upgrade(Sec_WebSocket_Key=key))
    assert (status, error) == (400, "Sec-WebSocket-Key: expected 16 bytes in base64")


@pytest.mark.parametrize("connection", [None, "keep-alive", "close", "Upgraded"])
def test_an_upgrade_that_is_not_the_connections_is_refused(
    ws_server: LiveServer, connection: str | None
) -> None:
    status, _, error = refused(ws_server, upgrade(Connection=connection))
    assert (status, error) == (400, "Connection: expected Upgrade, for a WebSocket")


def test_names_and_values_may_be_written_in_any_case(ws_server: LiveServer) -> None:
    request = upgrade(Connection="keep-alive, UPGRADE", Upgrade="WebSocket")
    status, _, _ = exchange(ws_server.port, request.replace(b"Sec-WebSocket", b"sec-websocket"))
    assert status == 101


def test_a_handshake_with_a_body_is_refused(ws_server: LiveServer) -> None:
    status, _, error = refused(ws_server, upgrade(Content_Length="5") + b"hello")
    assert (status, error) == (400, "WebSocket: expected a request without a body")


def test_only_get_upgrades(ws_server: LiveServer) -> None:
    status, headers, _ = refused(ws_server, upgrade().replace(b"GET", b"POST", 1))
    assert status == 405
    assert "GET" in headers["allow"]
    status, _, _ = exchange(ws_server.port, upgrade().replace(b"GET", b"HEAD", 1))
    assert status == 400


def test_http_1_0_does_not_upgrade(ws_server: LiveServer) -> None:
    status, _, error = refused(ws_server, upgrade().replace(b"HTTP/1.1", b"HTTP/1.0", 1))
    assert (status, error) == (400, "WebSocket: expected HTTP/1.1")


def test_the_guard_stands_before_it(ws_server: LiveServer) -> None:
    assert refused(ws_server, upgrade(Origin="https://evil.example"))[0] == 403
    assert refused(ws_server, upgrade(Origin="null"))[0] == 403
    assert refused(ws_server, upgrade(Host="evil.example"))[0] == 421
    own = f"http://localhost:{ws_server.port}"
    host = f"localhost:{ws_server.port}"
    assert exchange(ws_server.port, upgrade(Origin=own, Host=host))[0] == 101


def test_another_path_does_not_upgrade(ws_server: LiveServer) -> None:
    assert refused(ws_server, upgrade("/api/nothing"))[0] == 404
    assert exchange(ws_server.port, upgrade("/api/health"))[0] == 200


WSGIREF = """
from wsgiref.simple_server import make_server
from pipeline_host.app import create_app
from pipeline_host.config import load_settings
server = make_server("127.0.0.1", 0, create_app(load_settings()))
print(server.server_port, flush=True)
server.serve_forever()
"""


@pytest.fixture
def other_server(tmp_path: Path) -> Iterator[int]:
    """The port of a server that can't hand connections over."""
    env: dict[str, Any] = {"PIPELINE_HOST_DATA_DIR": str(tmp_path / "data")}
    process = subprocess.Popen(
        [sys.executable, "-c", WSGIREF], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env
    )
    with process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.kill()


def test_a_server_without_a_hand_over_says_what_is_needed(other_server: int) -> None:
    status, _, body = exchange(other_server, upgrade(Host=f"127.0.0.1:{other_server}"))
    assert status == 501
    assert "pipeline_host.worker.Worker" in json.loads(body)["error"]
