"""What the commands that talk to a server share."""

from __future__ import annotations

import os
import select
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import Any, Final, TypeVar

import click

from pipeline_host.client import DEFAULT_URL, ApiClient, ApiError, ClientError

F = TypeVar("F", bound=Callable[..., Any])

URL_VARIABLE: Final = "PIPELINE_HOST_URL"
PROCESS_VARIABLE: Final = "PIPELINE_HOST_PROCESS_ID"
MIN_PART: Final = 4
"""How many characters of an id are enough to look for it."""
RECENT: Final = 1000
"""Among how many of the newest processes a part of an id is looked for."""


def server_option(command: F) -> F:
    """Give a command ``--server``."""
    return click.option(
        "--server",
        metavar="URL",
        envvar=URL_VARIABLE,
        default=DEFAULT_URL,
        help=f"The server. [env: {URL_VARIABLE}; default: {DEFAULT_URL}]",
    )(command)


def open_client(server: str) -> ApiClient:
    """A client for what ``--server`` says.

    Raises:
        click.UsageError: it is no URL.
    """
    try:
        return ApiClient(server)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


@contextmanager
def client_errors() -> Iterator[None]:
    """Turn a client's errors into a sentence on stderr and exit code 1."""
    try:
        yield
    except ClientError as error:
        raise click.ClickException(visible(str(error))) from error


def resolve(api: ApiClient, text: str) -> str:
    """The id that ``text`` means: an id, or the beginning or end of just one recent process's.

    Raises:
        ClientError: the server couldn't be asked.
        click.ClickException: there is none, or there are several.
    """
    try:
        api.get(text)
    except ApiError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
    else:
        return text
    found = _matching(api, text) if len(text) >= MIN_PART else ()
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(visible(each) for each in found[:5]) + (", …" if len(found) > 5 else "")
        raise click.ClickException(f"{visible(text)} may be any of {len(found)}: {names}")
    raise click.ClickException(f"{visible(text)}: Process not found")


def _matching(api: ApiClient, text: str) -> Sequence[str]:
    page = api.list(order="desc", limit=RECENT)
    ids = [process["id"] for process in page["processes"]]
    return [each for each in ids if each.startswith(text) or each.endswith(text)]


def stopping(process: Mapping[str, Any]) -> str | None:
    """How far a cancelled process has been stopped; None where nobody cancelled it.

    ``requested`` until whoever runs it says ``terminated``, ``killed`` or ``ignored``.
    """
    cancellation = process.get("cancellation")
    return None if cancellation is None else str(cancellation.get("outcome", "requested"))


def visible(text: str) -> str:
    r"""``text`` with escapes such as ``\x1b`` for what a terminal would obey or not show.

    That is all that Unicode counts as control, format, private, unassigned or line separator:
    nothing that a process is called can move the cursor or turn the line around.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def width(text: str) -> int:
    """How many columns of a terminal ``text`` takes."""
    return sum(_cells(each) for each in text)


def clipped(text: str, columns: int) -> str:
    """``text`` in at most ``columns`` columns; an ellipsis stands for what didn't fit."""
    if width(text) <= columns:
        return text
    taken = 0
    for position, each in enumerate(text):
        taken += _cells(each)
        if taken > columns - 1:
            return text[:position] + "…"[: max(columns, 0)]
    return text


def padded(text: str, columns: int) -> str:
    """``text`` and as many spaces as fill ``columns`` columns."""
    return text + " " * (columns - width(text))


def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def tell(sentence: str) -> None:
    """Say something beside a command's own output."""
    # Whether anybody reads our stderr must make no difference to the command.
    with suppress(OSError):
        click.echo(f"pipeline-host: {sentence}", err=True)


def write_all(descriptor: int, data: bytes) -> None:
    """Write bytes as they are, all of them, past Python's buffers.

    Raises:
        OSError: they can't be written.
    """
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            select.select([], [descriptor], [])
