"""A process's page: all that is known of it, and what happens to it from outside, as it happens."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import count

import pytest
import requests
from playwright.sync_api import BrowserContext, Locator, Page, Request, Route, expect

from pipeline_host.testing.pytest_plugin import StartServer
from pipeline_host.testing.server import LiveServer
from pipeline_host.testing.waiting import wait_until

from .conftest import Api, ago, fail_once, later, recorded_toasts, soon

RENDERED_SOON = 3.0
"""In seconds: a process is read before its result is, and another program formats that."""
_numbers = count(1)


@pytest.fixture
def new_id() -> str:
    return f"process-{next(_numbers)}"


@pytest.fixture
def opened(page: Page) -> Callable[[str], Locator]:
    """Opens a process's page and waits until it is there; returns it."""

    def open_page(process_id: str) -> Locator:
        page.goto(f"/process/{process_id}")
        article = page.locator("article.process")
        expect(article).not_to_have_attribute("aria-busy", "true")
        return article

    return open_page


def panel(page: Page | Locator, name: str) -> Locator:
    return page.get_by_role("region", name=name, exact=True)


def state(page: Page) -> Locator:
    return page.locator(".process-state")


def answer_dialog(page: Page, action: str) -> None:
    page.get_by_role("dialog").get_by_role("button", name=action, exact=True).click()


def test_it_shows_what_is_known(
    page: Page, api: Api, new_id: str, opened: Callable[[str], Locator]
) -> None:
    start, end = ago(125), ago(5)
    api.create(
        new_id,
        promptPreview="Build the docs",
        fullPrompt="Build the docs.\nAll of them.",
        type="pipeline-item",
        backend="make",
        workingDirectory="/srv/docs",
        metadata={"workspaceId": "w", "workspaceName": "docs", "attempt": 3},
        startTime=start,
    )
    api.patch(new_id, status="failed", error="no rule\nto make", exitCode=2, endTime=end)
    article = opened(new_id)
    expect(article.get_by_role("heading", level=1)).to_have_text("Build the docs")
    expect(page).to_have_title("Build the docs · pipeline_host")
    for words in ("failed", "took 2m 0s", "exit code 2", "pipeline-item"):
        expect(state(page)).to_contain_text(words)
    expect(panel(page, "Error")).to_contain_text("no rule\nto make")
    facts = page.get_by_role("complementary", name="Facts")
    for words in ("/srv/docs", "make", "docs", new_id):
        expect(facts).to_contain_text(words)
    path = page.get_by_role("navigation", name="Where it belongs")
    expect(path.get_by_role("link", name="docs")).to_have_attribute("href", "/?workspace=w")


def test_the_prompt_is_folded(
    page: Page, api: Api, new_id: str, opened: Callable[[str], Locator]
) -> None:
    api.create(new_id, promptPreview="short", fullPrompt="the first line\n  the second")
    opened(new_id)
    words = page.get_by_text("the first line")
    expect(words).to_be_hidden()
    page.locator("summary", has_text="Prompt").click()
    expect(words).to_be_visible()
    assert words.text_content() == "the first line\n  the second"


def test_a_prompt_that_the_heading_tells_is_not_told_twice(
    page: Page, api: Api, new_id: str, opened: Callable[[str], Locator]
) -> None:
    api.create(new_id, promptPreview="make test", fullPrompt="make test")
    opened(new_id)
    expect(page.locator("summary", has_text="Prompt")).to_have_count(0)


def test_a_result_is_rendered_or_shown_as_it_was_written(
    page: Page, api: Api, new_id: str, opened: Callable[[str], Locator]
) -> None:
    markdown = "# Done\n\n- **all** of it\n\n```python\nimport os\n```\n"
    api.create(new_id)
    api.patch(new_id, status="completed", result=markdown)
    opened(new_id)
    result = panel(page, "Result")
    expect(result.locator(".prose h1")).to_have_text("Done")
    expect(result.locator(".prose li strong")).to_have_text("all")
    expect(result.locator(".prose .tok-kn")).to_have_text("import")
    result.get_by_role("button", name="Source").click()
    expect(result.locator(".prose")).to_have_count(0)
    assert result.locator("pre").text_content() == markdown
    result.get_by_role("button", name="Source").click()
    expect(result.locator(".prose h1")).to_have_text("Done")


