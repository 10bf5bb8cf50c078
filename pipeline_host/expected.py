"""What a type accepts, in words: for the errors and the documentation of settings."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import msgspec

_WORDS: Final[dict[Any, str]] = {
    str: "a text",
    bool: "true or false",
    int: "an integer",
    float: "a number",
    Path: "a path",
}


def expected(kind: Any) -> str:
    """Name the values that a type takes, such as ``an integer from 0 to 65535``.

    A :class:`msgspec.Meta` in the type refines it: its bounds, or its ``extra["expected"]`` where
    the bounds say too little.
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _annotated(arguments[0], arguments[1:])
    if origin is Literal:
        return "one of " + ", ".join(str(choice) for choice in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(expected(part) for part in arguments if part is not type(None))
    if origin in (tuple, list):
        return f"a list, each of it {expected(arguments[0])}"
    return _WORDS.get(kind, "another value")


def _annotated(kind: Any, annotations: tuple[Any, ...]) -> str:
    words = expected(kind)
    for meta in annotations:
        if isinstance(meta, msgspec.Meta):
            words = (meta.extra or {}).get("expected") or f"{words}{_bounds(meta)}"
    return words


def _bounds(meta: msgspec.Meta) -> str:
    if meta.ge is not None and meta.le is not None:
        return f" from {meta.ge} to {meta.le}"
    if meta.ge is not None:
        return f" of {meta.ge} or more"
    if meta.gt is not None:
        return f" above {meta.gt}" + ("" if meta.le is None else f", at most {meta.le}")
    return ""
