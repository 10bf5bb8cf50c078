"""``pipeline-host``: the commands of its own, and those that plugins provide."""

from __future__ import annotations

import importlib
import logging
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from pipeline_host._version import __version__
from pipeline_host.errors import PipelineHostError, PluginError

if TYPE_CHECKING:
    from pipeline_host.hookspecs import CommandSpec
    from pipeline_host.plugins import Provided

log: Final = logging.getLogger(__name__)

COMMANDS: Final = {
    "serve": "pipeline_host.cli.serve:serve_command",
    "run": "pipeline_host.cli.run:run_command",
    "ps": "pipeline_host.cli.ps:ps_command",
    "tail": "pipeline_host.cli.tail:tail_command",
    "cancel": "pipeline_host.cli.cancel:cancel_command",
    "doctor": "pipeline_host.cli.doctor:doctor_command",
    "plugins": "pipeline_host.cli.plugins:plugins_command",
}
"""Each is imported when it is called, so that ``ps`` needn't wait for the server's libraries."""


class Commands(click.Group):
    """Looks among our own commands first; plugins are loaded only where a name is none of those."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *sorted(self._provided(ctx))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            return _import(COMMANDS[cmd_name])
        provided = self._provided(ctx).get(cmd_name)
        return None if provided is None else _make(provided)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command; an error of ours is one sentence on stderr and exit code 1."""
        try:
            return super().main(*args, **kwargs)
        except PipelineHostError as error:
            click.echo(f"Error: {error}", err=True)
            sys.exit(1)

    def _provided(self, ctx: click.Context) -> dict[str, Provided[CommandSpec]]:
        """The commands of plugins by name, loaded once for a call of ``pipeline-host``."""
        found: dict[str, Provided[CommandSpec]] | None = ctx.meta.get(__name__)
        if found is None:
            found = ctx.meta[__name__] = _load_provided()
        return found


def _import(where: str) -> click.Command:
    module, _, name = where.partition(":")
    command = getattr(importlib.import_module(module), name)
    assert isinstance(command, click.Command)
    return command


def _load_provided() -> dict[str, Provided[CommandSpec]]:
    """What plugins provide; what of it can't be used is told on stderr and harms nothing else."""
    from pipeline_host.config import load_settings
    from pipeline_host.plugins import load_plugins

    try:
        plugins = load_plugins(load_settings())
    except PipelineHostError as error:
        click.echo(f"Plugins aren't loaded: {error}", err=True)
        return {}
    for one in plugins.commands:
        if one.spec.name in COMMANDS:
            click.echo(
                f"{one.plugin} provides a command called {one.spec.name}, which pipeline-host has "
                "itself; it isn't used",
                err=True,
            )
    return {one.spec.name: one for one in plugins.commands if one.spec.name not in COMMANDS}


def _make(provided: Provided[CommandSpec]) -> click.Command:
    """A plugin's command; where it can't be made, one that says so when it is called."""
    spec = provided.spec
    try:
        command: object = spec.factory()
    except Exception as error:
        log.debug("command %s", spec.name, exc_info=True)
        return _broken(provided, repr(error))
    if not isinstance(command, click.Command):
        return _broken(provided, f"expected a click.Command, got {command!r}")
    command.short_help = command.short_help or spec.summary
    return command


def _broken(provided: Provided[CommandSpec], why: str) -> click.Command:
    def fail() -> None:
        raise PluginError(f"command {provided.spec.name}: {provided.plugin} can't make it: {why}")

    return click.Command(provided.spec.name, callback=fail, short_help=provided.spec.summary)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pipeline-host")
def main() -> None:
    """One small server that agents, reviews and pipelines report to, and its commands."""