def test_a_result_that_is_too_long_to_render_is_shown_as_it_is(
    page: Page, api: Api, new_id: str, opened: Callable[[str], Locator]
) -> None:
    api.create(new_id)
    api.patch(new_id, status="completed", result="**x** " * 100_000)
    opened(new_id)
    expect(panel(page, "Result")).to_contain_text("It is too long to be formatted")
    expect(panel(page, "Result").locator("pre")).to_contain_text("**x** **x**")


def test_a_tall_result_is_cut_until_all_of_it_is_wanted(
    page: Page, api: Api, new_id: str, opened: Callable[[str], Locator]
) -> None:
    api.create(new_id)
    api.patch(new_id, status="completed", result="\n\n".join(f"line {n}" for n in range(100)))
    opened(new_id)
    body = page.locator(".result-body")
    button = page.get_by_role("button", name="Show all of the result")
    expect(button).to_be_visible()
    height = "element => element.getBoundingClientRect().height"
    assert body.evaluate(height) < 700
    button.click()
    wait_until(lambda: body.evaluate(height) > 2000)


def test_a_structured_result_is_a_tree_that_keeps_every_digit(
    page: Page, api: Api, new_id: str, opened: Callable[[str], Locator]
) -> None:
    value = {
        "verdict": "mend",
        "deep": {"er": {"est": [1, 2.5, True, None]}},
        "many": list(range(250)),
    }
    written = json.dumps(value)[:-1] + ', "big": 12345678901234567890, "exact": 1.10}'
    api.create(new_id)
    api.patch(new_id, status="completed", structuredResult=written)
    opened(new_id)
    tree = panel(page, "Structured result")
    expect(tree).to_contain_text("verdict: mend")
    expect(tree).to_contain_text("big: 12345678901234567890")
    expect(tree.get_by_text("est", exact=True)).to_be_hidden()
    tree.locator("summary", has_text=re.compile(r"^er")).click()
    tree.locator("summary", has_text="est").click()
    expect(tree.locator(".json-null")).to_have_text("null")
    tree.locator("summary", has_text="many").click()
    assert tree.locator(".json-index").count() < 150
    tree.get_by_role("button", name="Show more of 150 others").click()
    tree.get_by_role("button", name="Show more of 50 others").click()
    expect(tree.get_by_text("249", exact=True).first).to_be_visible()


def test_a_structured_result_that_is_no_json_is_shown_as_it_is(
    page: Page, api: Api, new_id: str, opened: Callable[[str], Locator]
) -> None:
    api.create(new_id)
    api.patch(new_id, status="completed", structuredResult="[1, 2")
    opened(new_id)
    expect(panel(page, "Structured result").locator("pre")).to_have_text("[1, 2")


def test_metadata_is_told_without_the_workspace(
    page: Page, api: Api, new_id: str, opened: Callable[[str], Locator]
) -> None:
    api.create(new_id, metadata={"workspaceId": "w", "model": "large"}, groupMetadata={"size": 4})
    opened(new_id)
    page.locator("summary", has_text="Metadata").click()
    tree = panel(page, "Metadata")
    expect(tree).to_contain_text("model: large")
    expect(tree).to_contain_text("size: 4")
    expect(tree).not_to_contain_text("workspaceId")


