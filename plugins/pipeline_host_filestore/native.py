"""Calls that wait for a disk, kept off gevent's hub."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def native(function: Callable[..., T], *args: Any) -> T:
    """Call ``function`` so that only the caller waits for it.

    Where gevent has patched threading, a blocking call would stop every greenlet, so it is made
    in a thread of the hub's pool. Elsewhere other threads run on anyway.
    """
    monkey = sys.modules.get("gevent.monkey")
    if monkey is None or not monkey.is_module_patched("threading"):
        return function(*args)
    result: T = sys.modules["gevent"].get_hub().threadpool.apply(function, args)
    return result
