"""axe-core finds nothing on any page, in either theme, wide and narrow; the shell by keyboard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from pipeline_host.testing.server import LiveServer

from .conftest import Api, ago, watched

RUN = r"""async rules => {
    const {violations} = await axe.run(document, {
        resultTypes: ["violations"], ...(rules && {runOnly: rules}),
    });
    return violations.map(({id, nodes}) =>
        `${id}: ` + nodes.map(({html, failureSummary}) => `${html}\n${failureSummary}`).join("\n"));
}"""
STILL = """async () => {
    for (let i = 0; i < 3; i += 1) await new Promise(requestAnimationFrame);
    await Promise.all(document.getAnimations().map(one => one.finished.catch(() => 0)));
}"""
"""Waits until what follows a change of the window or its theme, in its next frames, is drawn."""
COLOURS = ["color-contrast", "link-in-text-block"]
Theme = Literal["light", "dark"]
MAIN = ("list", "process", "timeline")
SIZES = {"wide": (1280, 800), "narrow": (360, 740)}
VIEWS = {
    "list": ("/", ".row[data-id='failing']"),
    "narrowed list": ("/?status=failed&workspace=w", ".row[data-id='failing']"),
    "no match": ("/?q=nothing", "h2:has-text('No process matches')"),
    "empty": ("/?workspace=none", "h2:has-text('Nothing has run')"),
    "process": ("/process/report", "main h1"),
    "live process": ("/process/running", "main h1"),
    "missing process": ("/process/none", "main h1"),
    "timeline": ("/timeline", "main h1"),
    "timeline as a table": ("/timeline?view=table", "main h1"),
    "unknown": ("/process", "main h1"),
}


@pytest.fixture(scope="session")
def axe(node_modules: Path) -> str:
    """The script of npm's axe-core."""
    return (node_modules / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


@pytest.fixture(scope="module")
def filled(server: LiveServer, api: Api) -> LiveServer:
    """Something of everything that a page has to show."""
    api.workspace("w", name="Workspace", color="#2f9e44")
    api.create("running", workspaceId="w", backend="claude", workingDirectory="/src")
    api.output("running", "\x1b[31mred \x1b[92mgreen \x1b[38;5;208morange\x1b[0m plain\n" * 5)
    api.output("running", "a warning\n", "stderr")
    api.create("waiting", status="queued")
    for number in range(3):
        api.create(f"part-{number}", parentProcessId="running", workspaceId="w")
    api.patch("part-0", status="completed")
    api.create("failing", workspaceId="w", startTime=ago(500))
    api.patch("failing", status="failed", error="no such file", exitCode=2)
    api.create("stopped")
    api.cancel("stopped")
    api.create("report", fullPrompt="Why?\nBecause.", startTime=ago(900), workspaceId="w")
    api.output("report", "one\ntwo\n")
    api.patch(
        "report",
        status="completed",
        result="# Title\n\nText with `code`, [a link](https://example.org)\n\n"
        "```python\ndef f() -> int:  # why\n    return 'x' + 1\n```\n\n"
        "| a | b |\n|-|-|\n| 1 | 2 |\n",
        structuredResult='{"a": [1, true, null, "text"], "b": {"c": 2.5}}',
    )
    return server


@pytest.fixture(scope="module")
def looking(chromium: Browser, filled: LiveServer, axe: str) -> Iterator[Page]:
    """One page for all views."""
    page = chromium.new_page(base_url=filled.url, reduced_motion="reduce")
    page.add_init_script(axe)
    wrong = watched(page)
    yield page
    page.close()
    assert wrong == []


def look(page: Page, size: str, theme: Theme) -> None:
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=theme)
    page.evaluate(STILL)


def violations(page: Page, rules: list[str] | None = None) -> list[str]:
    """What axe finds, by all its rules or by some."""
    found: list[str] = page.evaluate(RUN, rules)
    return found


