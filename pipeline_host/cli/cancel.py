"""``pipeline-host cancel``: ask for processes to be stopped."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

import click

from pipeline_host.cli.common import open_client, resolve, server_option, stopping, visible
from pipeline_host.client import ApiClient, ApiError, ClientError

REQUESTED: Final = "requested"
IGNORED: Final = "ignored"
Process = Mapping[str, Any]

POLL: Final = 0.2
"""How often it is looked whether a process has stopped, in seconds."""


@click.command("cancel")
@server_option
@click.option("--wait", is_flag=True, help="Wait until whoever runs it says that it was stopped.")
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    help="How long to wait.",
)
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
def cancel_command(server: str, wait: bool, timeout: float, ids: tuple[str, ...]) -> None:
    """Ask for each process to be stopped; ID may be the beginning or end of an id.

    The runner gets it at once: it ends the command and all that this started, kills what is left
    after its grace time, and says whether they were terminated or killed, or had ended before
    (ignored). The exit code is 1 if one of them could not be cancelled, or did not stop in time.
    """
    with open_client(server) as api:
        # All are asked before any is waited for.
        results = [_cancel(api, text) for text in ids]
        if wait:
            end = time.monotonic() + timeout
            results = [_stopped(api, each, end, timeout) for each in results]
    if not all(each is not None and stopping(each) != IGNORED for each in results):
        raise click.exceptions.Exit(1)


def _cancel(api: ApiClient, text: str) -> Process | None:
    """Cancel one and tell what happened; the process, None where it can't be cancelled."""
    try:
        process = _cancelled(api, resolve(api, text))
    except ClientError as error:
        click.echo(f"{visible(text)}: {visible(str(error))}", err=True)
    except click.ClickException as error:
        click.echo(error.message, err=True)
    else:
        how_far = stopping(process)
        _tell(process, "cancelled" if how_far is None else f"cancelled ({how_far})")
        return process
    return None


def _cancelled(api: ApiClient, process_id: str) -> Process:
    """The process, which is cancelled now, or was before.

    Raises:
        ClientError: it can't be cancelled.
    """
    try:
        return api.cancel(process_id)
    except ApiError as error:
        if error.terminal_status != "cancelled":
            raise
        return api.get(process_id)


def _stopped(api: ApiClient, process: Process | None, end: float, timeout: float) -> Process | None:
    """The process once it has stopped; None where nobody says so before ``end``."""
    if process is None or stopping(process) != REQUESTED:
        return process
    try:
        while stopping(process) == REQUESTED and time.monotonic() < end:
            time.sleep(POLL)
            process = api.get(process["id"])
    except ClientError as error:
        click.echo(f"{_name(process)}: {visible(str(error))}", err=True)
        return None
    how_far = stopping(process)
    if how_far == REQUESTED:
        sentence = f"nobody said within {timeout:g} s that it stopped"
        click.echo(f"{_name(process)}: {sentence}", err=True)
        return None
    code = process.get("exitCode")
    _tell(process, str(how_far) + ("" if code is None else f" (exit code {code})"))
    return process


def _tell(process: Process, words: str) -> None:
    click.echo(f"{_name(process)}: {visible(words)}")


def _name(process: Process) -> str:
    return visible(f"{process['id']} ({process['promptPreview']})")
