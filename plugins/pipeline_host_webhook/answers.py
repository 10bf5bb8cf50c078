"""What an endpoint's answer means: pure functions."""

from __future__ import annotations

import random
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

LONGEST_WAIT: Final = 3600.0
LONGEST_BACKOFF: Final = 60.0


def taken(status: int) -> bool:
    """Whether the endpoint has the message."""
    return 200 <= status < 300


def may_come_again(status: int) -> bool:
    """Whether the same message may be taken later; what is refused for what it is never will."""
    return status >= 500 or status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)


def retry_after(value: str | None, now: float) -> float:
    """The seconds that a ``Retry-After`` asks to wait (RFC 9110, 10.2.3); 0 where it says nothing.

    Args:
        now: seconds since 1970.
    """
    if value is None:
        return 0.0
    if value.strip().isdecimal():
        return min(float(value), LONGEST_WAIT)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    seconds = when.replace(tzinfo=when.tzinfo or UTC).timestamp() - now
    return min(max(seconds, 0.0), LONGEST_WAIT)


def backoff(attempt: int) -> float:
    """How long to wait after the first, second, … attempt: 1, 2, 4 … s, less up to a half."""
    return min(2.0 ** min(attempt - 1, 30), LONGEST_BACKOFF) * random.uniform(0.5, 1.0)
