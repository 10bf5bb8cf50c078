"""Waiting for what a test expects, instead of sleeping and hoping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(
    condition: Callable[[], T],
    timeout: float = 10.0,
    *,
    interval: float = 0.01,
    message: str | Callable[[], str] | None = None,
) -> T:
    """Call ``condition`` until what it returns is true; return that.

    An ``AssertionError`` of the condition counts as "not yet"; anything else it raises is raised
    at once. The condition is always tried once more when the time is up.

    Args:
        condition: what is waited for; it must return soon.
        timeout: how long to wait, in seconds.
        interval: the pause between two tries, in seconds.
        message: what was waited for, in words; a function is called only on failure.

    Raises:
        AssertionError: the time is up; tells what was waited for and what came last.
    """
    end = time.monotonic() + timeout
    while True:
        last_try = time.monotonic() >= end
        refusal: AssertionError | None = None
        try:
            value = condition()
        except AssertionError as error:
            refusal = error
        else:
            if value:
                return value
        if last_try:
            last = f"it raised {refusal!r}" if refusal else f"the last value was {value!r}"
            raise AssertionError(
                f"not within {timeout:g} s: {_words(condition, message)}; {last}"
            ) from refusal
        time.sleep(min(interval, max(0.0, end - time.monotonic())))


def _words(condition: Callable[[], object], message: str | Callable[[], str] | None) -> str:
    if message is None:
        code = getattr(condition, "__code__", None)
        name = getattr(condition, "__qualname__", repr(condition))
        return f"{name} (line {code.co_firstlineno} of {code.co_filename})" if code else name
    return message if isinstance(message, str) else message()
