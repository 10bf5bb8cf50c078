"""Cutting a page out of the index: lists cost what the page costs, wherever a facet covers them.

A list takes the smallest facet (or, for several statuses, facets) that all its processes are in.
Where that says all that the filter says, the total is a length and the page a slice; otherwise
the facet is gone through with the conditions that are left, in slices and without any lock.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from sortedcontainers import SortedList

from pipeline_host.models import Process, ProcessFilter
from pipeline_host_filestore import cursor as cursors
from pipeline_host_filestore.index import (
    ALL,
    Entry,
    Facet,
    Index,
    Key,
    of_parent,
    of_status,
    of_type,
    of_workspace,
    of_workspace_status,
)


class Listing(NamedTuple):
    """The entries of a page, how many match in all, and the cursor if more do."""

    entries: Sequence[Entry]
    total: int
    next_cursor: str | None


class Search(NamedTuple):
    """All that may match, as it was at one moment, for :func:`search` to go through.

    Attributes:
        facets: the keys of each facet that is gone through, sorted.
        entries: theirs, and maybe others', by id.
    """

    facets: Sequence[Sequence[Key]]
    entries: Mapping[str, Entry]
    query: ProcessFilter
    conditions: set[str]
    after: Key | None
    epoch: str


class _Choice(NamedTuple):
    """Facets that together hold all that can match, and which conditions they make sure of."""

    facets: Sequence[SortedList[Key]]
    covers: frozenset[str]


def select(index: Index, query: ProcessFilter, epoch: str) -> Listing | Search:
    """Find one page, or what has to be gone through for it.

    Args:
        epoch: of the store.

    Raises:
        InvalidInput: the query's cursor is not one that a page gave.
    """
    after = None if query.cursor is None else cursors.decode(query.cursor, epoch)
    choice = _choose(index, query)
    left = _conditions(query) - choice.covers
    if left:
        since = [list(keys.islice(len(keys) - _from(keys, query))) for keys in choice.facets]
        return Search(since, index.at_once(since), query, left, after, epoch)
    total = sum(_from(keys, query) for keys in choice.facets)
    keys, cursor = _page(_walk(choice.facets, query, after), query, epoch)
    return Listing(index.of(keys), total, cursor)


def search(given: Search, whole: Callable[[Entry], Process], pause: Callable[[], None]) -> Listing:
    """The page of those that match. Nothing needs to be locked.

    Args:
        whole: gives a process with all its texts.
        pause: called between any two processes that are looked at.
    """
    query, entries = given.query, given.entries
    matching: list[list[Key]] = []
    # What matches is in order already, in each facet: nothing is left to be sorted at the end.
    for facet in given.facets:
        matching.append([])
        for key in facet:
            pause()
            if _matches(entries[key.id], query, given.conditions, whole):
                matching[-1].append(key)
    keys, cursor = _page(_walk_found(matching, query, given.after, pause), query, given.epoch)
    return Listing([entries[key.id] for key in keys], sum(map(len, matching)), cursor)


def _page(found: Iterable[Key], query: ProcessFilter, epoch: str) -> tuple[list[Key], str | None]:
    keys = list(islice(found, query.limit + 1))
    more = len(keys) > query.limit
    keys = keys[: query.limit]
    return keys, cursors.encode(keys[-1], epoch) if more and keys else None


def _conditions(query: ProcessFilter) -> set[str]:
    given = {
        "workspace": query.workspace,
        "statuses": query.statuses,
        "type": query.type,
        "parent": query.parent,
        "q": query.q or None,
    }
    return {name for name, value in given.items() if value is not None}


def _choose(index: Index, query: ProcessFilter) -> _Choice:
    choices = [
        _Choice([index.facet(facet) for facet in facets], frozenset(covers))
        for facets, covers in _choices(query)
    ]
    return min(choices, key=lambda choice: (sum(map(len, choice.facets)), -len(choice.covers)))


def _choices(query: ProcessFilter) -> Iterator[tuple[list[Facet], set[str]]]:
    yield [ALL], set()
    if query.type is not None:
        yield [of_type(query.type)], {"type"}
    if query.parent is not None:
        yield [of_parent(query.parent)], {"parent"}
    statuses = None if query.statuses is None else dict.fromkeys(query.statuses)
    if statuses is not None and query.workspace is not None:
        facets = [of_workspace_status(query.workspace, status) for status in statuses]
        yield facets, {"workspace", "statuses"}
    elif query.workspace is not None:
        yield [of_workspace(query.workspace)], {"workspace"}
    elif statuses is not None:
        yield [of_status(status) for status in statuses], {"statuses"}


def _from(keys: SortedList[Key], query: ProcessFilter) -> int:
    """How many of the keys are not before the query's start time."""
    if query.since is None:
        return len(keys)
    return len(keys) - keys.bisect_left(Key(query.since, 0, ""))


def _walk(
    facets: Sequence[SortedList[Key]], query: ProcessFilter, after: Key | None
) -> Iterator[Key]:
    """The keys of all facets in the query's order, from its cursor and its offset on."""
    if len(facets) == 1:
        return _walk_one(facets[0], query, after, query.offset)
    walks = [_walk_one(keys, query, after) for keys in facets]
    merged = heapq.merge(*walks, reverse=query.order == "desc")
    return islice(merged, query.offset, None)


def _walk_one(
    keys: SortedList[Key], query: ProcessFilter, after: Key | None, skip: int = 0
) -> Iterator[Key]:
    low, high = len(keys) - _from(keys, query), len(keys)
    if query.order == "desc":
        if after is not None:
            high = min(high, keys.bisect_left(after))
        return keys.islice(low, max(low, high - skip), reverse=True)
    if after is not None:
        low = max(low, keys.bisect_left(_behind(after)))
    return keys.islice(min(low + skip, high), high)


def _walk_found(
    matching: Sequence[list[Key]],
    query: ProcessFilter,
    after: Key | None,
    pause: Callable[[], None],
) -> Iterator[Key]:
    """As :func:`_walk`, of the matching keys of each facet; merging many takes time, too."""
    if len(matching) == 1:
        yield from _walk_list(matching[0], query, after, query.offset)
        return
    walks = [_walk_list(keys, query, after) for keys in matching]
    for number, key in enumerate(heapq.merge(*walks, reverse=query.order == "desc")):
        pause()
        if number >= query.offset:
            yield key


def _walk_list(
    keys: list[Key], query: ProcessFilter, after: Key | None, skip: int = 0
) -> Iterator[Key]:
    if query.order == "desc":
        high = len(keys) if after is None else bisect_left(keys, after)
        places = range(high - skip - 1, -1, -1)
    else:
        low = 0 if after is None else bisect_left(keys, _behind(after))
        places = range(low + skip, len(keys))
    return map(keys.__getitem__, places)


def _behind(key: Key) -> Key:
    return key._replace(incarnation=key.incarnation + 1)


def _matches(
    entry: Entry, query: ProcessFilter, conditions: set[str], whole: Callable[[Entry], Process]
) -> bool:
    process = entry.process
    if "workspace" in conditions and process.workspace_id != query.workspace:
        return False
    if "statuses" in conditions and process.status not in (query.statuses or ()):
        return False
    if "type" in conditions and process.type != query.type:
        return False
    if "parent" in conditions and process.parent_process_id != query.parent:
        return False
    return "q" not in conditions or _mentions(whole(entry), (query.q or "").casefold())


def _mentions(process: Process, text: str) -> bool:
    texts = (process.id, process.prompt_preview, process.full_prompt)
    return any(text in candidate.casefold() for candidate in texts)
