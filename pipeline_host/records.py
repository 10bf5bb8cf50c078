"""Checking the records that hooks return, so that a mistake is told where it was made."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, TypeAlias, TypeVar

import msgspec

from pipeline_host.errors import PluginError
from pipeline_host.hookspecs import (
    CommandSpec,
    LifespanSpec,
    RouteSpec,
    SinkSpec,
    StoreSpec,
)

Record: TypeAlias = StoreSpec | RouteSpec | SinkSpec | CommandSpec | LifespanSpec
R = TypeVar("R", StoreSpec, RouteSpec, SinkSpec, CommandSpec, LifespanSpec)

_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9_.-]*[a-z0-9])?")


def is_name(text: object) -> bool:
    """Whether ``text`` can be the name of a record."""
    return isinstance(text, str) and _NAME.fullmatch(text) is not None


def check_records(hook: str, kind: type[R], returned: Iterable[object]) -> list[R]:
    """The records of one plugin's implementations of a hook.

    Args:
        hook: the hook's name, for errors.
        kind: the type of record that it returns.
        returned: what its implementations returned, each an iterable of records.

    Raises:
        PluginError: something is no record of that kind, or is malformed, or has a name twice.
    """
    records: list[R] = []
    for result in returned:
        if isinstance(result, str) or not isinstance(result, Iterable):
            raise PluginError(f"{hook}: expected a list of {kind.__name__}, got {result!r}")
        for record in result:
            if not isinstance(record, kind):
                raise PluginError(f"{hook}: expected {kind.__name__} records, got {record!r}")
            _check(hook, record)
            if any(record.name == other.name for other in records):
                raise PluginError(f"{hook}: {record.name} is there twice")
            records.append(record)
    return records


def _check(hook: str, record: Record) -> None:
    where = f"{hook}: {type(record).__name__}"
    if not is_name(record.name):
        raise PluginError(
            f"{where} name: expected small letters, digits, '-', '_' and '.', got {record.name!r}"
        )
    if not isinstance(record.summary, str) or not record.summary.isprintable():
        raise PluginError(f"{where} {record.name}: expected a summary of one line")
    if not callable(record.factory):
        raise PluginError(f"{where} {record.name}: expected a factory that can be called")
    if isinstance(record, StoreSpec | SinkSpec):
        _check_options(f"{where} {record.name}", record.options)
    if isinstance(record, SinkSpec) and record.scope not in ("worker", "deployment"):
        raise PluginError(
            f"{where} {record.name} scope: expected 'worker' or 'deployment', got {record.scope!r}"
        )
    if isinstance(record, RouteSpec):
        _check_paths(f"{where} {record.name}", record.paths)


def _check_options(where: str, options: object) -> None:
    if not (isinstance(options, type) and issubclass(options, msgspec.Struct)):
        raise PluginError(f"{where}: expected options to be a msgspec.Struct type")
    required = [field.name for field in msgspec.structs.fields(options) if field.required]
    if required:
        raise PluginError(f"{where}: expected a default for its option {required[0]}")


def _check_paths(where: str, paths: object) -> None:
    if isinstance(paths, str) or not isinstance(paths, Iterable):
        raise PluginError(f"{where}: expected paths to be a list of URI templates")
    for path in paths:
        if not (isinstance(path, str) and path.startswith("/")):
            raise PluginError(f"{where}: expected a path that begins with /, got {path!r}")
