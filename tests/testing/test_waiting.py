from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from pipeline_host.testing import wait_until


def test_it_returns_what_the_condition_returned() -> None:
    values: Iterator[str] = iter(["", "", "found"])
    assert wait_until(lambda: next(values), interval=0) == "found"


def test_a_condition_that_holds_is_not_waited_for() -> None:
    began = time.monotonic()
    assert wait_until(lambda: True, timeout=0)
    assert wait_until(lambda: True, interval=60)
    assert time.monotonic() - began < 30


def test_when_the_time_is_up_it_says_what_came_last() -> None:
    with pytest.raises(AssertionError, match=r"^not within 0\.01 s: two workers; .* was 0$"):
        wait_until(lambda: 0, 0.01, message="two workers")


def test_a_message_is_made_only_on_failure() -> None:
    wait_until(lambda: True, message=lambda: pytest.fail("not needed"))
    with pytest.raises(AssertionError, match="made late"):
        wait_until(lambda: False, 0, message=lambda: "made late")


def test_without_a_message_it_names_the_condition() -> None:
    def it_rains() -> bool:
        return False

    with pytest.raises(AssertionError, match=r"it_rains \(line \d+ of .*test_waiting\.py\)"):
        wait_until(it_rains, 0)


def test_an_assertion_that_fails_is_tried_again() -> None:
    values = iter([1, 2, 3])

    def condition() -> bool:
        value = next(values)
        assert value == 3
        return True

    assert wait_until(condition, interval=0)


def test_an_assertion_that_keeps_failing_is_the_reason() -> None:
    def condition() -> None:
        raise AssertionError("the reason")

    with pytest.raises(AssertionError, match="the reason") as failed:
        wait_until(condition, 0)
    assert str(failed.value.__cause__) == "the reason"


def test_anything_else_is_raised_at_once() -> None:
    def condition() -> None:
        raise OSError("broken")

    with pytest.raises(OSError, match="broken"):
        wait_until(condition, 60)
