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
        results = [_cancel(api, text, timeout if wait else None) for text in ids]
    if not all(results):
        raise click.exceptions.Exit(1)


def _cancel(api: ApiClient, text: str, timeout: float | None) -> bool:
    """Cancel one and tell what happened; whether all went well."""
    try:
        process = _cancelled(api, resolve(api, text))
        told = stopping(process)
        _tell(process, "cancelled" if told is None else f"cancelled ({told})")
        if timeout is None or told != REQUESTED:
            return told != IGNORED
        return _stopped(api, process["id"], timeout)
    except ClientError as error:
        click.echo(f"{visible(text)}: {visible(str(error))}", err=True)
    except click.ClickException as error:
        click.echo(error.message, err=True)
    return False


def _cancelled(api: ApiClient, process_id: str) -> Mapping[str, Any]:
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


def _stopped(api: ApiClient, process_id: str, timeout: float) -> bool:
    end = time.monotonic() + timeout
    while True:
        process = api.get(process_id)
        told = stopping(process)
        if told != REQUESTED:
            code = process.get("exitCode")
            _tell(process, str(told) + ("" if code is None else f" (exit code {code})"))
            return told != IGNORED
        if time.monotonic() >= end:
            sentence = f"nobody said within {timeout:g} s that it stopped"
            click.echo(f"{_name(process)}: {sentence}", err=True)
            return False
        time.sleep(POLL)


def _tell(process: Mapping[str, Any], words: str) -> None:
    click.echo(f"{_name(process)}: {visible(words)}")


def _name(process: Mapping[str, Any]) -> str:
    return visible(f"{process['id']} ({process['promptPreview']})")