def test_its_time_goes_on_while_it_runs(
    page: Page, api: Api, new_id: str, opened: Callable[[str], Locator]
) -> None:
    api.create(new_id, startTime=ago(3700))
    opened(new_id)
    expect(state(page)).to_contain_text(re.compile(r"for 1h 1m"))
    short = api.create(f"{new_id}-short", startTime=ago(10))
    opened(short)
    took = page.locator(".took")
    first = took.text_content()
    expect(took).not_to_have_text(first or "", timeout=5000)


def test_when_it_was_started_goes_on_too(
    page: Page, api: Api, new_id: str, opened: Callable[[str], Locator]
) -> None:
    api.create(new_id, startTime=ago(57))
    opened(new_id)
    expect(state(page)).to_contain_text("started 1 min ago")


def test_what_happens_from_outside_appears(
    page: Page, api: Api, new_id: str, opened: Callable[[str], Locator]
) -> None:
    api.create(new_id, status="queued")
    opened(new_id)
    expect(state(page)).to_contain_text("queued")
    api.patch(new_id, status="running")
    expect(state(page)).to_contain_text("running")
    api.output(new_id, "hello from elsewhere\n")
    expect(page.locator(".process-output")).to_contain_text("hello from elsewhere")
    api.patch(new_id, status="completed", result="It is *done*.", exitCode=0)
    expect(state(page)).to_contain_text("completed")
    expect(state(page)).to_contain_text("exit code 0")
    expect(panel(page, "Result").locator("em")).to_have_text("done")
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden()
    api.patch(new_id, result="It is **really** done.")
    expect(panel(page, "Result").locator("strong")).to_have_text("really")


def test_it_appears_within_a_second(
    page: Page, api: Api, new_id: str, opened: Callable[[str], Locator]
) -> None:
    numbers = count(1)
    ids: list[str] = []

    def start() -> None:
        ids.append(api.create(f"{new_id}-{next(numbers)}", status="queued"))
        opened(ids[-1])
        api.patch(ids[-1], status="running")

    def end() -> None:
        start()
        api.patch(ids[-1], status="completed", exitCode=0)

    soon(start, lambda: expect(state(page)).to_contain_text("running"))
    soon(end, lambda: expect(state(page)).to_contain_text("exit code 0"))


def test_a_result_that_is_changed_appears_soon(
    page: Page, api: Api, new_id: str, opened: Callable[[str], Locator]
) -> None:
    api.create(new_id)
    opened(new_id)
    results: list[str] = []

    def report() -> None:
        results.append(f"result {len(results)}")
        api.patch(new_id, status="completed", result=f"It is *{results[-1]}*.")

    shown = panel(page, "Result").locator("em")
    soon(report, lambda: expect(shown).to_have_text(results[-1]), RENDERED_SOON)


def test_a_cancel_is_shown_from_the_request_to_its_outcome(
    page: Page, api: Api, new_id: str, opened: Callable[[str], Locator]
) -> None:
    api.create(new_id)
    opened(new_id)
    page.get_by_role("button", name="Cancel", exact=True).click()
    answer_dialog(page, "Go back")
    assert api.get(new_id)["status"] == "running"
    page.get_by_role("button", name="Cancel", exact=True).click()
    answer_dialog(page, "Cancel the process")
    steps = panel(page, "Cancellation")
    expect(steps).to_contain_text("Cancel requested")
    expect(steps).to_contain_text("Not acknowledged yet")
    expect(state(page)).to_contain_text("cancelled")
    requested = api.get(new_id)["cancellation"]["requestedTime"]
    api.patch(new_id, cancellation={"outcome": "killed", "outcomeTime": later(requested, 9)})
    expect(steps).to_contain_text("Killed")
    expect(steps).to_contain_text("after 9s")
    expect(steps).not_to_contain_text("Not acknowledged")


