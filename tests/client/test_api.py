"""What the client makes of answers, good and bad, from a server that can be told to misbehave."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from email.utils import formatdate
from pathlib import Path

import pytest

from pipeline_host.client import ApiClient, ApiError, BadAnswer, Unreachable
from pipeline_host.client.transport import MAX_RETRY_AFTER
from pipeline_host.testing.server import hold_port
from pipeline_host.testing.waiting import wait_until

from .scripted import ScriptedServer

Make = Callable[..., dict[str, str]]


def test_a_refusal_carries_the_servers_sentence(server: ScriptedServer, api: ApiClient) -> None:
    with pytest.raises(ApiError) as caught:
        api.get("nobody")
    assert (caught.value.status, str(caught.value)) == (404, "Process not found")
    assert not caught.value.retryable
    assert caught.value.terminal_status is None


def test_a_conflict_with_the_end_tells_the_status(
    server: ScriptedServer, api: ApiClient, process: Make
) -> None:
    api.create(process(id="a"))
    api.patch("a", {"status": "cancelled"})
    with pytest.raises(ApiError) as caught:
        api.patch("a", {"status": "completed"})
    assert caught.value.terminal_status == "cancelled"
    assert caught.value.expected_offset is None


def test_a_gap_tells_where_output_has_to_go_on(
    server: ScriptedServer, api: ApiClient, process: Make
) -> None:
    api.create(process(id="a"))
    assert api.append_output("a", [{"content": "€"}], 0) == 3
    with pytest.raises(ApiError) as caught:
        api.append_output("a", [{"content": "x"}], 9)
    assert caught.value.expected_offset == 3


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(400, False), (401, False), (409, False), (422, False), (408, True), (429, True), (503, True)],
)
def test_what_may_succeed_later_is_marked(
    server: ScriptedServer, api: ApiClient, status: int, retryable: bool
) -> None:
    server.fault("answer", status=status)
    with pytest.raises(ApiError, match="as told") as caught:
        api.stats()
    assert (caught.value.status, caught.value.retryable) == (status, retryable)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        ("0", 0),
        ("-5", 0),
        ("1e9", MAX_RETRY_AFTER),
        ("nan", None),
        ("soon", None),
    ],
)
def test_retry_after_is_read(
    server: ScriptedServer, api: ApiClient, value: str, seconds: float | None
) -> None:
    server.fault("answer", status=429, headers={"Retry-After": value})
    with pytest.raises(ApiError) as caught:
        api.health()
    assert caught.value.retry_after == seconds


def test_retry_after_may_be_a_date(server: ScriptedServer, api: ApiClient) -> None:
    date = formatdate(time.time() + 1000, usegmt=True)
    server.fault("answer", status=429, headers={"Retry-After": date})
    with pytest.raises(ApiError) as caught:
        api.health()
    assert caught.value.retry_after is not None
    assert 900 < caught.value.retry_after <= 1000


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"[]", b"", b'{"other": 1}', b"\xff"])
def test_an_answer_of_something_else_is_called_so(
    server: ScriptedServer, api: ApiClient, body: bytes
) -> None:
    server.fault("answer", status=200, headers={"Content-Type": "text/html"}, body=body)
    with pytest.raises(BadAnswer, match="is it a pipeline_host server") as caught:
        api.get("a")
    assert caught.value.retryable


def test_a_refusal_without_json_is_told_by_its_status(
    server: ScriptedServer, api: ApiClient
) -> None:
    server.fault("answer", status=502, body=b"<html>Bad Gateway</html>")
    with pytest.raises(ApiError, match="answered 502 Bad Gateway"):
        api.health()


def test_a_redirect_is_not_followed(server: ScriptedServer, api: ApiClient) -> None:
    server.fault("answer", status=307, headers={"Location": "/api/stats"})
    with pytest.raises(BadAnswer, match="307"):
        api.health()
    assert len(server.seen) == 1


@pytest.mark.parametrize("kind", ["truncate", "drop", "hang"])
def test_an_answer_that_does_not_come_whole_is_no_answer(
    server: ScriptedServer, process: Make, kind: str
) -> None:
    server.fault(kind)
    patience = 0.5 if kind == "hang" else 20
    with (
        ApiClient(server.url, timeout=(5, patience)) as api,
        pytest.raises(Unreachable, match="can't be reached"),
    ):
        api.create(process(id="a"))
    wait_until(lambda: "a" in server.processes)


def test_a_server_that_is_not_there_is_unreachable_in_plain_words() -> None:
    with hold_port() as hold:
        url = f"http://127.0.0.1:{hold.getsockname()[1]}"
        with ApiClient(url) as api, pytest.raises(Unreachable) as caught:
            api.health()
    assert str(caught.value) == f"{url} can't be reached: Connection refused"


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:4000", "ftp://x", "http://", "http://x:99999", "http://x?y", "http://["]
)
def test_what_is_no_url_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="server URL"):
        ApiClient(url)


def test_a_proxy_is_not_asked_for_a_loopback_address(
    server: ScriptedServer, api: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with pytest.raises(ApiError, match="Process not found"):
        api.get("a")


def test_a_path_in_the_servers_url_is_kept(server: ScriptedServer) -> None:
    with ApiClient(f"{server.url}/behind/a/proxy/") as api, pytest.raises(ApiError):
        api.health()
    assert server.seen[0].target == "/behind/a/proxy/api/health"


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("..", "%2E%2E"),
        (".", "%2E"),
        ("...", "..."),
        ("a/../b", "a%2F..%2Fb"),
        ("50%", "50%25"),
        ("%2E%2E", "%252E%252E"),
        ("日本", "%E6%97%A5%E6%9C%AC"),
        ("a?b#c d;e", "a%3Fb%23c%20d%3Be"),
    ],
)
def test_any_id_is_one_segment_of_the_path(
    server: ScriptedServer, api: ApiClient, process: Make, name: str, target: str
) -> None:
    api.create(process(id=name))
    assert api.get(name)["id"] == name
    assert api.append_output(name, [{"content": "x"}]) == 1
    assert [seen.target for seen in server.seen[1:]] == [
        f"/api/processes/{target}",
        f"/api/processes/{target}/output",
    ]


def test_nothing_is_sent_that_is_no_json(server: ScriptedServer, api: ApiClient) -> None:
    for value in (float("nan"), "\ud800"):
        with pytest.raises(ValueError):  # noqa: PT011 (json's and the codec's own)
            api.create({"x": value})
    assert server.seen == []


def test_headers_of_its_own_go_with_every_request_and_nothing_takes_their_place(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    # Not a loopback address by its looks, so that the environment counts.
    monkeypatch.setattr("pipeline_host.client.transport._is_loopback", lambda host: False)
    headers = {"Authorization": "Bearer abc", "X-Workspace-Id": "w"}
    with ApiClient(server.url, headers=headers) as client:
        with suppress(ApiError):
            client.get("nobody")
        with suppress(ApiError):
            client.open_events()
    assert [seen.headers["Authorization"] for seen in server.seen] == ["Bearer abc"] * 2
    assert [seen.headers["X-Workspace-Id"] for seen in server.seen] == ["w"] * 2
