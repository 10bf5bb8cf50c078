"""Reading the settings; they are declared in :mod:`pipeline_host.settings`.

A setting is taken from the first of these that has it: a flag, the environment
(``PIPELINE_HOST_PORT``), a TOML file (``port = …``), the default.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_origin, get_type_hints

import msgspec

from pipeline_host.errors import InvalidSettings
from pipeline_host.expected import expected
from pipeline_host.settings import DECLARATIONS, Declaration, Settings, default_data_dir
from pipeline_host.sources import Given, from_env, from_file, from_flags, split_list

__all__ = ["Settings", "load_settings", "plugin_options", "settings_reference"]

S = TypeVar("S", bound=msgspec.Struct)


def load_settings(
    flags: Mapping[str, Any] | None = None,
    env: Mapping[str, str] = os.environ,
    config_file: Path | None = None,
) -> Settings:
    """The settings from all their places.

    Args:
        flags: by setting name; ``None`` and the empty list mean not given. ``set`` holds texts of
            the form ``NAME.KEY=VALUE``, ``plugins`` options of plugins by name.
        env: the environment; an empty variable counts as not set.
        config_file: the TOML file; else ``PIPELINE_HOST_CONFIG``, else
            :func:`sources.default_config_file` if it is there.

    Raises:
        InvalidSettings: a value can't be used, a name is unknown, or a file can't be read.
    """
    values: dict[str, Any] = {"data_dir": default_data_dir(env)}
    plugins: dict[str, dict[str, Any]] = {}
    origins: dict[str, str] = {}
    sources = (from_file(env, config_file), from_env(env), from_flags(flags or {}))
    for given in (given for source in sources for given in source):
        head, _, rest = given.path.partition(".")
        if head == "plugins":
            name, _, key = rest.partition(".")
            plugins.setdefault(name, {})[key] = given.value
        else:
            declaration = _declared(given)
            values[head] = _read(given, declaration.kind, is_list=declaration.is_list)
        origins[given.path] = given.origin
    return Settings(**values, plugins=plugins, origins=origins)


def plugin_options(settings: Settings, name: str, options_type: type[S]) -> S:
    """The ``[plugins.NAME]`` settings of a plugin, as the type that it declares for them.

    Raises:
        InvalidSettings: an option is unknown, or has a value that can't be used.
    """
    fields = {field.encode_name: field for field in msgspec.structs.fields(options_type)}
    kinds = get_type_hints(options_type, include_extras=True)
    values: dict[str, Any] = {}
    for key, value in settings.plugins.get(name, {}).items():
        path = f"plugins.{name}.{key}"
        origin = settings.origins.get(path, "the program")
        if key not in fields:
            raise InvalidSettings(f"{path} ({origin}): {_unknown(key, fields)}")
        kind = kinds[fields[key].name]
        if isinstance(value, str) and get_origin(kind) is tuple:
            value = split_list(value)
        given = Given(path, value, origin, Path.cwd(), typed=not isinstance(value, str))
        values[fields[key].name] = _read(given, kind)
    missing = [key for key, field in fields.items() if field.required and field.name not in values]
    if missing:
        raise InvalidSettings(f"plugins.{name}.{missing[0]}: expected a value, but it isn't set")
    return options_type(**values)


def settings_reference() -> str:
    """All settings as a Markdown table, for the documentation."""
    rows = [
        "| setting | flag | environment | default | what it is |",
        "|---|---|---|---|---|",
    ]
    for one in DECLARATIONS.values():
        off = f", `--no-{one.flag[2:]}`" if one.is_switch else ""
        rows.append(
            f"| `{one.name}` | `{one.flag}`{off} | `{one.variable}` | {one.shown} "
            f"| {one.description} Expects {expected(one.kind)}. |"
        )
    return "\n".join(rows) + "\n"


def _declared(given: Given) -> Declaration:
    declaration = DECLARATIONS.get(given.path)
    if declaration is None:
        raise InvalidSettings(
            f"{given.path} ({given.origin}): {_unknown(given.path, DECLARATIONS)}"
        )
    return declaration


def _unknown(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return "no such setting" + (f"; did you mean {close[0]}?" if close else "")


def _read(given: Given, kind: Any, *, is_list: bool = False) -> Any:
    value = list(given.value) if is_list and isinstance(given.value, tuple) else given.value

    def path(target: type, text: Any) -> Any:
        if target is not Path or not isinstance(text, (str, Path)) or not str(text):
            raise ValueError("not a path")
        return given.base / Path(text).expanduser()

    try:
        result = msgspec.convert(value, kind, strict=given.typed, dec_hook=path)
    except (msgspec.ValidationError, RuntimeError) as error:
        raise InvalidSettings(
            f"{given.path} ({given.origin}): expected {expected(kind)}, got {given.value!r}"
        ) from error
    if isinstance(result, float) and not abs(result) < float("inf"):
        raise InvalidSettings(
            f"{given.path} ({given.origin}): expected {expected(kind)}, got {given.value!r}"
        )
    return result
