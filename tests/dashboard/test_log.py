"""The output on a process's page: live, as a terminal shows it, and however long it is."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from typing import Any

import pytest
import requests
from playwright.sync_api import Locator, Page, expect

from pipeline_host.testing.waiting import wait_until

from .conftest import Api, soon
from .tracing import traced

LOOK = """row => {
    const look = getComputedStyle(row);
    return [look.color, look.backgroundColor, look.fontWeight, look.fontStyle,
            look.textDecorationLine];
}"""
ANSI = re.compile(r"\x1b\[\d+m")
LINE = "INFO worker number {0} handled request {0} in 7 ms"
_numbers = count(1)


@pytest.fixture
def process(api: Api) -> str:
    return api.create(f"log-{next(_numbers)}")


@pytest.fixture
def opened(page: Page) -> Callable[..., Locator]:
    """Opens a process's page; returns its log once that is connected."""

    def open_page(process_id: str, hash: str = "", **choices: bool) -> Locator:
        chosen = json.dumps({"wrap": False, **choices})
        page.evaluate(f"localStorage['pipeline-host.log'] = {json.dumps(chosen)}")
        page.goto(f"/process/{process_id}{hash}")
        log = page.locator(".log")
        expect(log).to_be_visible()
        return log

    return open_page


def rows(log: Locator) -> Locator:
    return log.locator(".log-rows .log-row")


def row(log: Locator, number: int) -> Locator:
    """The row of a line, by its number as it is shown."""
    link = log.page.get_by_role("link", name=f"Line {number}", exact=True)
    return rows(log).filter(has=link)


def shown(log: Locator) -> list[str]:
    """The text of the rows that are in the page, from the top."""
    return rows(log).locator(".log-text").all_text_contents()


def scroller(log: Locator) -> Locator:
    return log.get_by_role("region", name="Lines of the output")


def button(log: Locator, name: str | re.Pattern[str]) -> Locator:
    return log.get_by_role("button", name=name)


def numbered(first: int, last: int) -> str:
    return "".join(f"line {number}\n" for number in range(first, last + 1))


class TestOutput:
    def test_it_appears_as_it_is_written(
        self, api: Api, process: str, opened: Callable[..., Locator]
    ) -> None:
        log = opened(process)
        expect(log).to_contain_text("Waiting for output…")
        api.output(process, "first\nsec")
        expect(rows(log)).to_have_text([re.compile("first"), re.compile("sec")])
        api.output(process, "ond\n<b>&amp;</b>\n")
        expect(row(log, 2).locator(".log-text")).to_have_text("second")
        assert shown(log) == ["first", "second", "<b>&amp;</b>"]
        expect(log).to_contain_text("3 lines")
        expect(log.locator(".log-empty")).to_be_hidden()

    def test_each_piece_of_a_line_appears_within_a_second(
        self, api: Api, process: str, opened: Callable[..., Locator]
    ) -> None:
        log = opened(process)
        pieces: list[str] = []

        def write() -> None:
            pieces.append("piece ")
            api.output(process, pieces[-1])

        line = row(log, 1).locator(".log-text")
        soon(write, lambda: expect(line).to_have_text("".join(pieces)))

    def test_without_any_it_says_so(
        self, api: Api, process: str, opened: Callable[..., Locator]
    ) -> None:
        log = opened(process)
        api.patch(process, status="completed")
        expect(log).to_contain_text("It wrote no output.")

    def test_a_progress_bar_is_one_line_that_changes(
        self, api: Api, process: str, opened: Callable[..., Locator]
    ) -> None:
        log = opened(process)
        api.output(process, "load  0%|    |")
        expect(row(log, 1)).to_contain_text("load  0%|    |")
        api.output(process, "\rload 50%|██  |")
        expect(row(log, 1)).to_contain_text("load 50%|██  |")
        api.output(process, "\x1b[2K\rdone\n\x1b[1A\x1b[4C!")
        expect(row(log, 1)).to_contain_text("done!")
        assert shown(log) == ["done!"]

    def test_colours_and_styles_are_those_of_the_theme(
        self, page: Page, api: Api, process: str, opened: Callable[..., Locator]
    ) -> None:
        api.output(process, "\x1b[31mred\x1b[0m plain \x1b[1;3;4mall\x1b[0m \x1b[7mback\x1b[0m\n")
        page.emulate_media(color_scheme="light")
        log = opened(process)
        spans = rows(log).locator(".log-text > span")
        expect(spans).to_have_count(3)
        red, style, back = spans.all()
        light, *_ = red.evaluate(LOOK)
        assert light == "rgb(182, 35, 31)"
        assert style.evaluate(LOOK)[2:] == ["700", "italic", "underline"]
        front, behind = back.evaluate(LOOK)[:2]
        assert front != behind != "rgba(0, 0, 0, 0)"
        page.emulate_media(color_scheme="dark")
        expect(rows(log).locator(".log-text > span").first).to_have_css(
            "color", "rgb(255, 138, 130)"
        )

    def test_what_came_from_stderr_is_marked(
        self, api: Api, process: str, opened: Callable[..., Locator]
    ) -> None:
        api.output(process, "fine\n", stream="stdout")
        api.output(process, "not fine\n", stream="stderr")
        log = opened(process)
        expect(rows(log)).to_have_count(2)
        expect(rows(log).nth(1)).to_have_class(re.compile("from-stderr"))
        expect(rows(log).nth(0)).not_to_have_class(re.compile("from-stderr"))
        expect(log.get_by_role("link", name="Line 2, from stderr")).to_have_count(1)

    def test_what_would_turn_text_around_is_shown_as_a_sign(
        self, api: Api, process: str, opened: Callable[..., Locator]
    ) -> None:
        api.output(process, "a\u202eb\u2066c\u200bd\u00ade\n")
        log = opened(process)
        expect(row(log, 1).locator(".log-text")).to_have_text("a�b�c�d�e")

    def test_the_end_of_the_process_leaves_all_of_it(
        self, api: Api, process: str, opened: Callable[..., Locator]
    ) -> None:
        log = opened(process)
        api.output(process, "before\n")
        api.patch(process, status="failed")
        expect(log).to_contain_text("before")
        api.delete(process)
        expect(log).to_contain_text("before")