def assert_as_wide_as_the_window(page: Page) -> None:
    wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wider <= 0, "the page can be scrolled sideways"


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_keeps_anybody_out(looking: Page, view: str) -> None:
    """A theme changes colours and nothing else, so that the second needs the rules of those."""
    path, there = VIEWS[view]
    look(looking, "wide", "light")
    looking.goto(path)
    expect(looking.locator(there).first).to_be_visible()
    looking.wait_for_load_state("networkidle")
    looking.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    for size in SIZES if view in MAIN else ("narrow",):
        look(looking, size, "light")
        assert violations(looking) == []
        assert_as_wide_as_the_window(looking)
        look(looking, size, "dark")
        assert violations(looking, COLOURS) == []


@pytest.mark.parametrize("what", ["parts", "picker", "question", "help"])
def test_what_opens_keeps_nobody_out_either(looking: Page, what: str) -> None:
    look(looking, "narrow", "light")
    looking.goto("/")
    expect(looking.locator(".row[data-id='running']")).to_be_visible()
    OPENING[what](looking)
    assert violations(looking) == []
    look(looking, "narrow", "dark")
    assert violations(looking, COLOURS) == []


def open_parts(page: Page) -> None:
    page.get_by_role("button", name="Parts of running").click()
    expect(page.locator(".row[data-id='part-2']")).to_be_visible()


def open_picker(page: Page) -> None:
    page.locator(".picker-button").click()
    expect(page.get_by_role("listbox")).to_be_visible()


def open_question(page: Page) -> None:
    page.get_by_role("button", name="Cancel running").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def open_help(page: Page) -> None:
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()


OPENING = {
    "parts": open_parts,
    "picker": open_picker,
    "question": open_question,
    "help": open_help,
}


@pytest.fixture
def opened(filled: LiveServer, page: Page) -> Page:
    page.goto("/")
    expect(page.locator(".row[data-id='running']")).to_be_visible()
    return page


def test_the_first_tab_leads_past_the_bar_to_the_content(opened: Page) -> None:
    opened.keyboard.press("Tab")
    skip = opened.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    opened.keyboard.press("Enter")
    opened.keyboard.press("Tab")
    expect(opened.locator("main :focus")).to_have_count(1)


def test_a_change_of_view_moves_the_focus_and_names_the_page(opened: Page) -> None:
    expect(opened).to_have_title("Processes · pipeline_host")
    opened.get_by_role("link", name="Timeline").click()
    expect(opened).to_have_title(re.compile("^Timeline"))
    expect(opened.locator("main")).to_be_focused()
    expect(opened.get_by_role("link", name="Timeline")).to_have_attribute("aria-current", "page")


def test_the_help_lists_the_keys_and_gives_the_focus_back(opened: Page) -> None:
    opened.keyboard.press("j")
    opened.keyboard.press("?")
    dialog = opened.get_by_role("dialog", name="Keyboard")
    expect(dialog).to_contain_text("Cancel the row's process")
    opened.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(opened.locator(".row-link:focus")).to_have_count(1)


def test_the_theme_is_automatic_light_or_dark_and_stays(opened: Page) -> None:
    def background() -> str:
        found: str = opened.evaluate("getComputedStyle(document.body).backgroundColor")
        return found

    opened.emulate_media(color_scheme="dark")
    dark = background()
    opened.emulate_media(color_scheme="light")
    light = background()
    assert dark != light
    opened.get_by_role("button", name="Theme: auto").click()
    opened.emulate_media(color_scheme="dark")
    assert background() == light
    opened.get_by_role("button", name="Theme: light").click()
    opened.emulate_media(color_scheme="light")
    assert background() == dark
    opened.reload()
    assert background() == dark
    opened.get_by_role("button", name="Theme: dark").click()
    assert background() == light


def test_nothing_moves_for_those_who_ask_for_that(opened: Page) -> None:
    assert opened.evaluate("document.getAnimations().length") == 0


def test_an_address_of_no_page_says_so(opened: Page) -> None:
    opened.goto("/process")
    expect(opened.get_by_role("heading", name="There is nothing here")).to_be_visible()
    opened.get_by_role("link", name="See all processes").click()
    expect(opened.locator(".row[data-id='running']")).to_be_visible()
