"""Times as they are told on the wire."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """The time now: RFC 3339 in UTC, with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
