"""Reading query strings: from text to typed values, with errors that name the parameter. Pure.

An empty value (``?status=``, as a form sends it) counts as not given; a parameter that is not known
is ignored; a known one given twice is refused, so that no reader has to guess which one counts.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final, cast
from urllib.parse import unquote_to_bytes

from pipeline_host.errors import InvalidInput
from pipeline_host.models import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    STATUSES,
    Order,
    ProcessFilter,
    Status,
    Timestamp,
)
from pipeline_host.times import parse_timestamp
from pipeline_host.wire import check_stream

MAX_OFFSET: Final = 2**63 - 1

LIST: Final = frozenset(
    {"workspace", "status", "type", "since", "parent", "q", "order", "limit", "offset", "cursor"}
)
CLEAR: Final = frozenset({"status", "workspace"})
OUTPUT: Final = frozenset({"stream", "offset"})
"""The parameters that each kind of request may have."""

_ORDERS: Final[Mapping[str, Order]] = {"asc": "asc", "desc": "desc"}
_EVERYTHING: Final = ProcessFilter()
_DIGITS: Final = re.compile(r"\d{1,19}", re.ASCII)
_ZONE_AFTER_SPACE: Final = re.compile(r" (?=\d\d:\d\d$)", re.ASCII)


def process_filter(query: str) -> ProcessFilter:
    """The processes that a ``GET /api/processes?…`` asks for.

    Args:
        query: the raw query string, as WSGI has it.

    Raises:
        InvalidInput: a value can't be read; names the parameter.
    """
    if not query:
        return _EVERYTHING
    given = parameters(query, LIST)
    offset = _integer(given, "offset", 0, MAX_OFFSET)
    if given.get("cursor") and offset:
        raise InvalidInput.field("offset", "none beside a cursor")
    return ProcessFilter(
        workspace=given.get("workspace"),
        statuses=_statuses(given),
        type=given.get("type"),
        since=_time(given, "since"),
        parent=given.get("parent"),
        q=given.get("q"),
        order=_order(given),
        limit=_integer(given, "limit", DEFAULT_LIMIT, MAX_LIMIT),
        offset=offset,
        cursor=given.get("cursor"),
    )


def clearing(query: str) -> tuple[tuple[Status, ...], str | None]:
    """The statuses, and the workspace if any, that a ``DELETE /api/processes?…`` names.

    Raises:
        InvalidInput: no status is named, or one that there isn't.
    """
    given = parameters(query, CLEAR)
    statuses = _statuses(given)
    if statuses is None:
        raise InvalidInput.field("status", f"one or more of {', '.join(STATUSES)}")
    return statuses, given.get("workspace")


def output_place(query: str) -> tuple[str | None, int | None]:
    """The stream and the offset that ``…/output?stream=…&offset=…`` tells for a raw body.

    Raises:
        InvalidInput: a value can't be read; names the parameter.
    """
    given = parameters(query, OUTPUT)
    offset = _integer(given, "offset", 0, MAX_OFFSET) if "offset" in given else None
    return check_stream(given.get("stream")), offset


def parameters(query: str, known: Collection[str]) -> Mapping[str, str]:
    """The known parameters that have a value, decoded as HTML forms encode them.

    Raises:
        InvalidInput: one is there twice, or is not UTF-8.
    """
    values: dict[str, str] = {}
    for pair in query.encode("latin-1").split(b"&"):
        raw_name, _, raw = pair.partition(b"=")
        name = _decoded(raw_name)
        if name is None or name not in known:
            continue
        value = _decoded(raw)
        if value is None:
            raise InvalidInput.field(name, "percent-encoded UTF-8")
        if not value:
            continue
        if name in values:
            raise InvalidInput.field(name, "one value, but it is given twice")
        values[name] = value
    return values


def _decoded(raw: bytes) -> str | None:
    try:
        return unquote_to_bytes(raw.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        return None


def _statuses(given: Mapping[str, str]) -> tuple[Status, ...] | None:
    text = given.get("status")
    if text is None:
        return None
    names = dict.fromkeys(name.strip() for name in text.split(","))
    for name in names:
        if name not in STATUSES:
            raise InvalidInput.field("status", f"some of {', '.join(STATUSES)}, got {name!r}")
    return tuple(cast("dict[Status, None]", names))


def _order(given: Mapping[str, str]) -> Order:
    text = given.get("order", "asc")
    order = _ORDERS.get(text)
    if order is None:
        raise InvalidInput.field("order", f"asc or desc, got {text!r}")
    return order


def _integer(given: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = given.get(name)
    if text is None:
        return default
    value = int(text) if _DIGITS.fullmatch(text) else -1
    if not 0 <= value <= most:
        raise InvalidInput.field(name, f"an integer from 0 to {most}, got {text!r}")
    return value


def _time(given: Mapping[str, str], name: str) -> Timestamp | None:
    text = given.get(name)
    if text is None:
        return None
    try:
        # A "+" that was not percent-encoded arrives as a space: "…T09:00:00 02:00".
        return parse_timestamp(_ZONE_AFTER_SPACE.sub("+", text))
    except ValueError:
        raise InvalidInput.field(
            name, f"a time such as 2026-11-22T07:00:00.000Z, got {text!r}"
        ) from None
