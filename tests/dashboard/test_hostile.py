"""Whatever a process says of itself, nothing of it runs in a page, and nothing breaks out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from pipeline_host.testing.server import LiveServer
from pipeline_host.testing.waiting import wait_until

from .conftest import Api, ago, watched
from .payloads import ELSEWHERE, MARKUP, PAYLOADS, RUN

LAST_LINE = "the last line of the output"
IDS = {
    "markup": f"<img src=x onerror={RUN}>",
    "attribute": f"\"'><svg onload={RUN}>",
    "upwards": "../x",
    "dot": ".",
    "two dots": "..",
    "path": "a/b//c",
    "query": "a?b=c&d#e",
    "percent": "50%25%2F%zz",
    "script": f"javascript:{RUN}",
    "direction": "id\u202egnp.exe",
    "space": "  a  b  ",
    "prototype": "__proto__",
    "long": "x" * 200,
}
SEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff]"
)
"""What must not be in the text of a page as it is."""

WATCH = """
    window.violations = [];
    document.addEventListener('securitypolicyviolation', event =>
        window.violations.push(`${event.effectiveDirective} ${event.blockedURI}`));
"""
INTRUDERS = """() => {
    const own = 'script[src^="/static/"], link[href^="/static/"], meta, title, body, head, html';
    const wrong = document.querySelectorAll(
        'script, style, link, base, iframe, object, embed, img, video, audio, form, math, template,'
        + 'svg:not(.icon), animate, use, meta[http-equiv], slot, [style*="url("]');
    const found = [...wrong].filter(element => !element.matches(own) || element.httpEquiv);
    for (const element of document.querySelectorAll('*'))
        for (const { name, value } of element.attributes)
            if (name.startsWith('on')
                || (name === 'href' && !/^(\\/|#|https?:|mailto:)/i.test(value)))
                found.push(element);
    for (const id of ['main', 'toasts', 'topbar'])
        if (document.querySelectorAll(`[id="${id}"]`).length !== 1) found.push(document.body);
    return found.map(element => element.outerHTML.slice(0, 200));
}"""
LOOK = f"""() => ({{
    ran: [window.pwned, ({{}}).pwned].filter(value => value !== undefined),
    violations: window.violations,
    intruders: ({INTRUDERS})(),
    shown: document.body.textContent,
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
}})"""
OPEN_ALL = """async () => {
    for (let folded; (folded = document.querySelectorAll('details:not([open])')).length;) {
        for (const one of folded) one.open = true;
        for (let i = 0; i < 2; i += 1) await new Promise(requestAnimationFrame);
    }
}"""
GO = "path => { history.pushState(null, '', path); dispatchEvent(new PopStateEvent('popstate')); }"


def process_id(name: str) -> str:
    return name.replace(" ", "-")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("hostile") / "data"
    with LiveServer(folder, "--set", "file.durability=os") as started:
        yield started


@pytest.fixture(scope="module")
def hostile(server: LiveServer, api: Api) -> LiveServer:
    """A server with a process for each payload, which is in every field that takes a text."""
    for name, payload in PAYLOADS.items():
        api.workspace(f"w {name}", name=payload or "x", rootPath=payload, color=payload)
        api.create(
            process_id(name),
            promptPreview=payload,
            fullPrompt=f"{payload}\n{payload}",
            type=payload,
            backend=payload,
            workingDirectory=payload,
            sdkSessionId=payload,
            workspaceId=f"w {name}",
            metadata={"workspaceName": payload, payload: {payload: payload}},
            startTime=ago(500),
        )
        api.create(f"child of {name}", promptPreview=payload, parentProcessId=process_id(name))
        api.output(process_id(name), f"{payload}\n", stream="stderr")
        api.output(process_id(name), f"\x1b\\\x1bc\x18\x1b[0m\n{LAST_LINE}\n")
        api.patch(
            process_id(name),
            status="failed",
            error=payload,
            result=payload,
            structuredResult=json.dumps({payload: [payload, {payload: payload}]}),
        )
    for name, odd in IDS.items():
        api.create(odd, promptPreview=f"odd {name}", parentProcessId=odd)
    return server


class Watched:
    """A page of which all is noted that hostile texts could have done."""

    def __init__(self, page: Page, host: str) -> None:
        self.page = page
        self._host = host
        self.noted: list[str] = watched(page)
        page.on("request", lambda request: self._ask(request.url))
        page.on("dialog", self._answer)
        page.on("popup", lambda popup: self.noted.append(f"popup {popup.url}"))
        page.on("download", lambda download: self.noted.append(f"download {download.url}"))

    def _ask(self, url: str) -> None:
        if urlsplit(url).netloc != self._host:
            self.noted.append(f"request {url}")

    def _answer(self, dialog: Dialog) -> None:
        self.noted.append(f"dialog {dialog.message}")
        dialog.dismiss()


@pytest.fixture(scope="module")
def window(chromium: Browser, hostile: LiveServer) -> Iterator[Watched]:
    """One page for all tests."""
    context = chromium.new_context(
        base_url=hostile.url, viewport={"width": 1000, "height": 700}, reduced_motion="reduce"
    )
    page = context.new_page()
    page.add_init_script(WATCH)
    page.set_default_timeout(10_000)
    yield Watched(page, urlsplit(hostile.url).netloc)
    context.close()


@pytest.fixture
def page(window: Watched) -> Iterator[Page]:
    """The page; afterwards nothing has run, been asked for or got in that should not have."""
    window.noted.clear()
    yield window.page
    assert_unharmed(window.page)
    assert window.noted == []


@pytest.fixture
def inside(page: Page) -> Page:
    """The page with the dashboard in it, wherever that is: tests go on from there."""
    if page.url == "about:blank":
        page.goto("/process")
        expect(page.locator("main h1")).to_be_visible()
    return page


def assert_unharmed(page: Page) -> None:
    found = page.evaluate(LOOK)
    assert found["ran"] == []
    assert found["violations"] == []
    assert found["intruders"] == []
    assert SEEN.findall(found["shown"]) == []
    wide = found["wide"]
    assert wide <= 0, f"the page is {wide} pixels wider than the window"


def scroll_through(page: Page, selector: str | None) -> None:
    """Have all rows of a view be shown at one time or another, and look at each screenful."""
    place = (
        f"document.querySelector({json.dumps(selector)})"
        if selector
        else "document.documentElement"
    )
    top = -1
    while (now := page.evaluate(f"{place}.scrollTop")) != top:
        top = now
        assert_unharmed(page)
        page.evaluate(
            f"async () => {{ {place}.scrollTop += 600;"
            " for (let i = 0; i < 3; i += 1) await new Promise(requestAnimationFrame); }"
        )


def test_there_are_enough() -> None:
    assert len(PAYLOADS) >= 40


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_process_page_shows_it_and_nothing_runs(inside: Page, name: str) -> None:
    page = inside
    page.evaluate(GO, f"/process/{quote(process_id(name))}")
    article = page.locator("article.process")
    expect(page.locator(".process-state")).to_contain_text("failed")
    expect(article.get_by_role("region", name="Result").locator(".result-body")).not_to_be_empty()
    expect(article.locator(".process-output")).to_contain_text(LAST_LINE)
    page.evaluate(OPEN_ALL)
    assert_unharmed(page)
    source = article.get_by_role("button", name="Source")
    if source.count():
        source.click()


def test_the_list_shows_all_and_nothing_runs(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_role("main").get_by_role("link").first).to_be_visible()
    scroll_through(page, None)
    page.get_by_role("button", name="Workspace:").click()
    expect(page.get_by_role("option")).not_to_have_count(0)
    assert_unharmed(page)
    page.keyboard.press("Escape")


@pytest.mark.parametrize("view", ["chart", "table"])
def test_the_timeline_shows_all_and_nothing_runs(page: Page, view: str) -> None:
    page.goto(f"/timeline?range=all&view={view}")
    scroller = ".tl-chart" if view == "chart" else ".tl-table"
    expect(page.locator(scroller).get_by_role("link").first).to_be_visible()
    scroll_through(page, scroller)


@pytest.mark.parametrize("query", MARKUP.values(), ids=MARKUP)
def test_no_address_runs(inside: Page, query: str) -> None:
    """What is in the address, maybe of a link from elsewhere, is shown by all views."""
    value = quote(query[:500], safe="")
    for path in (f"/?q={value}&workspace={value}&type={value}", f"/timeline?workspace={value}"):
        inside.evaluate(GO, path)
        inside.wait_for_function("document.querySelector('main').childElementCount > 0")
        assert_unharmed(inside)


@pytest.mark.parametrize("name", IDS)
def test_an_odd_id_is_a_name_and_nothing_else(inside: Page, name: str) -> None:
    page = inside
    page.evaluate(GO, "/?q=odd")
    link = page.get_by_role("main").get_by_role("link", name=f"odd {name}", exact=False).first
    link.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"odd {name}")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"odd {name}")
    assert_unharmed(page)


def test_what_changes_while_it_is_shown_is_as_harmless(page: Page, api: Api) -> None:
    api.create("live", promptPreview="live one")
    page.goto("/process/live")
    expect(page.locator(".process-state")).to_contain_text("running")
    payload = f"<img src=x onerror={RUN}>"
    api.output("live", payload)
    api.patch("live", error=payload, result=payload, structuredResult=json.dumps(payload))
    expect(page.get_by_role("region", name="Error")).to_contain_text(payload)
    expect(page.get_by_role("region", name="Result", exact=True)).to_contain_text(payload)
    expect(page.locator(".process-output")).to_contain_text(payload)


def test_a_link_in_a_result_tells_the_other_side_nothing(page: Page, api: Api) -> None:
    api.create("linked")
    api.patch("linked", status="completed", result=f"[click]({ELSEWHERE})")
    page.goto("/process/linked")
    link = page.locator(".prose").get_by_role("link", name="click")
    expect(link).to_have_attribute("href", ELSEWHERE)
    expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")
    expect(link).to_have_attribute("target", "_blank")


def test_a_hard_result_holds_nobody_up(page: Page, api: Api) -> None:
    api.create("hard")
    api.patch("hard", status="completed", result="![" * 200_000)
    page.goto("/process/hard")
    wait_until(lambda: api.get("hard")["status"] == "completed")
    expect(page.get_by_text("Formatting it would take too long")).to_be_visible(timeout=60_000)
