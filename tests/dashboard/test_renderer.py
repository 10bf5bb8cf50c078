"""Rendering goes on in a process of its own that nothing can hold up."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator

import pytest

from pipeline_host.testing.waiting import wait_until
from pipeline_host_dashboard import renderer as module
from pipeline_host_dashboard.renderer import BUSY, TOO_HARD, TOO_LONG, Rendered, Renderer

HARD = "![" * 250_000
"""Takes the parser minutes."""


@pytest.fixture
def renderer() -> Iterator[Renderer]:
    made = Renderer()
    yield made
    made.close()


def pid_of(renderer: Renderer) -> int:
    child = renderer._child
    assert child is not None
    return child.pid


def test_it_renders_one_text_after_the_other_in_one_process(renderer: Renderer) -> None:
    assert renderer.render("*a*") == Rendered("<p><em>a</em></p>\n")
    first = pid_of(renderer)
    assert renderer.render("ä 日本 \N{GRINNING FACE}").html == "<p>ä 日本 \N{GRINNING FACE}</p>\n"
    assert pid_of(renderer) == first


def test_a_text_that_takes_too_long_is_given_up_and_not_tried_again(renderer: Renderer) -> None:
    assert renderer.render(HARD) == Rendered(None, TOO_HARD)
    assert renderer._child is None
    assert renderer.render(HARD) == Rendered(None, TOO_HARD)
    assert renderer._child is None
    assert renderer.render("*a*").html


def test_a_long_text_is_left_as_it_is(renderer: Renderer) -> None:
    assert renderer.render("x" * (module.MAX_INPUT + 1)) == Rendered(None, TOO_LONG)
    assert renderer._child is None


def test_a_process_that_ended_for_want_of_work_is_replaced(renderer: Renderer) -> None:
    command = (sys.executable, "-c", "")
    ended = Renderer(command)
    assert ended.render("a") == Rendered(None, BUSY)
    ended._command = renderer._command
    assert ended.render("a").html
    ended.close()


def test_a_process_that_was_killed_is_replaced_for_the_next_text(renderer: Renderer) -> None:
    assert renderer.render("a").html
    os.kill(pid_of(renderer), signal.SIGKILL)
    renderer.render("b")
    assert renderer.render("c").html


def test_without_a_process_the_text_is_left_as_it_is() -> None:
    assert Renderer(("/nowhere/python",)).render("a") == Rendered(None, BUSY)


def test_texts_wait_for_their_turn(renderer: Renderer) -> None:
    assert renderer.render("first").html
    found: dict[str, Rendered] = {}

    def ask(text: str) -> None:
        found[text] = renderer.render(text)

    threads = [threading.Thread(target=ask, args=(f"text {n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {text: rendered.html for text, rendered in found.items()} == {
        f"text {n}": f"<p>text {n}</p>\n" for n in range(8)
    }


def test_the_process_ends_with_its_parent(renderer: Renderer) -> None:
    renderer.render("a")
    child = renderer._child
    assert child is not None
    assert child.stdin is not None
    child.stdin.close()
    assert wait_until(lambda: child.poll() is not None)
    assert child.returncode == 0


def test_no_more_is_remembered_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = module._Memory(5000)
    for number in range(10):
        memory.put(bytes([number]), Rendered("x" * 500))
    assert memory.get(bytes([9]))
    assert memory.get(bytes([0])) is None
    assert memory._left >= 0
