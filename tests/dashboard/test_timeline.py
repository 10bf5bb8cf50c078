"""The timeline: what ran when, what waited, and how to move through it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count

import pytest
import requests
from playwright.sync_api import Locator, Page, expect

from pipeline_host.models import Process, Timestamp
from pipeline_host.testing.server import LiveServer
from pipeline_host.testing.waiting import wait_until
from pipeline_host_filestore.options import FileStoreOptions
from pipeline_host_filestore.store import FileProcessStore

from .conftest import Api, ago, recorded_toasts, soon
from .tracing import traced

_numbers = count(1)
Opener = Callable[..., Locator]


@pytest.fixture
def workspace() -> str:
    """A workspace of the test's own, so that it sees no other test's processes."""
    return f"w{next(_numbers)}"


@pytest.fixture
def create(api: Api, workspace: str) -> Callable[..., str]:
    """Creates a process in the test's workspace."""

    def make(name: str, **fields: object) -> str:
        process_id = f"{workspace}-{name}"
        parent = fields.pop("parent", None)
        if parent:
            fields["parentProcessId"] = f"{workspace}-{parent}"
        return api.create(process_id, promptPreview=name, workspaceId=workspace, **fields)

    return make


@pytest.fixture
def opened(page: Page, workspace: str) -> Opener:
    """Opens the timeline of the test's workspace."""

    def open_page(query: str = "&range=all") -> Locator:
        page.goto(f"/timeline?workspace={workspace}{query}")
        timeline = page.locator(".timeline")
        expect(timeline).to_be_visible()
        return timeline

    return open_page


def rows(page: Page) -> Locator:
    return page.get_by_role("list", name="Processes over time").get_by_role("listitem")


def names(page: Page) -> list[str]:
    """What the rows are called, from top to bottom."""
    script = """list => [...list].sort((a, b) => a.getBoundingClientRect().top
        - b.getBoundingClientRect().top).map(row => row.querySelector('.tl-name').textContent)"""
    found: list[str] = rows(page).evaluate_all(script)
    return found


def expect_names(page: Page, *expected: str) -> None:
    """Wait until these are the rows, from top to bottom."""
    wait_until(lambda: names(page) == list(expected), message=lambda: f"{names(page)}")


def row(page: Page, name: str) -> Locator:
    return rows(page).filter(has=page.get_by_text(name, exact=True))


def box(bar: Locator) -> tuple[float, float]:
    """From where to where a bar goes, in pixels."""
    expect(bar).to_be_visible()
    found = bar.bounding_box()
    assert found is not None
    return found["x"], found["x"] + found["width"]


def boxes(page: Page, *bars: tuple[str, str]) -> list[tuple[float, float]]:
    """From where to where bars go at one moment, by row and selector: they move with the clock."""
    for name, bar in bars:
        expect(row(page, name).locator(bar)).to_be_visible()
    script = """(rows, bars) => bars.map(([name, bar]) => {
        const is = row => row.querySelector('.tl-name').textContent === name;
        const {left, right} = rows.find(is).querySelector(bar).getBoundingClientRect();
        return [left, right];
    })"""
    found: list[tuple[float, float]] = rows(page).evaluate_all(script, list(bars))
    return found


def close(one: float, other: float, within: float = 3) -> bool:
    return abs(one - other) <= within


def test_bars_lie_where_their_time_is(
    page: Page, api: Api, create: Callable[..., str], opened: Opener
) -> None:
    times = [ago(seconds) for seconds in (1000, 750, 500, 0)]
    for name, start, end in zip(("first", "second", "third"), times, times[1:], strict=False):
        api.patch(create(name, startTime=start), status="completed", endTime=end)
    opened()
    expect(rows(page)).to_have_count(3)
    expect_names(page, "third", "second", "first")
    first, second, third = boxes(page, *((n, ".tl-ran") for n in ("first", "second", "third")))
    assert close(first[1], second[0])
    assert close(second[1], third[0])
    assert close(third[1] - third[0], 2 * (first[1] - first[0]))
    expect(row(page, "first").locator(".tl-caption")).to_have_text("4m 10s")


