"""The flags of commands, made from the declarations of the settings."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from pipeline_host.config import load_settings
from pipeline_host.expected import expected
from pipeline_host.settings import DECLARATIONS, Declaration

F = TypeVar("F", bound=Callable[..., Any])

PLUGIN_SETTINGS: Final = ("block", "safe_mode")
"""What a command needs to know to find the plugins."""


def settings_options(names: Collection[str] = tuple(DECLARATIONS)) -> Callable[[F], F]:
    """Give a command a flag for each of these settings, and hand it ``settings``.

    ``--config`` names the settings file; ``--set`` an option of a plugin.

    Raises (when the command is called):
        InvalidSettings: a setting has a value that can't be used.
    """

    def decorate(command: F) -> F:
        @functools.wraps(command)
        def with_settings(*args: Any, config: Path | None, **given: Any) -> Any:
            flags = {name: given.pop(name) for name in (*names, "set")}
            return command(*args, settings=load_settings(flags, config_file=config), **given)

        options = [_option(DECLARATIONS[name]) for name in DECLARATIONS if name in names]
        wrapped: Any = with_settings
        for option in reversed([*options, _SET, _CONFIG]):
            wrapped = option(wrapped)
        return wrapped  # type: ignore[no-any-return]

    return decorate


def _option(one: Declaration) -> Callable[[Any], Any]:
    kind = "may be repeated" if one.is_list else expected(one.kind)
    help_text = f"{one.description} [{kind}; default: {one.shown.strip('`')}]"
    if one.is_switch:
        flag = f"{one.flag}/--no-{one.flag[2:]}"
        return click.option(flag, one.name, default=None, help=help_text)
    return click.option(
        one.flag,
        one.name,
        multiple=one.is_list,
        default=() if one.is_list else None,
        metavar=one.metavar or "VALUE",
        help=help_text,
    )


_SET: Final = click.option(
    "--set",
    multiple=True,
    metavar="NAME.KEY=VALUE",
    help="An option of a plugin, as in the table [plugins.NAME] of the settings file.",
)
_CONFIG: Final = click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The settings file, in TOML.",
)
