"""The page and its files: where they are, how long they are kept, and what they may do."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import requests

from pipeline_host.testing.server import LiveServer
from pipeline_host_dashboard.assets import Assets
from pipeline_host_dashboard.resource import POLICY

INDEX = b'<script src="/static/build/js/main.js"></script>\n    <!-- modules -->'
FILES = {"index.html": INDEX, "js/main.js": b"main()", "css/base.css": b"p {}"}
ADDRESSES = ["/", "/process/anything", "/process/a%2Fb%20%3Cc%3E", "/process?id=..", "/timeline"]
ELSEWHERE = re.compile(r"""(?:["'(=]|@import )\s*(?:https?:)?//(?!www\.w3\.org/|127\.0\.0\.1)""")


def get(server: LiveServer, path: str, **headers: str) -> requests.Response:
    return requests.get(f"{server.url}{path}", headers=headers, timeout=20)


@pytest.fixture(scope="module")
def assets() -> Assets:
    return Assets.load()


def names(page: str) -> list[str]:
    return re.findall(r'(?:src|href)="(/static/[^"]+)"', page)


@pytest.mark.parametrize("path", ADDRESSES)
def test_the_page_is_at_each_address_that_people_see(server: LiveServer, path: str) -> None:
    answer = get(server, path)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.text == get(server, "/").text


def test_the_page_may_use_this_server_alone(server: LiveServer) -> None:
    headers = get(server, "/").headers
    assert headers["Content-Security-Policy"] == POLICY
    assert "unsafe" not in POLICY
    assert "*" not in POLICY
    assert POLICY.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["X-Frame-Options"] == "DENY"


def test_the_page_is_asked_for_anew_and_sent_only_if_it_changed(server: LiveServer) -> None:
    first = get(server, "/")
    assert first.headers["Cache-Control"] == "no-cache"
    again = get(server, "/timeline", **{"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = get(server, "/", **{"If-None-Match": '"another"'})
    assert other.status_code == 200


def test_every_file_that_the_page_names_is_there_and_kept_for_good(server: LiveServer) -> None:
    found = names(get(server, "/").text)
    assert len(found) > 20
    for path in found:
        answer = get(server, path)
        assert answer.status_code == 200, path
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        kind = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
        assert answer.headers["Content-Type"].startswith(kind[path.rpartition(".")[2]])


def test_a_file_is_sent_compressed_to_whoever_takes_that(server: LiveServer) -> None:
    path = names(get(server, "/").text)[-1]
    packed = get(server, path, **{"Accept-Encoding": "gzip, br"})
    plain = get(server, path, **{"Accept-Encoding": "identity"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert packed.content == plain.content
    assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    "path",
    [
        "/static/0123456789abcdef/js/main.js",
        "/static/{build}/js/none.js",
        "/static/{build}/index.html",
        "/static/{build}/../plugin.py",
        "/static/{build}/%2e%2e/plugin.py",
        "/static/{build}//etc/passwd",
        "/static/{build}/",
    ],
)
def test_what_is_no_file_of_this_version_is_not_found(
    server: LiveServer, assets: Assets, path: str
) -> None:
    request = requests.Request("GET", server.url).prepare()
    request.url = server.url + path.format(build=assets.build)
    with requests.Session() as session:
        answer = session.send(request, timeout=20)
    assert answer.status_code == 404
    assert "immutable" not in answer.headers.get("Cache-Control", "")


def test_head_and_other_methods_are_answered_as_everywhere(server: LiveServer) -> None:
    head = requests.head(f"{server.url}/", timeout=20)
    assert (head.status_code, head.content) == (200, b"")
    refused = requests.post(f"{server.url}/timeline", timeout=20)
    assert refused.status_code == 405
    assert refused.headers["Allow"] == "GET, HEAD, OPTIONS"


def test_a_server_without_the_dashboard_has_no_page(
    live_server: Callable[..., LiveServer],
) -> None:
    without = live_server("--block", "dashboard")
    assert get(without, "/").status_code == 404
    assert get(without, "/api/health").status_code == 200


def test_the_version_changes_with_every_change_of_a_file() -> None:
    build = Assets(FILES).build
    assert Assets(dict(reversed(FILES.items()))).build == build
    for name in FILES:
        assert Assets(FILES | {name: FILES[name] + b" "}).build != build
    assert Assets(FILES | {"js/new.js": b""}).build != build
    renamed = {"js/other.js" if name == "js/main.js" else name: FILES[name] for name in FILES}
    assert Assets(renamed).build != build


def test_the_page_names_its_modules_and_its_version() -> None:
    assets = Assets(FILES)
    page = assets.page.plain.decode()
    assert f'src="/static/{assets.build}/js/main.js"' in page
    assert f'<link rel="modulepreload" href="/static/{assets.build}/js/main.js">' in page
    assert assets.find(assets.build, "js/main.js") is not None
    assert assets.find("another", "js/main.js") is None


def test_nothing_is_loaded_from_another_host_and_no_script_or_style_is_in_the_page(
    server: LiveServer,
) -> None:
    page = get(server, "/").text
    for path in names(page):
        assert not ELSEWHERE.search(get(server, path).text), path
    assert not ELSEWHERE.search(page)
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", page)
