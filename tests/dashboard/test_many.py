"""Five thousand processes: the list stays small, quick and smooth."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from pipeline_host.models import Process, Status, Timestamp
from pipeline_host.testing.server import LiveServer
from pipeline_host.testing.waiting import wait_until
from pipeline_host_filestore.options import FileStoreOptions
from pipeline_host_filestore.store import FileProcessStore

from .conftest import Api
from .tracing import traced

MANY = 5000
LONGEST = 200
"""Milliseconds of the processor's time."""
HEAP = 150_000_000
LATE = "2027-01-01T00:00:00Z"
READ_ALL = """async () => {
    const frame = () => new Promise(requestAnimationFrame);
    const ends = () => [...document.querySelectorAll(".group-end")].filter(end => !end.hidden);
    for (let end; (end = ends()[0]);) {
        end.scrollIntoView();
        await frame();
        await frame();
    }
    scrollTo(0, 0);
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    data = tmp_path_factory.mktemp("many") / "data"
    fill(data)
    with LiveServer(data) as started:
        yield started


def fill(data: Path) -> None:
    """Put the processes into the store before a server opens it, which is quicker."""
    begin = datetime(2026, 11, 22, tzinfo=UTC)
    statuses: tuple[Status, ...] = ("completed",) * 7 + ("failed", "cancelled", "running")
    store = FileProcessStore(data, FileStoreOptions(durability="os"))
    for number in range(MANY):
        start = (begin + timedelta(seconds=number)).isoformat(timespec="milliseconds")
        store.add(
            Process(
                id=f"{number:04}",
                type="clarification",
                prompt_preview=f"Process number {number}",
                full_prompt="needle" if number % 100 == 0 else "hay",
                status=statuses[number % len(statuses)],
                start_time=Timestamp(start.replace("+00:00", "Z")),
                error="something failed" if number % 10 == 7 else None,
            )
        )
    store.close()


@pytest.fixture
def measured(chromium: Browser, server: LiveServer) -> Iterator[Page]:
    page = chromium.new_page(
        base_url=server.url,
        viewport={"width": 1280, "height": 800},
        reduced_motion="reduce",
    )
    yield page
    page.close()


def use(page: Page, api: Api) -> None:
    """Read the whole list, and work with it while processes come and end."""
    page.goto("/")
    expect(page.locator(".row").first).to_be_visible()
    completed = page.locator(".chip-count").nth(2)
    expect(completed).to_have_text(re.compile("^3,5"))
    before = int(completed.inner_text().replace(",", ""))
    page.evaluate(READ_ALL)
    for number in range(50):
        api.patch(api.create(f"new-{number}", startTime=LATE), status="completed")
    last = api.create("new-last", startTime=LATE)
    expect(page.locator(f".row[data-id='{last}']")).to_be_visible()
    for _ in range(30):
        page.keyboard.press("j")
    page.get_by_role("searchbox").fill("needle")
    expect(page.locator(".row[data-id='4999']")).to_have_count(0)
    page.get_by_role("searchbox").fill("")
    expect(completed).to_have_text(f"{before + 50:,}")


def test_no_task_is_long_no_heap_is_large_and_few_rows_are_in_the_page(
    measured: Page, api: Api
) -> None:
    with traced(measured) as tasks:
        use(measured, api)
    assert max(tasks) < LONGEST
    session = measured.context.new_cdp_session(measured)
    session.send("HeapProfiler.collectGarbage")
    heap = session.send("Runtime.getHeapUsage")["usedSize"]
    assert heap < HEAP
    assert measured.evaluate("document.querySelectorAll('*').length") < 4000


def test_what_is_read_stays_in_place_while_news_come_in_above(measured: Page, api: Api) -> None:
    measured.goto("/?status=completed,failed")
    expect(measured.locator(".row").first).to_be_visible()
    measured.evaluate("scrollTo(0, 1500)")
    middle = "document.elementFromPoint(640, 400)?.closest('.row')?.dataset.id"
    measured.wait_for_function(f"() => {middle}")
    seen = measured.locator(f".row[data-id='{measured.evaluate(middle)}']")
    expect(seen).to_be_visible()
    before = seen.bounding_box()
    counts = measured.locator(".group-count")
    expect(counts.nth(3)).to_have_text(re.compile("^50"))
    completed = counts.nth(2).inner_text()
    for number in range(5):
        api.patch(api.create(f"above-{number}", startTime=LATE), status="completed")
    api.patch(api.create("below", startTime=LATE), status="failed")
    expect(counts.nth(3)).to_have_text("501")
    expect(counts.nth(2)).to_have_text(f"{int(completed.replace(',', '')) + 5:,}")
    after = seen.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(after["y"] - before["y"]) <= 2


def test_a_search_stays_where_it_is_when_something_else_comes(measured: Page, api: Api) -> None:
    measured.goto("/?q=process+number&status=failed")
    expect(measured.locator(".row").first).to_be_visible()
    measured.evaluate(READ_ALL)
    top = "scrollTo(0, 18000), [scrollY, document.documentElement.scrollHeight]"
    before = measured.evaluate(top)
    asked: list[str] = []
    measured.on("response", lambda response: asked.append(response.url))
    api.patch(api.create("unrelated", startTime=LATE), status="failed")
    found = api.create("related", startTime=LATE, fullPrompt="process number -1")
    api.patch(found, status="failed")
    expect(measured.locator(".chip-count").nth(3)).to_have_text("501")
    wait_until(lambda: measured.evaluate("1") and any("&q=" in url for url in asked))
    row_height = 44
    measured.wait_for_function(
        f"before => Math.abs(scrollY - before[0] - {row_height}) <= 20", arg=before
    )
    assert measured.evaluate("document.documentElement.scrollHeight") >= before[1]
    measured.evaluate("scrollTo(0, 0)")
    expect(measured.locator(".row[data-id='related']")).to_be_visible()
    expect(measured.locator(".row[data-id='unrelated']")).to_have_count(0)


def test_a_long_list_is_as_long_again_after_all_was_read_anew(measured: Page, api: Api) -> None:
    parent = api.create("parent", startTime=LATE)
    part = api.create("part", startTime=LATE, parentProcessId=parent)
    measured.goto("/")
    expect(measured.locator(f".row[data-id='{parent}']")).to_be_visible()
    measured.evaluate(READ_ALL)
    before = measured.evaluate("document.documentElement.scrollHeight")
    api.delete(parent)
    expect(measured.locator(f".row[data-id='{part}']")).to_be_visible()
    after = measured.evaluate("document.documentElement.scrollHeight")
    assert abs(after - before) < 20
    api.delete(part)
