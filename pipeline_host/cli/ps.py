"""``pipeline-host ps``: the processes, as a table."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from pipeline_host.cli.common import (
    client_errors,
    clipped,
    open_client,
    padded,
    server_option,
    stopping,
    visible,
    width,
)
from pipeline_host.client import ApiClient, workspace_id
from pipeline_host.models import STATUSES, TERMINAL
from pipeline_host.times import format_duration, now_ms, parse_timestamp, to_ms

HEADINGS: Final = ("ID", "STATUS", "TIME", "TYPE", "WORKSPACE", "WHAT")
GAP: Final = "  "
PAGE: Final = 1000
ID_END: Final = 12
"""How much of a long id is shown where columns are few: its end, which is never like another's."""
NARROW: Final = 120
MOST: Final = {"TYPE": 18, "WORKSPACE": 16}
"""How many columns a heading gets at most on a terminal."""

Process = Mapping[str, Any]


@click.command("ps")
@server_option
@click.option("-a", "--all", "everything", is_flag=True, help="Show those that have ended, too.")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice(STATUSES),
    help="Show those of this status; may be given several times.",
)
@click.option("--workspace", metavar="ID|DIR", help="Show those of this workspace.")
@click.option("--type", "kind", metavar="TEXT", help="Show those of this type.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Show at most so many, the newest.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array, with all fields.")
def ps_command(
    server: str,
    everything: bool,
    statuses: tuple[str, ...],
    workspace: str | None,
    kind: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Show the processes that have not ended, the newest first.

    A terminal shows as much as its width allows; elsewhere nothing is cut. The end of an id is
    enough for the other commands. A cancelled process is "requested" to stop until whoever runs
    it says that it was terminated or killed, or had ended before (ignored).
    """
    wanted = statuses or (() if everything else [s for s in STATUSES if s not in TERMINAL])
    query = {
        "status": ",".join(wanted) or None,
        "workspace": None if workspace is None else _workspace(workspace),
        "type": kind,
    }
    with client_errors(), open_client(server) as api:
        found = list(_processes(api, query, limit))
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in table(found, now_ms(), columns):
        click.echo(line)
    if not found and not everything and not statuses:
        click.echo("No process is running; --all shows those that have ended.", err=True)


def _workspace(text: str) -> str:
    return workspace_id(text) if Path(text).is_dir() else text


def _processes(api: ApiClient, query: Mapping[str, str | None], limit: int) -> Iterator[Process]:
    cursor: str | None = None
    while limit > 0:
        page = api.list(order="desc", limit=min(limit, PAGE), cursor=cursor, **query)
        yield from page["processes"]
        limit -= len(page["processes"])
        cursor = page.get("nextCursor")
        if cursor is None:
            return


def table(processes: Sequence[Process], now: int, columns: int | None) -> Iterator[str]:
    """The lines of the table.

    Args:
        processes: as the server gives them.
        now: milliseconds since 1970, for how long a process has been running.
        columns: of the terminal; None where nothing is to be cut.
    """
    narrow = columns is not None and columns < NARROW
    rows = [HEADINGS, *(_row(process, now, narrow) for process in processes)]
    most = {} if columns is None else MOST
    widths = [
        min(max(width(row[n]) for row in rows), most.get(heading, sys.maxsize))
        for n, heading in enumerate(HEADINGS)
    ]
    for row in rows:
        cells = (padded(clipped(cell, n), n) for cell, n in zip(row, widths, strict=True))
        line = GAP.join(cells).rstrip()
        yield line if columns is None else clipped(line, columns)


def _row(process: Process, now: int, narrow: bool) -> tuple[str, ...]:
    metadata = process.get("metadata") or {}
    name, preview = process["id"], process["promptPreview"]
    if narrow and len(name) > ID_END:
        name = name[-ID_END:]
    workspace = metadata.get("workspaceName") or metadata.get("workspaceId") or "-"
    cells = (name, _status(process), _time(process, now), process["type"], workspace, preview)
    return tuple(visible(str(cell)) for cell in cells)


def _status(process: Process) -> str:
    """Its status, and how far it has been stopped where somebody cancelled it."""
    how_far = stopping(process)
    return str(process["status"]) if how_far is None else f"{process['status']} ({how_far})"


def _time(process: Process, now: int) -> str:
    """How long it took, or has taken until now."""
    end = process.get("endTime")
    ended = now if end is None else to_ms(parse_timestamp(end))
    return format_duration(ended - to_ms(parse_timestamp(process["startTime"])))
