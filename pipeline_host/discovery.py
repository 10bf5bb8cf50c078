"""Which plugins are installed: the entry points of a group, each with its distribution."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import (
    Distribution,
    EntryPoint,
    PackageNotFoundError,
    distribution,
    distributions,
)


@dataclass(frozen=True)
class Candidate:
    """A plugin that is installed, not imported yet.

    Attributes:
        error: why it can't even be tried; then ``entry_point`` is ``None``.
    """

    name: str
    distribution: str
    version: str
    entry_point: EntryPoint | None
    error: str | None = None

    def load(self) -> object:
        """Import it. Raises whatever the plugin's code raises."""
        if self.entry_point is None:
            raise ValueError(self.error)
        return self.entry_point.load()

    def matches(self, block: str) -> bool:
        """Whether ``block`` (``name``, ``distribution`` or ``distribution:name``) means this."""
        distribution, colon, name = block.rpartition(":")
        if colon:
            return name == self.name and canonical(distribution) == canonical(self.distribution)
        return block == self.name or canonical(block) == canonical(self.distribution)


def canonical(name: str) -> str:
    """A distribution's name in the one form to compare (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def discover(group: str) -> tuple[Candidate, ...]:
    """The plugins of a group, sorted, so that the order of ``sys.path`` doesn't show.

    Damaged metadata of one distribution yields a candidate with an error. Of a distribution that
    is there more than once, the first on ``sys.path`` counts, as it does for imports.
    """
    found: dict[str, tuple[Candidate, ...]] = {}
    for each in distributions():
        for name in _name_if_in(each, group):
            if canonical(name) not in found:
                found[canonical(name)] = tuple(_candidates(name, group))
    everyone = [candidate for candidates in found.values() for candidate in candidates]
    return tuple(sorted(everyone, key=lambda one: (one.name, canonical(one.distribution))))


def _name_if_in(each: Distribution, group: str) -> Iterator[str]:
    """The distribution's name, if it mentions the group: cheaper than parsing them all."""
    try:
        text = each.read_text("entry_points.txt") or ""
    except (OSError, UnicodeDecodeError):
        return
    name = _metadata(each, "Name") if f"[{group}]" in text else None
    if name:
        yield name


def _candidates(name: str, group: str) -> Iterator[Candidate]:
    try:
        first = distribution(name)
    except PackageNotFoundError:
        # Its folder is called otherwise, or it is being replaced right now.
        yield Candidate(name, name, "unknown", None, "its metadata can't be found by its name")
        return
    version = _metadata(first, "Version") or "unknown"
    try:
        for point in first.entry_points:
            if point.group == group:
                yield Candidate(point.name, name, version, point)
    except (TypeError, ValueError, AttributeError) as error:
        yield Candidate(name, name, version, None, f"entry_points.txt can't be read: {error}")


def _metadata(each: Distribution, field: str) -> str | None:
    try:
        value = each.metadata[field]
    except (KeyError, OSError, UnicodeDecodeError, TypeError):
        return None
    return value if isinstance(value, str) and value else None
