"""From a filter to SQL, and a page's cursor."""

from __future__ import annotations

import re
from typing import Final, TypeAlias

from pipeline_host.errors import InvalidInput
from pipeline_host.models import ProcessFilter

Value: TypeAlias = str | int

_CURSOR: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)\.(\d{1,18})", re.ASCII)


def conditions(query: ProcessFilter) -> tuple[str, list[Value]]:
    """The part of a ``WHERE`` that finds what matches, wherever a page begins, and its values."""
    terms, values = ["1"], list[Value]()
    for column, wanted in (
        ("workspace", query.workspace),
        ("type", query.type),
        ("parent", query.parent),
    ):
        if wanted is not None:
            terms.append(f"{column} = ?")
            values.append(wanted)
    if query.statuses is not None:
        terms.append(f"status IN ({', '.join('?' * len(query.statuses))})")
        values.extend(query.statuses)
    if query.since is not None:
        terms.append("start_time >= ?")
        values.append(query.since)
    if query.q is not None:
        terms.append("instr(text, ?)")
        values.append(query.q.casefold())
    return " AND ".join(terms), values


def beyond(query: ProcessFilter) -> tuple[str, list[Value]]:
    """The condition that a row comes after the query's cursor."""
    if query.cursor is None:
        return "1", []
    found = _CURSOR.fullmatch(query.cursor)
    if not found:
        raise InvalidInput.field("cursor", "the nextCursor of a page")
    comparison = ">" if query.order == "asc" else "<"
    return f"(start_time, number) {comparison} (?, ?)", [found[1], int(found[2])]


def cursor(start_time: str, number: int) -> str:
    """Names the place after a row; it stays right while rows come and go."""
    return f"{start_time}.{number}"
