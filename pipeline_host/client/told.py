"""What was told of each process last, so that an update sends only what changed. Pure."""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import Any, Final

from pipeline_host.client.items import CHANGEABLE, Json

METADATA: Final = "metadata"
MOST: Final = 10_000
"""For how many processes it is remembered; the longest unused are forgotten."""


class Told:
    """Remembers fingerprints, not values, so that a large result takes no memory."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._told: OrderedDict[str, dict[str, int]] = OrderedDict()

    def create(self, process_id: str, process: Json) -> None:
        """A process is told of for the first time."""
        self.forget(process_id)
        self.changed(process_id, process)

    def changed(self, process_id: str, fields: Json) -> dict[str, Any]:
        """Those of ``fields`` that can be changed and were told otherwise or not at all.

        Of ``metadata`` all keys are given, if one of them changed.
        """
        told = self._told.setdefault(process_id, {})
        self._told.move_to_end(process_id)
        while len(self._told) > self._most:
            self._told.popitem(last=False)
        changes: dict[str, Any] = {}
        for name in CHANGEABLE & fields.keys():
            value = fields[name]
            if name == METADATA:
                if _metadata_changed(told, value):
                    changes[name] = value
            elif _new(told, name, value):
                changes[name] = value
        return changes

    def forget(self, process_id: str) -> None:
        """Nothing is known to be told of this process: everything counts as changed."""
        self._told.pop(process_id, None)

    def clear(self) -> None:
        """Nothing is known to be told of any process."""
        self._told.clear()


def _metadata_changed(told: dict[Any, int], value: Any) -> bool:
    """Whether metadata, which the server merges key by key, says something new."""
    if isinstance(value, dict):
        told.pop(METADATA, None)
        new = [key for key, each in value.items() if _new(told, (METADATA, key), each)]
        return bool(new)
    for name in [name for name in told if isinstance(name, tuple)]:
        del told[name]
    return _new(told, METADATA, value)


def _new(told: dict[Any, int], name: object, value: object) -> bool:
    """Whether this is another value than was told; it counts as told from now on."""
    fingerprint = hash(value if isinstance(value, str) else (json.dumps(value, sort_keys=True),))
    if told.get(name) == fingerprint:
        return False
    told[name] = fingerprint
    return True