class TestTimes:
    def test_they_are_shown_on_demand_and_from_then_on(
        self, page: Page, api: Api, process: str, opened: Callable[..., Locator]
    ) -> None:
        api.output(process, "a\nb\n")
        log = opened(process)
        time = row(log, 2).locator(".log-time")
        expect(time).to_be_hidden()
        button(log, "Times").click()
        expect(time).to_have_text(re.compile(r"^\d\d:\d\d:\d\d\.\d{3}$"))
        page.reload()
        expect(time).to_be_visible()
        page.keyboard.press("t")
        expect(time).to_be_hidden()


class TestFollowing:
    def test_the_end_stays_in_sight_until_one_scrolls_up(
        self, page: Page, api: Api, process: str, opened: Callable[..., Locator]
    ) -> None:
        api.output(process, numbered(1, 300))
        log = opened(process)
        expect(row(log, 300)).to_be_in_viewport()
        api.output(process, numbered(301, 400))
        expect(row(log, 400)).to_be_in_viewport()

        scroller(log).hover()
        page.mouse.wheel(0, -100)
        expect(button(log, "To the end")).to_be_visible()
        expect(button(log, "Follow")).to_have_attribute("aria-pressed", "false")
        top = scroller(log).evaluate("element => element.scrollTop")
        api.output(process, numbered(401, 402))
        expect(button(log, "2 new lines")).to_be_visible()
        assert scroller(log).evaluate("element => element.scrollTop") == top

        button(log, "2 new lines").click()
        expect(row(log, 402)).to_be_in_viewport()
        api.output(process, numbered(403, 403))
        expect(row(log, 403)).to_be_in_viewport()

    def test_it_comes_back_when_one_scrolls_to_the_end(
        self, page: Page, api: Api, process: str, opened: Callable[..., Locator]
    ) -> None:
        api.output(process, numbered(1, 300))
        log = opened(process)
        expect(row(log, 300)).to_be_in_viewport()
        scroller(log).focus()
        page.keyboard.press("Home")
        expect(row(log, 1)).to_be_in_viewport()
        expect(button(log, "Follow")).to_have_attribute("aria-pressed", "false")
        page.keyboard.press("End")
        expect(button(log, "Follow")).to_have_attribute("aria-pressed", "true")
        page.keyboard.press("g")
        expect(row(log, 1)).to_be_in_viewport()
        page.keyboard.press("G")
        expect(row(log, 300)).to_be_in_viewport()

    def test_selecting_text_lets_go_too(
        self, page: Page, api: Api, process: str, opened: Callable[..., Locator]
    ) -> None:
        api.output(process, numbered(1, 100))
        log = opened(process)
        row(log, 100).locator(".log-text").dblclick()
        expect(button(log, "Follow")).to_have_attribute("aria-pressed", "false")


