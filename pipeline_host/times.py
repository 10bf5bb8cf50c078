"""Times and durations as the wire has them."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Final

from pipeline_host.models import Timestamp

_RFC3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_FIRST_MS: Final = -62_135_596_800_000
_LAST_MS: Final = 253_402_300_799_999
_PART: Final = re.compile(r"(\d+)\s*([hms])", re.ASCII)
_UNIT: Final = {"h": 3600, "m": 60, "s": 1}


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def timestamp(ms: int) -> Timestamp:
    """The time that lies ``ms`` milliseconds after the start of 1970.

    Raises:
        ValueError: that is not in a year from 1 to 9999.
    """
    if not _FIRST_MS <= ms <= _LAST_MS:
        raise ValueError(f"out of range: {ms} ms after 1970")
    seconds, rest = divmod(ms, 1000)
    moment = time.gmtime(seconds)
    return Timestamp(
        f"{moment.tm_year:04}-{moment.tm_mon:02}-{moment.tm_mday:02}"
        f"T{moment.tm_hour:02}:{moment.tm_min:02}:{moment.tm_sec:02}.{rest:03}Z"
    )


def now() -> Timestamp:
    return timestamp(now_ms())


def parse_timestamp(text: str) -> Timestamp:
    """Bring an RFC 3339 time, in any zone and precision, into the one form that we keep.

    Raises:
        ValueError: ``text`` is not such a time, or names no zone, or not a year from 1 to 9999.
    """
    if not _RFC3339.fullmatch(text):
        raise ValueError(f"not an RFC 3339 time: {text!r}")
    try:
        moment = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"out of range: {text!r}") from error
    head = moment.replace(tzinfo=None).isoformat(timespec="milliseconds")
    return Timestamp(f"{head}Z")


def to_ms(moment: Timestamp) -> int:
    """Milliseconds since 1970 of a time that :func:`parse_timestamp` gave."""
    return round(datetime.fromisoformat(moment).timestamp() * 1000)


def format_duration(ms: int) -> str:
    """A length of time for people: ``< 1s``, ``45s``, ``2m 34s``, ``1h 5m``.

    Seconds are told below an hour; parts that are zero are left out but for the last resort.
    """
    seconds = max(ms, 0) // 1000
    if seconds < 1:
        return "< 1s"
    if seconds < 60:
        return f"{seconds}s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes}m {seconds}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes}m"


def parse_duration(text: str) -> int:
    """The milliseconds that a text of :func:`format_duration` stands for.

    Raises:
        ValueError: ``text`` is not of that form.
    """
    if text.strip() == "< 1s":
        return 0
    parts = _PART.findall(text)
    if not parts or _PART.sub("", text).strip():
        raise ValueError(f"not a duration such as '2m 34s': {text!r}")
    return 1000 * sum(int(number) * _UNIT[unit] for number, unit in parts)
