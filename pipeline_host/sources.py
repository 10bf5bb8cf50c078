"""Where settings are set: a TOML file, the environment, flags. Nothing is checked here yet."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from pipeline_host.errors import InvalidSettings
from pipeline_host.settings import DECLARATIONS

CONFIG_VARIABLE: Final = "PIPELINE_HOST_CONFIG"
_PLUGINS_PREFIX: Final = "PIPELINE_HOST_PLUGINS_"


class Given(NamedTuple):
    """A value that somebody set, not looked at yet.

    Attributes:
        path: ``port``, or ``plugins.file.durability``.
        origin: where it was set, for people.
        base: the folder that a relative path starts from.
        typed: the value has a type of its own, as in TOML, and isn't read from text.
    """

    path: str
    value: Any
    origin: str
    base: Path
    typed: bool = False


def default_config_file(env: Mapping[str, str]) -> Path:
    """The settings file that is read when none is named, if it is there (same specification)."""
    home = env.get("XDG_CONFIG_HOME") or Path(env.get("HOME") or Path.home()) / ".config"
    return Path(home) / "pipeline_host" / "config.toml"


def from_file(env: Mapping[str, str], named: Path | None) -> Iterator[Given]:
    asked = named or (Path(env[CONFIG_VARIABLE]) if env.get(CONFIG_VARIABLE) else None)
    file = asked or default_config_file(env)
    try:
        tree = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        if asked:
            raise InvalidSettings(f"{file}: no such settings file") from None
        return
    except OSError as error:
        raise InvalidSettings(f"{file}: can't be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"{file}: expected TOML, but {error}") from error
    plugins = tree.pop("plugins", {})
    for name, value in tree.items():
        yield Given(name, value, str(file), file.parent.absolute(), typed=True)
    yield from _options(plugins, str(file))


def _options(tables: object, origin: str) -> Iterator[Given]:
    """The options of plugins, from a table of tables."""
    if not isinstance(tables, Mapping):
        raise InvalidSettings(f"plugins ({origin}): expected tables, [plugins.NAME]")
    for name, table in tables.items():
        if not isinstance(table, Mapping):
            raise InvalidSettings(f"plugins.{name} ({origin}): expected a table, [plugins.{name}]")
        for key, value in table.items():
            yield Given(f"plugins.{name}.{key}", value, origin, Path.cwd(), typed=True)


def from_env(env: Mapping[str, str]) -> Iterator[Given]:
    for declaration in DECLARATIONS.values():
        text = env.get(declaration.variable)
        if text:
            value = split_list(text) if declaration.is_list else text
            yield Given(declaration.name, value, declaration.variable, Path.cwd())
    for variable, text in env.items():
        name, _, key = variable.removeprefix(_PLUGINS_PREFIX).lower().partition("_")
        if variable.startswith(_PLUGINS_PREFIX) and key and text:
            yield Given(f"plugins.{name}.{key}", text, variable, Path.cwd())


def from_flags(flags: Mapping[str, Any]) -> Iterator[Given]:
    for name, value in flags.items():
        if value is None or (value == () and name in DECLARATIONS):
            continue
        if name == "set":
            yield from _assignments(value)
        elif name == "plugins":
            yield from _options(value, "the program")
        else:
            flag = DECLARATIONS[name].flag if name in DECLARATIONS else "the program"
            yield Given(name, value, flag, Path.cwd())


def _assignments(texts: Iterable[str]) -> Iterator[Given]:
    for text in texts:
        path, equals, value = text.partition("=")
        name, _, key = path.partition(".")
        if not (name and key and equals):
            raise InvalidSettings(f"--set {text}: expected NAME.KEY=VALUE")
        yield Given(f"plugins.{name}.{key}", value, f"--set {path}", Path.cwd())


def split_list(text: str) -> list[str]:
    """The parts of a list that is written as one text, with commas."""
    return [part.strip() for part in text.split(",") if part.strip()]