class TestSearch:
    def test_it_counts_marks_and_goes_around(
        self, page: Page, api: Api, process: str, opened: Callable[..., Locator]
    ) -> None:
        lines = [f"line {number}" for number in range(1, 1001)]
        for number in (10, 500, 990):
            lines[number - 1] = f"needle {number} NEEDLE"
        api.output(process, "\n".join(lines))
        log = opened(process)
        expect(row(log, 1000)).to_be_in_viewport()
        scroller(log).focus()
        page.keyboard.press("/")
        field = log.get_by_role("searchbox", name="Find in the output")
        expect(field).to_be_focused()
        field.fill("Needle")
        counted = log.locator(".log-count")
        expect(counted).to_have_text("5/6")
        current = log.locator("mark.current")
        expect(current).to_have_text("needle")
        expect(row(log, 990).locator("mark")).to_have_text(["needle", "NEEDLE"])
        for place in ("6/6", "1/6", "2/6", "3/6"):
            field.press("Enter")
            expect(counted).to_have_text(place)
        expect(row(log, 500)).to_be_in_viewport()
        field.press("Shift+Enter")
        expect(counted).to_have_text("2/6")
        expect(row(log, 10)).to_be_in_viewport()
        expect(current).to_have_text("NEEDLE")

        scroller(log).focus()
        page.keyboard.press("n")
        expect(counted).to_have_text("3/6")
        page.keyboard.press("N")
        expect(counted).to_have_text("2/6")
        api.output(process, "\nand a needle more")
        expect(counted).to_have_text("2/7")

        field.press("Escape")
        expect(log.locator("mark")).to_have_count(0)
        expect(field).to_have_value("")
        expect(scroller(log)).to_be_focused()

    def test_what_is_not_there_is_said(
        self, page: Page, api: Api, process: str, opened: Callable[..., Locator]
    ) -> None:
        api.output(process, "hay\n")
        log = opened(process)
        scroller(log).focus()
        page.keyboard.press("Control+f")
        page.keyboard.type(".*")
        expect(log.locator(".log-count")).to_have_text("none")
        api.output(process, "really .* now\n")
        expect(log.locator(".log-count")).to_have_text("0/1")


class TestLongLines:
    def test_they_are_wrapped_or_scrolled_to(
        self, page: Page, api: Api, process: str, opened: Callable[..., Locator]
    ) -> None:
        line = "".join(f"{number:05} " for number in range(200))
        api.output(process, f"{line}\nnext\n")
        log = opened(process, wrap=True)
        expect(row(log, 2)).to_be_visible()
        assert "".join(shown(log)) == f"{line}next"
        assert len(shown(log)) > 5
        width = "element => element.scrollWidth - element.clientWidth"
        assert scroller(log).evaluate(width) == 0

        page.keyboard.press("w")
        expect(rows(log)).to_have_count(2)
        assert shown(log) == [line, "next"]
        wait_until(lambda: scroller(log).evaluate(width) > 0)

    @pytest.mark.parametrize("wrap", [False, True])
    def test_one_of_a_million_characters_is_put_into_the_page_in_part(
        self, page: Page, api: Api, process: str, opened: Callable[..., Locator], wrap: bool
    ) -> None:
        api.output(process, "0123456789" * 100_000 + " the end\nnext\n")
        log = opened(process, wrap=wrap)
        expect(row(log, 2)).to_be_in_viewport()
        field = log.get_by_role("searchbox")
        field.fill("the end")
        expect(log.locator("mark.current")).to_be_in_viewport()
        assert sum(map(len, shown(log))) < 40_000