def test_c_cancels_and_does_nothing_to_what_has_ended(
    page: Page, api: Api, new_id: str, opened: Callable[[str], Locator]
) -> None:
    api.create(new_id)
    opened(new_id)
    page.keyboard.press("c")
    answer_dialog(page, "Cancel the process")
    expect(state(page)).to_contain_text("cancelled")
    page.keyboard.press("c")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_losing_the_race_for_the_end_is_said(
    page: Page, api: Api, new_id: str, opened: Callable[[str], Locator]
) -> None:
    api.create(new_id)
    opened(new_id)
    refusal = json.dumps({"error": "Process is already in terminal state: completed"})
    page.route("**/cancel", lambda route: route.fulfill(status=409, body=refusal))
    wait_for_toast = recorded_toasts(page)
    page.keyboard.press("c")
    answer_dialog(page, "Cancel the process")
    wait_for_toast("already in terminal state: completed")


def test_deleting_asks_and_goes_back_to_the_list(
    page: Page, api: Api, new_id: str, opened: Callable[[str], Locator], server: LiveServer
) -> None:
    api.create(new_id)
    opened(new_id)
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("dialog")).to_contain_text("It isn't stopped")
    wait_for_toast = recorded_toasts(page)
    answer_dialog(page, "Delete")
    wait_for_toast("Process deleted")
    expect(page).to_have_url(f"{server.url}/")
    answer = requests.get(f"{server.url}/api/processes/{new_id}", timeout=20)
    assert answer.status_code == 404


def test_one_that_is_deleted_elsewhere_stays_readable(
    page: Page, api: Api, new_id: str, opened: Callable[[str], Locator]
) -> None:
    api.create(new_id, promptPreview="Soon gone")
    api.output(new_id, "last words\n")
    opened(new_id)
    expect(page.locator(".process-output")).to_contain_text("last words")
    api.delete(new_id)
    expect(page.get_by_text("This process was deleted.").first).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("Soon gone")
    expect(page.locator(".process-output")).to_contain_text("last words")
    expect(page.get_by_role("button", name="Delete")).to_be_hidden()
    api.create(new_id, promptPreview="Here again")
    expect(page.get_by_role("heading", level=1)).to_have_text("Here again")
    expect(page.get_by_text("This process was deleted.").first).to_be_hidden()
    expect(page.locator(".process-output")).not_to_contain_text("last words")


def test_one_that_there_is_not_appears_when_it_is_created(
    page: Page, api: Api, new_id: str, opened: Callable[[str], Locator]
) -> None:
    article = opened(new_id)
    expect(article).to_contain_text("There is no such process")
    expect(article.get_by_role("link", name="See all processes")).to_be_visible()
    api.create(new_id, promptPreview="Now here")
    expect(page.get_by_role("heading", level=1)).to_have_text("Now here")