def test_what_waited_is_told_from_what_ran(
    page: Page, api: Api, create: Callable[..., str], opened: Opener
) -> None:
    waits = create("waits", status="queued", startTime=ago(600))
    ran = create("ran", status="queued", startTime=ago(600))
    api.patch(ran, status="running")
    never = create("never", status="queued", startTime=ago(600))
    api.cancel(never)
    opened()
    for name in ("waits", "ran", "never"):
        expect(row(page, name).locator(".tl-waited")).to_be_visible()
    expect(row(page, "waits").locator(".tl-ran")).to_be_hidden()
    expect(row(page, "never").locator(".tl-ran")).to_be_hidden()
    waited, after = boxes(page, ("ran", ".tl-waited"), ("ran", ".tl-ran"))
    assert close(waited[1], after[0])
    api.patch(waits, status="running")
    expect(row(page, "waits").locator(".tl-ran")).to_be_visible()
    expect(row(page, "waits").locator(".tl-waited")).to_be_visible()


def test_what_belongs_together_stands_together_and_can_be_hidden(
    page: Page, create: Callable[..., str], opened: Opener
) -> None:
    create("older", startTime=ago(900))
    create("group", startTime=ago(500))
    create("b", startTime=ago(300), parent="group")
    create("a", startTime=ago(400), parent="group")
    opened()
    expect(rows(page)).to_have_count(4)
    expect_names(page, "group", "a", "b", "older")
    row(page, "group").get_by_role("button", name="What belongs to it").click()
    expect(rows(page)).to_have_count(2)
    expect_names(page, "group", "older")
    row(page, "group").get_by_role("link").focus()
    page.keyboard.press("o")
    expect(rows(page)).to_have_count(4)


def test_what_happens_from_outside_appears(
    page: Page, api: Api, create: Callable[..., str], opened: Opener
) -> None:
    timeline = opened()
    expect(timeline).to_contain_text("Nothing has run here yet")
    one = create("one")
    expect(row(page, "one")).to_be_visible()
    api.patch(one, status="failed")
    expect(row(page, "one")).to_have_attribute("data-status", "failed")
    create("two", parent="one")
    expect(row(page, "two")).to_be_visible()
    api.create(f"elsewhere-{one}", workspaceId="another")
    api.delete(one)
    expect(row(page, "one")).to_have_count(0)
    expect_names(page, "two")


def test_it_appears_within_a_second(
    page: Page, api: Api, create: Callable[..., str], opened: Opener
) -> None:
    opened()
    ids: list[str] = []

    def newest() -> Locator:
        return row(page, str(len(ids)))

    def begin() -> None:
        ids.append(create(str(len(ids) + 1)))

    def end() -> None:
        begin()
        expect(newest()).to_be_visible()
        api.patch(ids[-1], status="failed")

    def delete() -> None:
        begin()
        expect(newest()).to_be_visible()
        api.delete(ids[-1])

    soon(begin, lambda: expect(newest()).to_be_visible())
    soon(end, lambda: expect(newest()).to_have_attribute("data-status", "failed"))
    soon(delete, lambda: expect(newest()).to_have_count(0))


def test_a_range_shows_what_was_there_then(
    page: Page, api: Api, create: Callable[..., str], opened: Opener, workspace: str
) -> None:
    api.patch(create("old", startTime=ago(9000)), status="completed", endTime=ago(8000))
    create("long", startTime=ago(9000))
    create("new", startTime=ago(60))
    opened("")
    expect(rows(page)).to_have_count(3)
    page.get_by_role("combobox", name="Time").select_option("Hour")
    expect(rows(page)).to_have_count(2)
    expect_names(page, "new", "long")
    expect(page).to_have_url(re.compile(re.escape(f"/timeline?workspace={workspace}&range=1h")))
    page.reload()
    expect(rows(page)).to_have_count(2)
    expect(page.get_by_role("combobox", name="Time")).to_have_value("1h")


def test_the_workspace_is_chosen(
    page: Page, api: Api, create: Callable[..., str], opened: Opener, workspace: str
) -> None:
    api.workspace(workspace, name=f"Shop {workspace}")
    create("mine")
    api.create(f"other-{workspace}", promptPreview="theirs", workspaceId="other")
    opened()
    expect(row(page, "mine")).to_be_visible()
    expect(row(page, "theirs")).to_have_count(0)
    picker = page.get_by_role("button", name="Workspace:")
    expect(picker).to_contain_text(f"Shop {workspace}")
    picker.click()
    page.get_by_role("option", name="All workspaces").click()
    expect(row(page, "theirs").first).to_be_visible()
    expect(page).not_to_have_url(re.compile("workspace"))
    picker.click()
    page.get_by_role("option", name=f"Shop {workspace}").click()
    expect(row(page, "theirs")).to_have_count(0)
    expect(row(page, "mine")).to_be_visible()