class TestLinks:
    def test_a_number_links_to_its_line(
        self, page: Page, api: Api, process: str, opened: Callable[..., Locator]
    ) -> None:
        api.output(process, numbered(1, 1000))
        log = opened(process)
        log.get_by_role("link", name="Line 990", exact=True).click()
        expect(page).to_have_url(re.compile("#L990$"))
        expect(row(log, 990)).to_have_class(re.compile("selected"))
        log.get_by_role("link", name="Line 995", exact=True).click(modifiers=["Shift"])
        expect(page).to_have_url(re.compile("#L990-L995$"))
        expect(log.locator(".selected")).to_have_count(6)

    def test_a_link_shows_the_line_and_does_not_follow(
        self, api: Api, process: str, opened: Callable[..., Locator]
    ) -> None:
        api.output(process, numbered(1, 1000))
        log = opened(process, "#L500")
        expect(row(log, 500)).to_be_in_viewport()
        expect(log).to_contain_text("1,000 lines")
        expect(row(log, 500)).to_have_class(re.compile("selected"))
        expect(button(log, "Follow")).to_have_attribute("aria-pressed", "false")
        expect(button(log, "To the end")).to_be_visible()
        api.output(process, "news\n")
        expect(button(log, "1 new line")).to_be_visible()

    def test_a_line_that_is_still_to_come_is_waited_for(
        self, page: Page, api: Api, process: str, opened: Callable[..., Locator]
    ) -> None:
        api.output(process, numbered(1, 100))
        log = opened(process, "#L200")
        expect(log).to_contain_text("100 lines")
        api.output(process, numbered(101, 300))
        expect(row(log, 200)).to_be_in_viewport()
        page.goto(f"/process/{process}#L50")
        expect(row(log, 50)).to_be_in_viewport()

    def test_an_address_is_a_link_out_of_the_page(
        self, api: Api, process: str, opened: Callable[..., Locator]
    ) -> None:
        api.output(
            process, "see \x1b[4mhttps://example.org/\x1b[1ma\x1b[0m?b=1 (http://x.test/é).\n"
        )
        api.output(process, "javascript://alert(1) file:///etc/passwd https://\n")
        log = opened(process)
        expect(row(log, 2)).to_be_visible()
        links = log.locator(".log-link")
        expect(links).to_have_text(["https://example.org/", "a", "?b=1", "http://x.test/é"])
        for link in links.all()[:3]:
            assert link.get_attribute("href") == "https://example.org/a?b=1"
            assert link.get_attribute("rel") == "noopener noreferrer"
        assert links.last.get_attribute("href") == "http://x.test/é"


class TestTaking:
    def test_the_whole_output_can_be_downloaded(
        self, page: Page, api: Api, process: str, opened: Callable[..., Locator]
    ) -> None:
        text = f"\x1b[31mé\x1b[0m\r\n{numbered(1, 3000)}"
        api.output(process, text)
        log = opened(process)
        with page.expect_download() as download:
            log.get_by_role("link", name="Download the output").click()
        assert download.value.suggested_filename == f"{process}.log"
        assert download.value.path().read_bytes() == text.encode()

    def test_a_selection_is_copied_whole_also_where_it_has_left_the_page(
        self, page: Page, api: Api, process: str, opened: Callable[..., Locator]
    ) -> None:
        api.output(process, numbered(1, 2000))
        log = opened(process, "#L500")
        expect(row(log, 500)).to_be_in_viewport()
        select(page, "setBaseAndExtent", row(log, 500), 2)
        for line in (900, 1400, 1990):
            scroll_to(log, line)
            expect(row(log, line)).to_be_in_viewport()
        select(page, "extend", row(log, 1990), 4)
        page.keyboard.press("Control+c")
        expected = f"ne 500\n{numbered(501, 1989)}line"
        wait_until(lambda: page.evaluate("navigator.clipboard.readText()") == expected)

    def test_it_can_fill_the_window(
        self, page: Page, api: Api, process: str, opened: Callable[..., Locator]
    ) -> None:
        api.output(process, numbered(1, 100))
        log = opened(process)
        scroller(log).focus()
        page.keyboard.press("f")
        expect(log).to_have_css("position", "fixed")
        expect(row(log, 100)).to_be_in_viewport()
        page.keyboard.press("Escape")
        expect(log).not_to_have_css("position", "fixed")


def scroll_to(log: Locator, line: int) -> None:
    """Move the scroll bar, as by dragging it, so that a line comes into sight."""
    scroller(log).evaluate("(element, top) => { element.scrollTop = top; }", 20 * (line - 10))