def test_what_belongs_to_it_is_a_table_that_lives(
    page: Page, api: Api, new_id: str, opened: Callable[[str], Locator]
) -> None:
    api.create(new_id, promptPreview="All of it")
    first = api.create(f"{new_id}-1", promptPreview="Part one", parentProcessId=new_id)
    opened(new_id)
    table = page.get_by_role("table", name="Belonging to it (1)")
    expect(table.get_by_role("row")).to_have_count(2)
    api.create(f"{new_id}-2", promptPreview="Part two", parentProcessId=new_id, status="queued")
    table = page.get_by_role("table", name="Belonging to it (2)")
    expect(table.get_by_role("row").nth(2)).to_contain_text("queued")
    api.patch(first, status="failed")
    expect(table.get_by_role("row").nth(1)).to_contain_text("failed")
    api.delete(f"{new_id}-2")
    expect(page.get_by_role("table", name="Belonging to it (1)")).to_be_visible()
    page.get_by_role("link", name="Part one").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Part one")
    page.get_by_role("link", name="All of it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("All of it")
    page.keyboard.press("u")
    expect(page).to_have_title(re.compile("Processes"))


def test_hundreds_belong_to_it(
    page: Page, api: Api, new_id: str, opened: Callable[[str], Locator]
) -> None:
    api.create(new_id)
    for number in range(130):
        api.create(f"{new_id}-{number}", parentProcessId=new_id, startTime=ago(500 - number))
    opened(new_id)
    rows = page.get_by_role("table", name="Belonging to it (130)").locator("tbody tr")
    for shown in (20, 120, 130):
        expect(rows).to_have_count(shown)
        if shown < 130:
            page.get_by_role("button", name="Show more").click()
    expect(rows.last).to_contain_text(f"{new_id}-129")
    more = page.get_by_role("button", name="Show more")
    expect(more).to_be_hidden()


def test_those_that_come_to_a_full_table_are_counted_until_they_are_wanted(
    page: Page, api: Api, new_id: str, opened: Callable[[str], Locator]
) -> None:
    api.create(new_id)
    opened(new_id)
    for number in range(25):
        api.create(f"{new_id}-{number}", parentProcessId=new_id, startTime=ago(500 - number))
    table = page.get_by_role("table", name="Belonging to it (25)")
    rows = table.locator("tbody tr")
    expect(rows).to_have_count(20)
    api.delete(f"{new_id}-24")
    api.patch(f"{new_id}-23", status="failed")
    expect(page.get_by_role("table", name="Belonging to it (24)")).to_be_visible()
    page.get_by_role("button", name="Show more").click()
    rows = page.locator(".children tbody tr")
    expect(rows).to_have_count(24)
    expect(rows.last).to_contain_text("failed")


def test_rows_that_give_way_to_older_ones_are_still_counted(
    page: Page, api: Api, new_id: str, opened: Callable[[str], Locator]
) -> None:
    api.create(new_id)
    opened(new_id)
    for number in range(25):
        api.create(f"{new_id}-{number}", parentProcessId=new_id, startTime=ago(500 + number))
    table = page.get_by_role("table", name="Belonging to it (25)")
    expect(table.locator("tbody tr")).to_have_count(20)
    expect(table.locator("tbody tr").first).to_contain_text(f"{new_id}-24")


def test_result_and_link_are_copied(
    page: Page, api: Api, new_id: str, opened: Callable[[str], Locator], server: LiveServer
) -> None:
    odd = f"{new_id}/a b%"
    api.create(odd)
    api.patch(odd, status="completed", result="**as written**\u202e")
    page.goto(f"/process/{new_id}%2Fa%20b%25")
    wait_for_toast = recorded_toasts(page)
    page.get_by_role("button", name="Copy result").click()
    wait_for_toast("Result copied")
    read = "navigator.clipboard.readText()"
    assert page.evaluate(read) == "**as written**\u202e"
    page.get_by_role("button", name="Copy link").click()
    wait_for_toast("Link copied")
    assert page.evaluate(read) == f"{server.url}/process/{new_id}%2Fa%20b%25"


def test_what_changes_while_it_is_read_is_read_again(
    page: Page, api: Api, new_id: str, opened: Callable[[str], Locator]
) -> None:
    api.create(new_id)
    opened(new_id)
    held: list[Route] = []

    def hold(route: Route, request: Request) -> None:
        if request.method == "GET" and not held:
            held.append(route)
        else:
            route.continue_()

    page.route(f"**/api/processes/{new_id}", hold)
    old = json.dumps({"process": api.get(new_id)})
    api.patch(new_id, status="completed", result="old")
    wait_until(lambda: page.evaluate("1") and held)
    api.patch(new_id, result="new")
    held[0].fulfill(status=200, content_type="application/json", body=old)
    expect(panel(page, "Result")).to_contain_text("new")
    expect(state(page)).to_contain_text("completed")


def test_a_server_that_cannot_be_reached_is_tried_again(
    page: Page, api: Api, new_id: str, opened: Callable[[str], Locator]
) -> None:
    api.create(new_id, promptPreview="Reached")
    page.route(f"**/api/processes/{new_id}", lambda route: route.abort())
    article = opened(new_id)
    expect(article).to_contain_text("This process can't be shown now")
    article.get_by_role("button", name="Try again").click()
    page.unroute(f"**/api/processes/{new_id}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Reached")


@pytest.mark.parametrize("status", [None, 503])
def test_a_read_that_failed_once_is_made_good(
    page: Page, api: Api, new_id: str, opened: Callable[[str], Locator], status: int | None
) -> None:
    api.create(new_id)
    opened(new_id)
    asked = fail_once(page, f"**/api/processes/{new_id}", status)
    api.patch(new_id, status="completed", result="It is *done*.", exitCode=0)
    expect(state(page)).to_contain_text("completed")
    expect(state(page)).to_contain_text("exit code 0")
    expect(panel(page, "Result").locator("em")).to_have_text("done")
    assert len(asked) > 1


def test_children_and_a_rendered_result_whose_reads_failed_once_come_all_the_same(
    page: Page, api: Api, new_id: str, opened: Callable[[str], Locator]
) -> None:
    api.create(new_id)
    api.create(f"{new_id}-1", parentProcessId=new_id)
    api.patch(new_id, status="completed", result="It is *done*.")
    fail_once(page, "**/api/dashboard/processes?parent=*", 503)
    fail_once(page, "**/rendered", None)
    opened(new_id)
    expect(page.get_by_role("table", name="Belonging to it (1)")).to_be_visible()
    expect(panel(page, "Result").locator("em")).to_have_text("done")


def test_many_changes_are_read_a_few_times_and_told_at_once(
    page: Page, api: Api, new_id: str, opened: Callable[[str], Locator]
) -> None:
    api.create(new_id, status="queued")
    opened(new_id)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    held: list[Route] = []
    page.route(
        f"**/api/processes/{new_id}",
        lambda route: route.continue_() if held else held.append(route),
    )
    for number in range(50):
        api.patch(new_id, metadata={"n": number})
    api.patch(new_id, status="failed", error="no space", result="*nothing*")
    expect(state(page)).to_contain_text("failed")
    expect(panel(page, "Error")).to_contain_text("no space")
    wait_until(lambda: page.evaluate("1") and held)
    expect(panel(page, "Result")).to_be_hidden()
    held[0].continue_()
    expect(panel(page, "Result").locator("em")).to_have_text("nothing")
    page.locator("summary", has_text="Metadata").click()
    expect(panel(page, "Metadata")).to_contain_text("n: 49")
    assert len([url for url in asked if url.endswith(f"/{new_id}")]) <= 3


@pytest.fixture
def other_page(context: BrowserContext) -> Iterator[Page]:
    """A page for a server that goes away: errors that a lost connection causes may come in it."""
    made = context.new_page()
    yield made
    made.close()


def test_a_restart_of_the_server_under_the_page_loses_nothing(
    live_server: StartServer, other_page: Page
) -> None:
    server = live_server()
    elsewhere = Api(server.url)
    elsewhere.create("whole", promptPreview="The whole")
    elsewhere.create("part", promptPreview="Part one", parentProcessId="whole")
    page = other_page
    page.goto(f"{server.url}/process/whole")
    expect(page.get_by_role("table", name="Belonging to it (1)")).to_be_visible()
    server.stop()
    expect(page.get_by_text("Offline.")).to_be_visible()
    server.start()
    elsewhere.create("other", promptPreview="Part two", parentProcessId="whole")
    elsewhere.patch("part", status="failed")
    elsewhere.patch("whole", status="completed", result="*Whole* again.", exitCode=0)
    elsewhere.close()
    patience = 40_000
    expect(state(page)).to_contain_text("completed", timeout=patience)
    expect(panel(page, "Result").locator("em")).to_have_text("Whole")
    lines = page.get_by_role("table", name="Belonging to it (2)").get_by_role("row")
    expect(lines.nth(1)).to_contain_text("failed")
    expect(lines.nth(2)).to_contain_text("Part two")
