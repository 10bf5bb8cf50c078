"""``pipeline-host doctor``: what is wrong with the data, and what could not be delivered."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator, Sequence
from typing import Final

import click
import msgspec
from msgspec.structs import replace

from pipeline_host.cli.common import visible
from pipeline_host.cli.options import PLUGIN_SETTINGS, settings_options
from pipeline_host.config import Settings
from pipeline_host.dead_letters import FOLDER, DeadLetter, read_dead_letters
from pipeline_host.errors import PipelineHostError
from pipeline_host.models import Model
from pipeline_host.store import ExaminedStore

SETTINGS: Final = ("data_dir", "store", *PLUGIN_SETTINGS)


class Findings(Model, frozen=True):
    """What was found.

    Attributes:
        problems: what is wrong with the data, a sentence each.
        dead_letters: what sinks have given up to deliver.
    """

    data_dir: str
    store: str
    problems: Sequence[str]
    dead_letters: Sequence[DeadLetter]

    @property
    def healthy(self) -> bool:
        return not self.problems and not self.dead_letters


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@settings_options(SETTINGS)
def doctor_command(settings: Settings, as_json: bool) -> None:
    """Look for damaged data and undelivered messages.

    Nothing is made, repaired or removed; the server may run meanwhile. The exit code is 1 if
    something is wrong.
    """
    found = examine(settings)
    if as_json:
        click.echo(as_json_text(found))
    else:
        for line in report(found):
            click.echo(visible(line))
    sys.exit(0 if found.healthy else 1)


def examine(settings: Settings) -> Findings:
    """Look at the data directory, through the store that the settings name."""
    problems: list[str] = []
    letters: list[DeadLetter] = []
    if settings.data_dir.is_dir():
        with _quiet():
            problems += _problems_of_store(settings)
        try:
            letters += read_dead_letters(settings.data_dir)
        except OSError as error:
            problems.append(f"{error.filename}: can't be read: {error.strerror}")
    else:
        problems.append(f"{settings.data_dir}: there is no such folder")
    return Findings(
        data_dir=str(settings.data_dir),
        store=settings.store,
        problems=tuple(problems),
        dead_letters=tuple(letters),
    )


def as_json_text(found: Findings) -> str:
    values = {"problems": [], "deadLetters": [], **msgspec.to_builtins(found)}
    return msgspec.json.format(msgspec.json.encode(values), indent=2).decode()


def report(found: Findings) -> Iterator[str]:
    """The lines that tell of it."""
    yield f"Data directory {found.data_dir}, store {found.store}"
    for problem in found.problems:
        yield f"  problem: {problem}"
    for letter in found.dead_letters:
        yield (
            f"  dead letter: {letter.time} {letter.sink}: change {letter.seq} to {letter.target}, "
            f"tried {letter.attempts} times: {letter.reason}"
        )
    if found.dead_letters:
        yield f"  (dead letters are kept in the folder {FOLDER}; delete what was dealt with)"
    if found.healthy:
        yield "  nothing is wrong"


def _problems_of_store(settings: Settings) -> Sequence[str]:
    from pipeline_host.app import open_store
    from pipeline_host.plugins import load_plugins, select_store

    try:
        chosen = select_store(load_plugins(settings), settings)
        alone = replace(settings, workers=1)
        with contextlib.closing(open_store(chosen, alone, examining=True)) as store:
            store.stats()
            return store.examine() if isinstance(store, ExaminedStore) else ()
    except PipelineHostError as error:
        return (str(error),)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Log no warnings meanwhile: what is wrong is told in the findings."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
