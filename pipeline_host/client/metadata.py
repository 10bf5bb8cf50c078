"""What a process's metadata is for the program that reports the process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any, Final, Self

Json = Mapping[str, Any]

PLACE: Final = ("workspaceId", "workspaceName")
"""The keys that say which workspace a process belongs to."""


class Metadata(MutableMapping[str, Any]):
    """A process's metadata as it is known here; every change is reported.

    Args:
        report: takes fields of the process that are to change.
        values: what it is at first.
    """

    def __init__(self, report: Callable[[Json], None], values: Json) -> None:
        self._report = report
        self._values = dict(values)

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._report({"metadata": {key: value}})

    def __delitem__(self, key: str) -> None:
        self[key]
        self._report({"metadata": {key: None}})

    def learn(self, changes: Json) -> None:
        """Take what was told to the server."""
        for key, value in changes.items():
            self._values[key] = value
            if value is None:
                del self._values[key]

    def __ior__(self, changes: Json) -> Self:
        self._report({"metadata": changes})
        return self

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._values!r})"


def place(workspace: Json | None) -> Json:
    """What metadata tells of the workspace."""
    if workspace is None:
        return {}
    told = {"workspaceId": workspace.get("id"), "workspaceName": workspace.get("name")}
    return {key: value for key, value in told.items() if value is not None}


def mapping(metadata: Any) -> Json:
    """``metadata``, if it is what that has to be.

    Raises:
        ValueError: it isn't.
    """
    if not isinstance(metadata, Mapping):
        raise ValueError(f"metadata: expected values by their names, got {metadata!r:.100}")
    return metadata