def test_it_zooms_and_pans_and_comes_back(
    page: Page, api: Api, create: Callable[..., str], opened: Opener
) -> None:
    api.patch(create("early", startTime=ago(1000)), status="completed", endTime=ago(900))
    create("late", startTime=ago(100))
    opened()
    early = row(page, "early").locator(".tl-ran")
    expect(early).to_be_visible()
    before = box(early)
    back = page.get_by_role("button", name="Back to the whole time")
    expect(back).to_be_disabled()
    page.keyboard.press("+")
    expect(back).to_be_enabled()
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    wait_until(lambda: box(early)[1] - box(early)[0] > 1.4 * (before[1] - before[0]))
    page.keyboard.press("0")
    expect(back).to_be_disabled()
    wait_until(lambda: close(box(early)[0], before[0], 10))
    page.get_by_role("button", name="Zoom in").click(click_count=3)
    edge = row(page, "early").locator(".tl-edge")
    expect(edge).to_be_visible()
    expect(early).to_be_hidden()
    edge.click()
    expect(early).to_be_visible()


def test_the_wheel_and_the_mouse_move_through_time(
    page: Page, api: Api, create: Callable[..., str], opened: Opener
) -> None:
    create("bar", startTime=ago(1000))
    api.patch(create("ended", startTime=ago(900)), status="completed", endTime=ago(500))
    opened()
    bar = row(page, "ended").locator(".tl-ran")
    expect(bar).to_be_visible()
    left, right = box(bar)
    page.mouse.move(left, 300)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    wait_until(lambda: box(bar)[1] - box(bar)[0] > 1.3 * (right - left))
    wait_until(lambda: close(box(bar)[0], left, 6))
    page.mouse.down()
    page.mouse.move(left + 60, 300, steps=4)
    page.mouse.up()
    wait_until(lambda: close(box(bar)[0], left + 60, 6))
    expect(page).to_have_url(re.compile("/timeline"))
    page.keyboard.down("Shift")
    page.mouse.wheel(0, 60)
    page.keyboard.up("Shift")
    wait_until(lambda: close(box(bar)[0], left, 6))


def test_the_keyboard_goes_from_row_to_row_and_opens_one(
    page: Page, create: Callable[..., str], opened: Opener
) -> None:
    for number in range(80):
        create(f"n{number:02}", startTime=ago(100 + number))
    opened()
    expect(row(page, "n00")).to_be_visible()
    page.keyboard.press("j")
    expect(row(page, "n00").get_by_role("link")).to_be_focused()
    for _ in range(60):
        page.keyboard.press("j")
    expect(row(page, "n60").get_by_role("link")).to_be_focused()
    expect(row(page, "n60")).to_be_in_viewport(ratio=1)
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("n59")
    page.go_back()
    expect(row(page, "n00")).to_be_visible()


def test_a_row_that_has_the_focus_keeps_it_wherever_one_scrolls_and_whatever_changes(
    page: Page, api: Api, create: Callable[..., str], opened: Opener
) -> None:
    for number in range(100):
        create(f"n{number:02}", startTime=ago(100 + number))
    opened()
    expect(row(page, "n00")).to_be_visible()
    page.keyboard.press("j")
    chart = page.locator(".tl-chart")
    chart.evaluate("chart => { chart.scrollTop = 2000; }")
    expect(row(page, "n70")).to_be_visible()
    focused = row(page, "n00").get_by_role("link")
    expect(focused).to_be_focused()
    api.patch(str(row(page, "n00").get_attribute("data-id")), status="completed")
    expect(row(page, "n00")).to_have_attribute("data-status", "completed")
    expect(focused).to_be_focused()


