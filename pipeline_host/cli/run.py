"""``pipeline-host run``: a command, reported as a process."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pipeline_host.cli.common import PROCESS_VARIABLE, server_option
from pipeline_host.cli.job import GRACE_VARIABLE, SPOOL_VARIABLE, Job
from pipeline_host.cli.supervise import Run
from pipeline_host.wire import MAX_LEASE, MIN_LEASE


def _lease(context: click.Context, option: click.Parameter, value: float) -> float:
    if 0 < value < MIN_LEASE:
        raise click.BadParameter(f"expected 0, or {MIN_LEASE} to {MAX_LEASE}")
    return value


@click.command("run", context_settings={"allow_interspersed_args": False})
@server_option
@click.option("--name", metavar="TEXT", help="What to call it; else the command line.")
@click.option("--type", "kind", default="pipeline-execution", show_default=True, metavar="TEXT")
@click.option(
    "--workspace",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The workspace it belongs to; else the git working tree around here, else this folder.",
)
@click.option(
    "--parent",
    metavar="ID",
    envvar=PROCESS_VARIABLE,
    help=f"The process that this is a part of. [env: {PROCESS_VARIABLE}, set by a run around it]",
)
@click.option("--id", "process_id", metavar="ID", help="The process's id; else a new one.")
@click.option(
    "--grace",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    envvar=GRACE_VARIABLE,
    default=5.0,
    show_default=True,
    help="How long a cancelled command has between SIGTERM and SIGKILL.",
)
@click.option(
    "--flush-timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    help="How long to wait at the end for a server that can't be reached.",
)
@click.option(
    "--spool",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    envvar=SPOOL_VARIABLE,
    help="Keep in this folder what the server could not be told; the next run with it tells it. "
    f"[env: {SPOOL_VARIABLE}]",
)
@click.option(
    "--lease",
    metavar="SECONDS",
    type=click.FloatRange(0, MAX_LEASE),
    callback=_lease,
    default=30.0,
    show_default=True,
    help="After how long without a word from here the server takes the process for lost, and "
    "failed; 0 for never, such as for a command that is to be stopped with Ctrl-Z for long.",
)
@click.option(
    "--no-tty", is_flag=True, help="Run the command as in a pipe, even where we have a terminal."
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run_command(
    server: str,
    name: str | None,
    kind: str,
    workspace: Path | None,
    parent: str | None,
    process_id: str | None,
    grace: float,
    flush_timeout: float,
    spool: Path | None,
    lease: float,
    no_tty: bool,
    command: tuple[str, ...],
) -> None:
    """Run COMMAND, and report its output and its end as they come.

    Its output still comes here, and its exit code is ours (128 + n where signal n ended it, 127
    where it wasn't found, 126 where it can't be executed). Ctrl-C is passed on to it, a second
    one kills it; a cancel on the server ends it. A server that can't be reached changes nothing
    for the command. A child that it leaves in the background can write until a second of silence,
    at most for ten seconds.

    Where our output is a terminal, the command's is one too, of the same size; elsewhere, and with
    --no-tty, it is a pipe. Keys reach the command through its standard input only: what opens the
    terminal itself for them, such as a prompt for a password, can't have it. So PAGER and its
    like are set to "cat" there: "git log" shows all of its output instead of a page.
    """
    job = Job(
        command=command,
        server=server,
        name=name,
        type=kind,
        workspace=workspace,
        parent=parent,
        process_id=process_id,
        grace=grace,
        flush_timeout=flush_timeout,
        spool=spool,
        lease=lease,
        tty=not no_tty,
    )
    try:
        process = Run(job)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    sys.exit(process.execute())
