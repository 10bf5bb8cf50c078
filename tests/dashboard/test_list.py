"""The list: every process under its status, narrowed as one likes, worked by mouse and keyboard."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from pipeline_host.testing.server import LiveServer
from pipeline_host.testing.waiting import wait_until

from .conftest import Api, ago, fail_once, recorded_toasts

FILTERED = re.compile(r"\?")
TYPE = """(field, text) => {
    for (const letter of text) {
        field.value += letter;
        field.dispatchEvent(new InputEvent("input", {bubbles: true, data: letter}));
    }
}"""
"""One letter after the other, with no pause that a busy machine could make longer."""


def row(page: Page, process_id: str) -> Locator:
    return page.locator(f".row[data-id='{process_id}']")


def group(page: Page, status: str) -> Locator:
    return page.locator(f".group[data-status='{status}']")


def shown(page: Page) -> list[str]:
    """The ids of the rows, from the top to the bottom."""
    found: list[str] = page.locator(".row").evaluate_all("rows => rows.map(row => row.dataset.id)")
    return found


def focused(page: Page) -> str | None:
    found: str | None = page.evaluate("document.activeElement.closest('.row')?.dataset.id ?? null")
    return found


def expect_shown(page: Page, *ids: str) -> None:
    """Wait until these are the rows, from the top to the bottom."""
    wait_until(lambda: shown(page) == list(ids), message=lambda: f"{shown(page)}")


def expect_focus(page: Page, process_id: str) -> None:
    """Wait until the focus is in a row."""
    wait_until(lambda: focused(page) == process_id, message=lambda: f"{focused(page)}")


@pytest.fixture(scope="module")
def filled(server: LiveServer, api: Api) -> LiveServer:
    """Two workspaces, each status, a review with parts."""
    api.workspace("red", name="The red one", color="rgb(200, 10, 20)")
    api.workspace("blue", name="The blue one", color="rgb(10, 20, 200)")
    api.create("run-old", startTime=ago(500), workspaceId="red", type="discovery")
    api.create("run-new", startTime=ago(65), workspaceId="blue")
    api.create("wait", status="queued", startTime=ago(30), workspaceId="red")
    start, end = ago(400), ago(246)
    api.create("done", startTime=start, promptPreview="A plain one", fullPrompt="needle inside")
    api.patch("done", status="completed", endTime=end)
    api.create("bad", startTime=ago(300))
    api.patch("bad", status="failed", error="no such file", exitCode=2)
    api.create("off", startTime=ago(200))
    api.cancel("off")
    api.create("review", startTime=ago(450), type="code-review-group", workspaceId="red")
    for number, status in enumerate(("completed", "failed", "running"), 1):
        part = api.create(
            f"part-{number}",
            startTime=ago(450 - number),
            parentProcessId="review",
            workspaceId="red",
        )
        if status != "running":
            api.patch(part, status=status)
    return server


@pytest.fixture
def listed(filled: LiveServer, page: Page) -> Page:
    page.goto("/")
    expect(row(page, "run-new")).to_be_visible()
    return page


def test_groups_come_in_order_and_the_newest_first_in_each(listed: Page) -> None:
    expect(listed.locator(".group:visible h2 .status")).to_have_text(
        ["Running", "Queued", "Completed", "Failed", "Cancelled"]
    )
    expect_shown(listed, "run-new", "review", "run-old", "wait", "done", "bad", "off")


def test_counts_are_of_all_processes_also_those_under_others(listed: Page) -> None:
    expect(listed.locator(".chip-count")).to_have_text(["4", "1", "2", "2", "1"])
    expect(group(listed, "running").locator(".group-count")).to_have_text("4")


def test_a_row_says_how_long_it_takes_and_why_it_failed(listed: Page) -> None:
    expect(row(listed, "done").locator(".row-duration")).to_have_text("2m 34s")
    expect(row(listed, "bad").locator(".row-note")).to_have_text("no such file")
    expect(row(listed, "wait").locator(".row-duration")).to_have_text(
        re.compile(r"^waits (\d+m )?\d+s$")
    )


def test_the_time_of_what_runs_goes_on(listed: Page) -> None:
    clock = row(listed, "run-new").locator(".row-duration")
    before = clock.inner_text()
    expect(clock).not_to_have_text(before)


def test_the_parts_of_a_row_are_counted_and_shown_on_demand(listed: Page) -> None:
    review = row(listed, "review")
    expect(review.locator(".parts-count")).to_have_text("2/3")
    expect(row(listed, "part-1")).to_have_count(0)
    toggle = review.get_by_role("button", name="Parts of review")
    toggle.click()
    expect(row(listed, "part-3")).to_be_visible()
    expect(toggle).to_have_attribute("aria-expanded", "true")
    first = ["run-new", "review", "part-1", "part-2", "part-3", "run-old"]
    wait_until(lambda: shown(listed)[:6] == first)
    toggle.click()
    expect(row(listed, "part-3")).to_have_count(0)


def test_a_workspace_is_picked_by_its_colour_and_name(listed: Page) -> None:
    listed.get_by_role("button", name="Workspace: All workspaces").click()
    option = listed.get_by_role("option", name="The red one")
    colour = option.locator(".dot").evaluate("dot => getComputedStyle(dot).backgroundColor")
    assert colour == "rgb(200, 10, 20)"
    option.click()
    expect(listed).to_have_url(re.compile(r"\?workspace=red$"))
    expect(row(listed, "run-new")).to_have_count(0)
    expect_shown(listed, "review", "run-old", "wait")
    expect(listed.get_by_role("button", name="Workspace: The red one")).to_be_visible()


def test_a_workspace_is_picked_with_the_keyboard(listed: Page) -> None:
    button = listed.get_by_role("button", name="Workspace: All workspaces")
    button.focus()
    listed.keyboard.press("ArrowDown")
    listed.keyboard.press("End")
    listed.keyboard.press("Escape")
    expect(button).to_be_focused()
    listed.keyboard.press("Enter")
    listed.keyboard.type("t")
    listed.keyboard.press("Enter")
    expect(listed).to_have_url(re.compile(r"\?workspace=(red|blue)$"))


def test_statuses_narrow_the_list_and_show_every_match_for_itself(listed: Page) -> None:
    listed.get_by_role("button", name="Failed").first.click()
    expect(row(listed, "done")).to_have_count(0)
    expect(row(listed, "part-2")).to_be_visible()
    expect_shown(listed, "bad", "part-2")
    listed.locator(".chip", has_text="Queued").click()
    expect(row(listed, "wait")).to_be_visible()
    expect(listed).to_have_url(re.compile(r"\?status=queued%2Cfailed$"))


def test_a_type_narrows_the_list(listed: Page) -> None:
    listed.get_by_role("combobox", name="Type").select_option("discovery")
    expect(row(listed, "run-new")).to_have_count(0)
    expect_shown(listed, "run-old")


def test_a_text_is_found_in_prompts_once_one_stops_typing(listed: Page) -> None:
    asked: list[str] = []
    listed.on("request", lambda request: asked.append(request.url) if "q=" in request.url else None)
    listed.get_by_role("searchbox").evaluate(TYPE, "needle")
    expect(row(listed, "run-new")).to_have_count(0)
    expect_shown(listed, "done")
    assert {url.partition("q=")[2].partition("&")[0] for url in asked} == {"needle"}


def test_what_is_narrowed_is_in_the_address_and_survives_a_reload(listed: Page) -> None:
    listed.goto("/?workspace=red&status=running,completed&type=clarification&q=part")
    expect(row(listed, "part-3")).to_be_visible()
    expect_shown(listed, "part-3", "part-1")
    address = listed.url
    listed.reload()
    expect(row(listed, "part-1")).to_be_visible()
    assert listed.url == address
    expect(listed.get_by_role("searchbox")).to_have_value("part")
    expect(listed.locator(".chip[aria-pressed=true]")).to_contain_text(["Running", "Completed"])
    expect(listed.locator(".chip[aria-pressed=true]")).to_have_count(2)


def test_where_nothing_matches_one_click_shows_all_again(listed: Page) -> None:
    listed.goto("/?q=no+such+text")
    expect(listed.get_by_role("heading", name="No process matches")).to_be_visible()
    expect(group(listed, "running")).to_be_hidden()
    listed.get_by_role("button", name="Show all processes").click()
    expect(row(listed, "run-new")).to_be_visible()
    expect(listed).not_to_have_url(FILTERED)


def test_the_keys_move_open_search_and_show_parts(listed: Page) -> None:
    listed.keyboard.press("j")
    expect_focus(listed, "run-new")
    listed.keyboard.press("j")
    listed.keyboard.press("ArrowRight")
    expect(row(listed, "part-1")).to_be_visible()
    listed.keyboard.press("j")
    expect_focus(listed, "part-1")
    listed.keyboard.press("k")
    listed.keyboard.press("ArrowLeft")
    expect(row(listed, "part-1")).to_have_count(0)
    expect_focus(listed, "review")
    listed.keyboard.press("/")
    expect(listed.get_by_role("searchbox")).to_be_focused()
    listed.keyboard.type("jk?c")
    expect(listed.get_by_role("searchbox")).to_have_value("jk?c")
    expect(row(listed, "run-new")).to_have_count(0)
    listed.keyboard.press("Escape")
    expect(row(listed, "run-new")).to_be_visible()
    listed.keyboard.press("Escape")
    listed.keyboard.press("k")
    expect_focus(listed, "run-new")
    listed.keyboard.press("j")
    listed.keyboard.press("Enter")
    expect(listed).to_have_url(re.compile("/process/review$"))


def test_whoever_comes_back_finds_the_list_as_it_was_left(listed: Page) -> None:
    row(listed, "review").get_by_role("button", name="Parts of review").click()
    expect(row(listed, "part-2")).to_be_visible()
    row(listed, "part-2").get_by_role("link").click()
    expect(listed).to_have_url(re.compile("/process/part-2$"))
    listed.go_back()
    expect(row(listed, "part-2")).to_be_visible()
    expect(row(listed, "part-2").get_by_role("link")).to_be_focused()


def test_a_process_is_cancelled_after_a_question(listed: Page, api: Api) -> None:
    api.create("stop-me", startTime=ago(1))
    expect(row(listed, "stop-me")).to_be_visible()
    listed.keyboard.press("j")
    expect_focus(listed, "stop-me")
    listed.keyboard.press("c")
    listed.get_by_role("button", name="Go back").click()
    assert api.get("stop-me")["status"] == "running"
    expect_focus(listed, "stop-me")
    listed.keyboard.press("c")
    listed.get_by_role("button", name="Cancel it").click()
    expect(group(listed, "cancelled").locator("[data-id='stop-me']")).to_be_visible()
    assert api.get("stop-me")["cancellation"]["requestedTime"]
    api.delete("stop-me")


@pytest.fixture
def parted(api: Api) -> Iterator[str]:
    """A process that more belong to than are read at once; those that run come last."""
    whole = api.create("whole", startTime=ago(700))
    for number in range(230):
        part = api.create(f"bit-{number:03}", parentProcessId=whole, startTime=ago(600 - number))
        if number < 225:
            api.patch(part, status="completed")
    yield whole
    for number in range(230):
        api.delete(f"bit-{number:03}")
    api.delete(whole)


def test_all_that_belongs_to_a_row_comes_as_one_scrolls(listed: Page, parted: str) -> None:
    row(listed, parted).get_by_role("button", name="Parts of whole").click()
    expect(row(listed, "bit-000")).to_be_visible()
    last = group(listed, "running").locator(".row").last
    seen = set(shown(listed))

    def is_reached() -> bool:
        last.scroll_into_view_if_needed()
        seen.update(shown(listed))
        return "bit-229" in seen

    wait_until(is_reached)
    assert {f"bit-{number:03}" for number in range(230)} <= seen


def test_one_whose_parent_is_gone_stands_for_itself(listed: Page, api: Api) -> None:
    api.create("orphan", parentProcessId="gone", startTime=ago(10))
    listed.reload()
    expect(row(listed, "orphan")).to_be_visible()
    api.delete("orphan")


def test_what_belonged_to_a_deleted_row_stands_for_itself(listed: Page, api: Api) -> None:
    parent = api.create("parent", startTime=ago(10))
    api.create("child", parentProcessId=parent, startTime=ago(9))
    listed.reload()
    expect(row(listed, parent).locator(".parts-count")).to_have_text("0/1")
    api.delete(parent)
    expect(row(listed, "child")).to_be_visible()
    api.delete("child")


@pytest.mark.parametrize("status", [None, 503])
@pytest.mark.parametrize("url", ["counts?*", "counts", "processes?*"])
def test_a_read_that_failed_once_is_made_good(
    listed: Page, api: Api, url: str, status: int | None
) -> None:
    asked = fail_once(listed, f"**/api/dashboard/{url}", status)
    api.create("late", startTime=ago(1))
    try:
        expect(listed.locator(".chip-count").first).to_have_text("5")
        listed.get_by_role("combobox", name="Type").select_option("discovery")
        expect_shown(listed, "run-old")
        expect(listed.locator(".chip-count").first).to_have_text("1")
        assert len(asked) > 1
    finally:
        api.delete("late")


def test_a_group_stays_folded(listed: Page) -> None:
    fold = group(listed, "completed").locator(".group-fold")
    fold.click()
    expect(row(listed, "done")).to_be_hidden()
    expect(fold).to_have_attribute("aria-expanded", "false")
    listed.reload()
    expect(row(listed, "bad")).to_be_visible()
    expect(row(listed, "done")).to_be_hidden()


def test_what_was_completed_can_be_cleared_after_a_question(
    live_server: Callable[..., LiveServer], page: Page
) -> None:
    with_two = live_server()
    api = Api(with_two.url)
    api.workspace("red")
    for number, workspace in enumerate(("red", "blue")):
        api.create(f"done-{number}", workspaceId=workspace)
        api.patch(f"done-{number}", status="completed")
    api.create("bad", workspaceId="red")
    api.patch("bad", status="failed")
    page.goto(f"{with_two.url}/?workspace=red")
    group(page, "completed").get_by_role("button", name="Clear completed").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("1 completed process of red and their output are deleted")
    wait_for_toast = recorded_toasts(page)
    dialog.get_by_role("button", name="Delete them").click()
    wait_for_toast("1 process was deleted")
    expect(row(page, "done-0")).to_have_count(0)
    expect(row(page, "bad")).to_be_visible()
    assert api.get("done-1")["status"] == "completed"
    api.close()


def test_an_empty_server_says_how_to_begin(
    live_server: Callable[..., LiveServer], page: Page
) -> None:
    empty = live_server()
    page.goto(empty.url)
    expect(page.get_by_role("heading", name="Nothing has run yet")).to_be_visible()
    line = f"pipeline-host run --server {empty.url} -- make test"
    expect(page.get_by_text(line)).to_be_visible()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=empty.url)
    wait_for_toast = recorded_toasts(page)
    page.get_by_role("button", name="Copy this command").first.click()
    wait_for_toast("Command copied")
    wait_until(lambda: page.evaluate("navigator.clipboard.readText()") == line)
    api = Api(empty.url)
    api.create("first")
    expect(row(page, "first")).to_be_visible()
    expect(page.get_by_role("heading", name="Nothing has run yet")).to_have_count(0)
    api.close()