def test_the_same_is_there_as_a_table(
    page: Page, api: Api, create: Callable[..., str], opened: Opener
) -> None:
    create("group", startTime=ago(500))
    part = create("part", startTime=ago(365), parent="group", status="queued")
    opened()
    page.get_by_role("button", name="Table").click()
    table = page.get_by_role("table", name="2 processes")
    lines = table.get_by_role("row")
    expect(lines).to_have_count(3)
    expect(lines.nth(1)).to_contain_text("group")
    expect(lines.nth(1)).to_contain_text("running")
    expect(lines.nth(2).get_by_role("cell").nth(2)).to_contain_text("6m")
    api.patch(part, status="completed", endTime=ago(345))
    expect(lines.nth(2)).to_contain_text("completed")
    expect(page).to_have_url(re.compile("view=table"))
    page.keyboard.press("j")
    expect(lines.nth(1).get_by_role("link")).to_be_focused()
    page.keyboard.press("t")
    expect(rows(page)).to_have_count(2)


def test_a_server_that_cannot_be_reached_is_tried_again(
    page: Page, create: Callable[..., str], opened: Opener
) -> None:
    create("here")
    page.route("**/api/dashboard/timeline*", lambda route: route.abort())
    timeline = opened()
    expect(timeline).to_contain_text("The timeline can't be shown now")
    timeline.get_by_role("button", name="Try again").click()
    page.unroute("**/api/dashboard/timeline*")
    expect(row(page, "here")).to_be_visible()


def test_where_nothing_ran_it_says_how_to_begin(
    page: Page, create: Callable[..., str], opened: Opener, server: LiveServer
) -> None:
    timeline = opened()
    line = f"pipeline-host run --server {server.url} -- make test"
    expect(timeline.get_by_text(line)).to_be_visible()
    wait_for_toast = recorded_toasts(page)
    timeline.get_by_role("button", name="Copy this command").click()
    wait_for_toast("Command copied")
    assert page.evaluate("navigator.clipboard.readText()") == line
    create("first")
    expect(row(page, "first")).to_be_visible()
    expect(timeline.get_by_text(line)).to_have_count(0)


def test_the_answer_tells_processes_in_short_and_page_by_page(
    api: Api, create: Callable[..., str], workspace: str, server: LiveServer
) -> None:
    process_id = create("queued", status="queued", fullPrompt="long " * 1000, startTime=ago(50))
    api.patch(process_id, status="running")
    url = f"{server.url}/api/dashboard/timeline"
    answer = requests.get(url, params={"workspace": workspace}, timeout=20).json()
    assert "nextCursor" not in answer
    (span,) = answer["processes"]
    assert span["id"] == process_id
    assert "fullPrompt" not in span
    assert span["startTime"] < span["began"]
    wrong = requests.get(url, params={"cursor": "nonsense"}, timeout=20)
    assert wrong.status_code == 400
    assert wrong.json()["error"].startswith("cursor")


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with five thousand processes."""
    folder = tmp_path_factory.mktemp("busy") / "data"
    with closing(FileProcessStore(folder, FileStoreOptions(durability="os"))) as store:
        for number in range(5000):
            parent = f"n{number - number % 10}" if number % 10 else None
            store.add(
                Process(
                    id=f"n{number}",
                    type="pipeline-item",
                    prompt_preview=f"Step {number}",
                    full_prompt="",
                    status="running",
                    start_time=Timestamp(ago(6000 - number)),
                    parent_process_id=parent,
                )
            )
    with LiveServer(folder) as started:
        yield started


SCROLL_AND_ZOOM = """async () => {
    const chart = document.querySelector('.tl-chart');
    const frame = () => new Promise(requestAnimationFrame);
    for (let i = 0; i < 60; i += 1) { chart.scrollTop += 1500; await frame(); }
    for (let i = 0; i < 30; i += 1) {
        chart.dispatchEvent(new WheelEvent('wheel', {
            deltaY: -20, ctrlKey: true, clientX: 800, clientY: 400, cancelable: true,
        }));
        await frame();
    }
}"""


def test_five_thousand_are_as_smooth_as_five(busy: LiveServer, page: Page) -> None:
    with traced(page) as tasks:
        page.goto(f"{busy.url}/timeline?range=all")
        expect(page.locator(".tl-corner")).to_have_text("5,000 processes", timeout=60_000)
        assert 0 < rows(page).count() < 60
        page.evaluate(SCROLL_AND_ZOOM)
    assert max(tasks) < 200
    assert 0 < rows(page).count() < 60
    assert page.locator(".tl-chart").evaluate("chart => chart.scrollTop") > 50_000