def select(page: Page, how: str, target: Locator, index: int) -> None:
    """Move an end of the selection to an index in a row's text."""
    arguments = "text, index, text, index + 1" if how == "setBaseAndExtent" else "text, index"
    target.locator(".log-text").evaluate(
        f"(row, index) => {{ const text = row.firstChild; getSelection().{how}({arguments}); }}",
        index,
    )


class TestMuch:
    COUNT = 200_000
    LIVE = 20_000
    RATE = 2000
    READ = """async count => {
        const log = document.querySelector(".log-scroll");
        const frame = () => new Promise(requestAnimationFrame);
        const lines = new Map();
        let most = 0;
        for (let top = 0; lines.size < count; top += 400) {
            log.scrollTop = top;
            await frame();
            await frame();
            const rows = log.querySelectorAll(".log-rows .log-row");
            most = Math.max(most, rows.length);
            for (const row of rows)
                lines.set(row.firstChild.textContent, row.lastChild.textContent);
        }
        return {most, lines: [...lines]};
    }"""

    def test_the_page_has_what_the_store_has_and_only_a_few_rows_at_a_time(
        self, page: Page, api: Api, process: str, opened: Callable[..., Locator]
    ) -> None:
        api.output(process, "".join(f"{n} \x1b[3{n % 8}mé日 {n * n}\x1b[0m\n" for n in range(2000)))
        log = opened(process)
        expect(log).to_contain_text("2,000 lines")
        read = page.evaluate(self.READ, 2000)
        stored = requests.get(f"{api.url}/api/processes/{process}/output", timeout=20).text
        plain = ANSI.sub("", stored).splitlines()
        assert read["lines"] == [[str(n + 1), line] for n, line in enumerate(plain)]
        assert read["most"] < 120

    def test_a_fifth_of_a_million_lines_stay_smooth_and_small(
        self, page: Page, api: Api, process: str, opened: Callable[..., Locator]
    ) -> None:
        write(api, process, self.COUNT)
        with traced(page) as tasks:
            log = opened(process)
            expect(log).to_contain_text("200,000 lines", timeout=60_000)
            expect(row(log, self.COUNT)).to_be_in_viewport()
            for line in (10, 50_000, self.COUNT - 10, 100_000):
                scroll_to(log, line)
                expect(row(log, line)).to_be_in_viewport()
            log.get_by_role("searchbox").fill("number 199999")
            expect(log.locator(".log-count")).to_have_text("1/1")
        assert max(tasks) < 200
        assert rows(log).count() < 120
        session = page.context.new_cdp_session(page)
        session.send("HeapProfiler.collectGarbage")
        usage: dict[str, Any] = session.send("Runtime.getHeapUsage")
        assert usage["usedSize"] + usage["backingStorageSize"] < 150e6

    def test_it_stays_smooth_and_whole_while_lines_come_fast(
        self,
        page: Page,
        api: Api,
        process: str,
        opened: Callable[..., Locator],
        record_property: Callable[[str, object], None],
    ) -> None:
        """What `benchmarks/dashboard_log.py` measures, a tenth as long."""
        log = opened(process)
        began = time.monotonic()
        with traced(page) as tasks, writing(api, process, self.LIVE, self.RATE):
            expect(log.locator(".log-total")).to_have_text(f"{self.LIVE:,} lines", timeout=120_000)
            rate = self.LIVE / (time.monotonic() - began)
            expect(row(log, self.LIVE)).to_be_in_viewport()
        session = page.context.new_cdp_session(page)
        session.send("HeapProfiler.collectGarbage")
        usage: dict[str, Any] = session.send("Runtime.getHeapUsage")
        held = usage["usedSize"] + usage["backingStorageSize"]
        told = {"lines a second": rate, "longest task ms": max(tasks), "heap MB": held / 1e6}
        for name, number in told.items():
            record_property(name, round(number, 1))
        print({name: round(number, 1) for name, number in told.items()})
        assert max(tasks) < 200
        assert held < 150e6
        assert rows(log).count() < 120
        stored = requests.get(f"{api.url}/api/processes/{process}/output", timeout=20).text
        plain = ANSI.sub("", stored)
        assert plain.splitlines() == [LINE.format(number) for number in range(self.LIVE)]
        assert copied(page, log, self.LIVE) == plain.rstrip("\n")

    def test_more_lines_than_a_browser_can_make_an_element_high(
        self, page: Page, api: Api, process: str, opened: Callable[..., Locator]
    ) -> None:
        write(api, process, 600_000, "{0}\n")
        log = opened(process, "#L300000")
        expect(row(log, 300_000)).to_be_in_viewport(timeout=60_000)
        assert scroller(log).evaluate("element => element.scrollHeight") < 10_000_000
        scroller(log).hover()
        for line, key, wheel in ((300_000, "", 60), (600_000, "End", -60), (1, "Home", 60)):
            if key:
                scroller(log).press(key)
            expect(row(log, line)).to_be_in_viewport()
            expected = top_of(row(log, line)) - wheel
            page.mouse.wheel(0, wheel)
            wait_until(partial(is_at, row(log, line), expected))

    def test_what_is_seen_stays_when_the_oldest_lines_are_dropped(
        self, page: Page, process: str, opened: Callable[..., Locator]
    ) -> None:
        opened(process)
        assert page.evaluate(DROPPING) == [True, True, True]


