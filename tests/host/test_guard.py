"""Who may talk to the server: each probe is what a request says of itself, and the answer."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline_host.guard import Guard, host_name, refusal_answer
from pipeline_host.settings import Settings

HERE = "127.0.0.1:4000"
NAVIGATION = {"HTTP_SEC_FETCH_MODE": "navigate", "HTTP_SEC_FETCH_DEST": "document"}
GUARD = Guard.of(
    Settings(
        host="192.168.7.5",
        allowed_hosts=("Box.example", "fe80::1"),
        allowed_origins=("https://app.example", "vscode-webview://abc"),
    )
)


def decide(path: str = "/api/processes", method: str = "GET", **headers: str) -> int:
    """The status that the guard refuses a request with; 0 where it lets it pass."""
    environ: dict[str, Any] = {"REQUEST_METHOD": method, "wsgi.url_scheme": "http", "RAW_URI": path}
    environ |= {name.upper() if "." not in name else name: text for name, text in headers.items()}
    refusal = GUARD.refusal(environ, path)
    return refusal.status if refusal else 0


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:4000",
        "127.0.0.1:65535",
        "localhost",
        "localhost:1",
        "LocalHost:4000",
        "[::1]",
        "[::1]:4000",
        "[0:0:0:0:0:0:0:1]:4000",
        "192.168.7.5:80",
        "box.example",
        "BOX.EXAMPLE:9",
        "[fe80::1]:4000",
        "localhost:",
    ],
)
def test_a_known_host_passes_on_any_port(host: str) -> None:
    assert decide(http_host=host) == 0


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:4000",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "evil-localhost",
        "sub.localhost",
        "localhost.",
        "192.168.7.6",
        "box.example.evil",
        "[::2]",
        "::1",
        "[::1",
        "127.0.0.1:4000:4000",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "127.0.0.1:4000a",
        "127.0.0.1:٤",
        "user@127.0.0.1",
        "127.0.0.1,evil.example",
        "127.0.0.1, 127.0.0.1",
        "127.0.0.1 ",
        " 127.0.0.1",
        "127.0.0.1/",
        "127.0.0.1\n",
        "0x7f.1",
        "2130706433",
        "http://127.0.0.1",
        "",
    ],
)
def test_any_other_host_is_misdirected(host: str) -> None:
    assert decide(http_host=host) == 421
    assert decide(http_host=host, method="POST") == 421


def test_a_request_without_a_host_is_misdirected() -> None:
    assert decide() == 421


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://127.0.0.1:4000/api/health", 0),
        ("HTTP://127.0.0.1:4000/api/health?x=http://evil.example", 0),
        ("http://evil.example/api/health", 421),
        ("http://127.0.0.1:4001/api/health", 421),
        ("/api/health?next=http://evil.example/", 0),
    ],
)
def test_a_target_in_absolute_form_names_the_same_host(target: str, status: int) -> None:
    """RFC 9112, 3.2.2: there the target's host counts, so it can't be another than was checked."""
    assert decide(http_host=HERE, raw_uri=target) == status


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1:4000", 0),
        ("HTTP://127.0.0.1:4000", 0),
        ("https://app.example", 0),
        ("HTTPS://APP.EXAMPLE", 0),
        ("vscode-webview://abc", 0),
        ("http://127.0.0.1", 403),
        ("http://127.0.0.1:4001", 403),
        ("https://127.0.0.1:4000", 403),
        ("http://localhost:4000", 403),
        ("http://evil.example", 403),
        ("http://app.example", 403),
        ("https://app.example.evil", 403),
        ("https://app.example:8443", 403),
        ("http://127.0.0.1:4000.evil.example", 403),
        ("http://127.0.0.1:4000,http://evil.example", 403),
        ("null", 403),
        ("", 403),
        ("*", 403),
        ("file://", 403),
    ],
)
def test_an_origin_is_our_own_or_a_configured_one(method: str, origin: str, status: int) -> None:
    assert decide(http_host=HERE, method=method, http_origin=origin) == status


def test_an_origin_is_compared_with_the_scheme_that_the_server_speaks() -> None:
    secure = {"wsgi.url_scheme": "https", "http_host": HERE}
    assert decide(http_origin="https://127.0.0.1:4000", **secure) == 0
    assert decide(http_origin="http://127.0.0.1:4000", **secure) == 403


@pytest.mark.parametrize(
    ("site", "status"),
    [
        ("same-origin", 0),
        ("none", 0),
        ("cross-site", 403),
        ("same-site", 403),
        ("Cross-Site", 403),
        ("cross-site,none", 403),
        ("", 403),
        ("anything", 403),
    ],
)
@pytest.mark.parametrize("path", ["/api/processes", "/api/processes/x/stream", "/ws", "/"])
def test_a_page_of_another_site_is_refused(path: str, site: str, status: int) -> None:
    assert decide(path, http_host=HERE, http_sec_fetch_site=site) == status


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", {}, 0),
        ("/processes/1", {}, 0),
        ("/apis", {}, 0),
        ("/", {"method": "HEAD"}, 0),
        ("/api", {}, 403),
        ("/api/", {}, 403),
        ("/api/processes", {}, 403),
        ("/", {"method": "POST"}, 403),
        ("/", {"http_sec_fetch_mode": "no-cors"}, 403),
        ("/", {"http_sec_fetch_mode": "cors"}, 403),
        ("/", {"http_sec_fetch_dest": "iframe"}, 403),
        ("/", {"http_sec_fetch_dest": "embed"}, 403),
        ("/", {"http_sec_fetch_dest": "image"}, 403),
        ("/ws", {"http_upgrade": "websocket"}, 403),
        ("/", {"http_origin": "http://evil.example"}, 403),
        ("/", {"http_origin": "null"}, 403),
    ],
)
def test_a_link_from_elsewhere_may_open_a_page_but_nothing_else(
    path: str, headers: dict[str, str], status: int
) -> None:
    probe = {name.lower(): value for name, value in NAVIGATION.items()} | headers
    assert decide(path, http_host=HERE, http_sec_fetch_site="cross-site", **probe) == status


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_configured_origin_may_come_from_another_site(site: str, method: str) -> None:
    probe = {"http_host": HERE, "method": method, "http_sec_fetch_site": site}
    assert decide(http_origin="https://app.example", **probe) == 0
    assert decide(http_origin="http://evil.example", **probe) == 403


@pytest.mark.parametrize(
    "forwarded",
    [
        {"http_x_forwarded_host": "evil.example"},
        {"http_x_forwarded_proto": "https"},
        {"http_forwarded": "host=evil.example;proto=https"},
        {"http_x_forwarded_for": "10.0.0.1"},
    ],
)
def test_forwarded_headers_change_nothing(forwarded: dict[str, str]) -> None:
    assert decide(http_host=HERE, http_origin="http://127.0.0.1:4000", **forwarded) == 0
    assert decide(http_host="evil.example", **forwarded) == 421
    assert decide(http_host="evil.example", http_x_forwarded_host="127.0.0.1") == 421


@pytest.mark.parametrize(
    ("upgrade", "status"),
    [
        ({"http_origin": "http://127.0.0.1:4000"}, 0),
        ({"http_origin": "http://evil.example"}, 403),
        ({"http_origin": "null"}, 403),
        ({}, 0),
    ],
)
def test_an_upgrade_is_judged_like_any_request(upgrade: dict[str, str], status: int) -> None:
    assert decide("/ws", http_host=HERE, http_upgrade="websocket", **upgrade) == status


def test_a_host_that_was_refused_stays_refused_after_others_passed() -> None:
    guard = Guard()
    for port in range(200):
        environ = {"HTTP_HOST": f"localhost:{port}", "REQUEST_METHOD": "GET", "RAW_URI": "/"}
        assert guard.refusal(environ, "/") is None
        assert guard.refusal(environ | {"HTTP_HOST": f"evil:{port}"}, "/") is not None


def test_a_refusal_says_what_was_expected_and_how_to_allow_it() -> None:
    environ = {"HTTP_HOST": "box.local:4000", "REQUEST_METHOD": "GET", "RAW_URI": "/"}
    refusal = Guard().refusal(environ, "/")
    assert refusal is not None
    status, headers, body = refusal_answer(refusal)
    assert status == "421 Misdirected Request"
    assert ("connection", "close") in headers
    assert body == (
        b'{"error":"Host: expected a name of this server, got box.local:4000; '
        b'see the setting allowed_hosts"}'
    )


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Example.ORG", "example.org"),
        ("::1", "[::1]"),
        ("[::1]", "[::1]"),
        ("[0:0::0001]", "[::1]"),
        ("127.0.0.1", "127.0.0.1"),
    ],
)
def test_host_names_have_one_form(text: str, name: str) -> None:
    assert host_name(text) == name
