"""``pipeline-host serve``."""

from __future__ import annotations

import sys

import click

from pipeline_host.cli.options import settings_options
from pipeline_host.config import Settings


@click.command("serve")
@settings_options()
def serve_command(settings: Settings) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Prints one line, the address, as soon as the server answers.
    """
    from pipeline_host.server import serve

    sys.exit(serve(settings))
