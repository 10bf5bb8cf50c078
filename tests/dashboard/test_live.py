"""What happens elsewhere shows on an open list within a second, whatever happens to the server."""

from __future__ import annotations

import os
import re
import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from pipeline_host.testing.server import LiveServer
from pipeline_host.testing.waiting import wait_until

from .conftest import Api, ago, renew, soon, watched

BOTH = pytest.mark.parametrize("flags", [(), ("--block", "websocket")], ids=["WebSocket", "SSE"])


@pytest.fixture(scope="module", params=[(), ("--block", "websocket")], ids=["WebSocket", "SSE"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    with LiveServer(tmp_path_factory.mktemp("live") / "data", *request.param) as started:
        yield started


@pytest.fixture
def page(tab: tuple[Page, list[str]]) -> Iterator[Page]:
    """As everywhere; but a browser writes an error where a server has no WebSocket."""
    made, wrong = tab
    renew(made)
    wrong.clear()
    yield made
    assert [text for text in wrong if "WebSocket connection" not in text] == []


@pytest.fixture
def listed(page: Page, api: Api) -> Page:
    page.goto("/")
    expect(page.locator(".live-state")).to_have_attribute("data-state", "online")
    expect(page.locator("main h1")).to_have_count(1)
    return page


def row(page: Page, process_id: str, status: str = "") -> Locator:
    where = f".group[data-status='{status}'] " if status else ""
    return page.locator(f"{where}.row[data-id='{process_id}']")


def unique() -> str:
    return f"p-{uuid.uuid4().hex[:12]}"


def test_a_new_process_shows_at_once(listed: Page, api: Api) -> None:
    ids: list[str] = []
    soon(
        lambda: ids.append(api.create(unique())),
        lambda: expect(row(listed, ids[-1], "running")).to_be_visible(),
    )


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_a_process_that_ends_moves_at_once(listed: Page, api: Api, status: str) -> None:
    ids: list[str] = []

    def end() -> None:
        ids.append(api.create(unique()))
        expect(row(listed, ids[-1], "running")).to_be_visible()
        if status == "cancelled":
            api.cancel(ids[-1])
        else:
            api.patch(ids[-1], status=status)

    soon(end, lambda: expect(row(listed, ids[-1], status)).to_be_visible())
    expect(row(listed, ids[-1])).to_have_count(1)


def test_a_process_that_is_deleted_goes_at_once(listed: Page, api: Api) -> None:
    ids: list[str] = []

    def delete() -> None:
        ids.append(api.create(unique()))
        expect(row(listed, ids[-1])).to_be_visible()
        api.delete(ids[-1])

    soon(delete, lambda: expect(row(listed, ids[-1])).to_have_count(0))


def test_an_error_an_exit_code_and_a_workspace_show_at_once(listed: Page, api: Api) -> None:
    api.workspace("w", name="Some workspace")
    failing = api.create(unique(), workspaceId="w")
    expect(row(listed, failing).locator(".row-workspace")).to_have_text("Some workspace")
    api.patch(failing, status="failed", exitCode=3)
    expect(row(listed, failing).locator(".row-note")).to_have_text("exit code 3")
    api.patch(failing, error="a disk is full")
    expect(row(listed, failing).locator(".row-note")).to_have_text("a disk is full")


def test_the_parts_of_a_process_are_counted_as_they_come_and_end(listed: Page, api: Api) -> None:
    group = api.create(unique())
    part = api.create(unique(), parentProcessId=group)
    expect(row(listed, group).locator(".parts-count")).to_have_text("0/1")
    expect(row(listed, part)).to_have_count(0)
    row(listed, group).locator(".row-toggle").click()
    expect(row(listed, part)).to_be_visible()
    other = api.create(unique(), parentProcessId=group)
    expect(row(listed, other)).to_be_visible()
    api.patch(part, status="completed")
    expect(row(listed, group).locator(".parts-count")).to_have_text("1/2")
    expect(row(listed, part)).to_have_attribute("data-status", "completed")
    api.delete(group)
    expect(row(listed, part, "completed")).to_be_visible()
    expect(row(listed, other, "running")).to_be_visible()


def test_many_parts_of_processes_with_long_ids_are_asked_for_and_counted(
    listed: Page, api: Api
) -> None:
    workspace = unique()
    listed.goto(f"/?workspace={workspace}")
    expect(listed.locator(".live-state")).to_have_attribute("data-state", "online")
    expect(listed.locator("main h1")).to_have_count(1)
    refused: list[str] = []
    listed.on("response", lambda answer: refused.append(answer.url) if answer.status == 414 else 0)
    counts = "**/api/dashboard/counts*"
    listed.route(counts, lambda route: route.fulfill(status=503, json={"error": "busy"}))
    for number in range(60):
        parent = f"{number}-{'p' * 180}"
        api.create(unique(), parentProcessId=parent, workspaceId=workspace, status="queued")
    listed.unroute(counts)  # what was told meanwhile is asked for at one time
    count = listed.locator(".group[data-status='queued'] .group-count")
    expect(count).to_have_text("60")
    assert refused == []


def test_a_search_finds_what_is_created_later(listed: Page, api: Api) -> None:
    needle = unique()
    listed.goto(f"/?q={needle}")
    expect(listed.get_by_role("heading", name="No process matches")).to_be_visible()
    hidden = api.create(unique(), promptPreview="something else", fullPrompt=f"in it: {needle}")
    expect(row(listed, hidden)).to_be_visible()
    other = api.create(unique())
    api.patch(hidden, status="failed")
    expect(row(listed, hidden, "failed")).to_be_visible()
    expect(row(listed, other)).to_have_count(0)


def open_picker(page: Page, name: str) -> Locator:
    """Opens the list of workspaces; returns one of them."""
    option = page.get_by_role("option", name=name)
    page.get_by_role("button", name="Workspace: All workspaces").click()
    expect(option).to_be_visible()
    return option


def test_an_open_picker_keeps_what_the_keyboard_is_at(listed: Page, api: Api) -> None:
    mine, other = unique(), unique()
    api.workspace(mine, name="Zebra")
    option = open_picker(listed, "Zebra")
    listed.keyboard.press("z")
    expect(option).to_have_class(re.compile("active"))
    api.workspace(other, name="Ape")
    api.create(unique(), workspaceId=other)
    expect(listed.get_by_role("option", name="Ape").locator(".picker-count")).to_have_text("1")
    expect(option).to_have_class(re.compile("active"))
    listed.keyboard.press("Enter")
    expect(listed).to_have_url(re.compile(rf"\?workspace={mine}$"))


def test_a_click_in_an_open_picker_counts_whatever_comes_meanwhile(listed: Page, api: Api) -> None:
    mine = unique()
    api.workspace(mine, name="Yak")
    for _ in range(3):
        api.create(unique(), workspaceId=mine)
    option = open_picker(listed, "Yak")
    number = option.locator(".picker-count")
    expect(number).to_have_text("3")
    option.hover()
    listed.mouse.down()
    api.create(unique(), workspaceId=mine)
    expect(number).to_have_text("4")
    listed.mouse.up()
    expect(listed).to_have_url(re.compile(rf"\?workspace={mine}$"))


def test_a_page_needs_one_connection_and_no_more(
    browser_sockets: tuple[Page, list[str]], api: Api
) -> None:
    page, opened = browser_sockets
    followed = api.create(unique())
    page.goto("/")
    row(page, followed).get_by_role("link").click()
    expect(page).to_have_url(re.compile(followed))
    api.output(followed, "one line\n")
    expect(page.get_by_text("one line").first).to_be_visible()
    page.get_by_role("link", name="Timeline").click()
    page.get_by_role("link", name="Processes", exact=True).click()
    expect(row(page, followed)).to_be_visible()
    assert len(opened) <= 1


@pytest.fixture
def browser_sockets(page: Page) -> tuple[Page, list[str]]:
    opened: list[str] = []
    page.on("websocket", lambda socket: opened.append(socket.url))
    return page, opened


@pytest.fixture
def tall(chromium: Browser) -> Iterator[Page]:
    """A page for servers that go away, in a window that is high enough to show all rows."""
    made = chromium.new_page(viewport={"width": 600, "height": 3000}, reduced_motion="reduce")
    yield made
    made.close()


@BOTH
def test_a_restart_under_the_open_list_loses_nothing_and_doubles_nothing(
    live_server: Callable[..., LiveServer], tall: Page, flags: tuple[str, ...]
) -> None:
    server = live_server(*flags)
    api = Api(server.url)
    ids = [api.create(f"{number:02}", startTime=ago(60 - number)) for number in range(20)]
    page, wrong = tall, watched(tall)
    page.goto(server.url)
    expect(row(page, ids[-1])).to_be_visible()
    server.stop()
    expect(page.get_by_text("What you see is as of")).to_be_visible()
    server.start()
    late = api.create("late", startTime=ago(1))
    for process_id in ids[:5]:
        api.patch(process_id, status="completed")
    for process_id in ids[5:8]:
        api.delete(process_id)
    expect(page.locator(".live-state")).to_have_attribute("data-state", "online", timeout=40_000)
    expect(page.get_by_text("What you see is as of")).to_be_hidden()
    expect(row(page, late, "running")).to_be_visible()
    expect(row(page, ids[4], "completed")).to_be_visible()
    expect(row(page, ids[7])).to_have_count(0)
    expected = [late, *reversed(ids[8:]), *reversed(ids[:5])]
    shown = "rows => rows.map(row => row.dataset.id)"
    wait_until(lambda: page.locator(".row").evaluate_all(shown) == expected)
    assert [text for text in wrong if "WebSocket connection" not in text] == []
    api.close()


def test_a_server_that_is_stuck_is_taken_for_gone_over_events_too(
    live_server: Callable[..., LiveServer], tall: Page
) -> None:
    server = live_server("--block", "websocket", "--heartbeat", "1")
    api = Api(server.url)
    state = tall.locator(".live-state")
    with tall.expect_response("**/api/dashboard/about") as about:
        tall.goto(server.url)
    about.value.finished()
    expect(state).to_have_attribute("data-state", "online")
    os.killpg(server.pid, signal.SIGSTOP)
    try:
        expect(state).to_have_attribute("data-state", "offline", timeout=60_000)
    finally:
        os.killpg(server.pid, signal.SIGCONT)
    created = api.create(unique())
    expect(state).to_have_attribute("data-state", "online", timeout=60_000)
    expect(row(tall, created)).to_be_visible()
    api.close()


def test_other_data_on_the_same_port_are_shown_anew(tmp_path: Path, tall: Page) -> None:
    with LiveServer(tmp_path / "first") as first:
        api = Api(first.url)
        old = [api.create(unique()) for _ in range(3)]
        tall.goto(first.url)
        expect(row(tall, old[0])).to_be_visible()
        port = first.port
    with LiveServer(tmp_path / "second", port=port) as second:
        api = Api(second.url)
        new = [api.create(unique()) for _ in range(5)]
        expect(row(tall, new[0])).to_be_visible(timeout=40_000)
        expect(row(tall, old[0])).to_have_count(0)
