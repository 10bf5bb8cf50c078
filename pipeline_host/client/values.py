"""Copies of what a caller gives, as it will be on the wire. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pipeline_host.client.batch import clean


def plain(value: object) -> Any:
    """A copy that has only what JSON has, and that nobody else can change.

    Half of a surrogate pair, which UTF-8 can't hold, becomes U+FFFD.

    Raises:
        ValueError: something in it can't be told in JSON.
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return clean(str(value))
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, Mapping):
        return {_key(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    raise ValueError(f"{type(value).__name__} can't be told in JSON: {value!r:.100}")


def _key(key: object) -> str:
    if isinstance(key, str):
        return clean(key)
    raise ValueError(f"a key has to be a text: {key!r:.100}")