DROPPING = """async () => {
    const base = new URL("log/", document.querySelector("script[type=module]").src);
    const load = name => import(new URL(name, base));
    const [{Transcript}, {LogView}] = [await load("transcript.js"), await load("view.js")];
    const transcript = new Transcript(50_000);
    const view = new LogView(transcript, {}, {times: () => "", onDraw() {}, pinned: () => []});
    view.element.style.height = "300px";
    document.querySelector(".log").append(view.element);
    let count = 0;
    const write = lines => {
        for (let end = count + lines; count < end; count += 1) transcript.write(`line ${count}\n`);
        view.draw();
        return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
    };
    const seen = () => {
        const {left, top} = view.element.getBoundingClientRect();
        return document.elementFromPoint(left + 90, top + 10).closest(".log-row").textContent;
    };
    view.open();
    view.follow(false);
    await write(3000);
    view.goTo(2500);
    await write(0);
    const before = seen();
    await write(2500);
    const stays = seen() === before && transcript.first > 0;
    await write(20_000);
    const first = seen().endsWith(`line ${transcript.first}`);
    view.follow(true);
    await write(1);
    return [stays, first, view.isAtEnd];
}"""


def copied(page: Page, log: Locator, lines: int) -> str:
    """All of the text that the page has, by selecting and copying it."""
    page.evaluate("navigator.clipboard.writeText('')")
    scroll_to(log, 1)
    expect(row(log, 1)).to_be_in_viewport()
    select(page, "setBaseAndExtent", row(log, 1), 0)
    scroll_to(log, lines)
    expect(row(log, lines)).to_be_in_viewport()
    select(page, "extend", row(log, lines), 1)
    page.keyboard.press("Control+c")
    return str(wait_until(lambda: page.evaluate("navigator.clipboard.readText()")))


@contextmanager
def writing(api: Api, process: str, lines: int, rate: int) -> Iterator[None]:
    """A writer of its own: each line is a chunk, at most so many a second."""
    failures: list[Exception] = []

    def write_all() -> None:
        try:
            with requests.Session() as session:
                write_steadily(session, f"{api.url}/api/processes/{process}/output", lines, rate)
        except Exception as error:  # noqa: BLE001 - told below
            failures.append(error)

    writer = threading.Thread(target=write_all, daemon=True)
    writer.start()
    yield
    writer.join()
    assert failures == []


def write_steadily(session: requests.Session, url: str, lines: int, rate: int) -> None:
    began, done = time.monotonic(), 0
    while done < lines:
        due = min(lines, int((time.monotonic() - began) * rate) + 1)
        chunks = [
            {"content": f"\x1b[32m{LINE.format(number)}\x1b[0m\n"} for number in range(done, due)
        ]
        if chunks:
            session.post(url, json={"chunks": chunks}, timeout=60).raise_for_status()
        done = due
        time.sleep(0.01)


def is_at(row: Locator, top: float) -> bool:
    return top_of(row) == top


def top_of(row: Locator) -> float:
    box = row.bounding_box()
    assert box is not None
    return box["y"]


def write(
    api: Api, process: str, lines: int, line: str = "\x1b[32mINFO\x1b[0m worker number {0}\n"
) -> None:
    text = "".join(line.format(number) for number in range(lines))
    url = f"{api.url}/api/processes/{process}/output"
    answer = requests.post(url, data=text, headers={"Content-Type": "text/plain"}, timeout=60)
    assert answer.ok, answer.text
