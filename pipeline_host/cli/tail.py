"""``pipeline-host tail``: what a process has written, and what it writes."""

from __future__ import annotations

import json
import re
import sys
from http import HTTPStatus
from typing import Final, Protocol

import click

from pipeline_host.cli.common import client_errors, open_client, resolve, server_option, write_all
from pipeline_host.client import ApiClient, ApiError, Event, follow

FIRST_LOOK: Final = 64 * 1024
"""In how many bytes from the end the beginning of the last lines is looked for first."""

_RANGE: Final = re.compile(r"bytes (\d+)-\d+/(\d+)")
_STDOUT: Final = 1
_STDERR: Final = 2
_SIGPIPE_CODE: Final = 141


@click.command("tail")
@server_option
@click.option("-f", "--follow", "following", is_flag=True, help="Go on until the process ends.")
@click.option("-n", "--lines", type=click.IntRange(min=0), help="Begin with the last N lines.")
@click.option("--split", is_flag=True, help="Print what came from stderr to stderr.")
@click.option("--json", "as_json", is_flag=True, help="Print events, one JSON object a line.")
@click.argument("process", metavar="ID")
def tail_command(
    server: str, following: bool, lines: int | None, split: bool, as_json: bool, process: str
) -> None:
    """Print the output of a process, byte for byte; ID may be the beginning or end of an id.

    With --follow it goes on when a server that was away comes back, and neither loses nor repeats
    anything.
    """
    try:
        with client_errors(), open_client(server) as api:
            process_id = resolve(api, process)
            start, end = _extent(api, process_id, lines)
            if following or split or as_json:
                printer = _JsonPrinter() if as_json else _Printer(split)
                _follow(api, process_id, start, None if following else end, printer)
            elif start < end:
                _print_output(api, process_id, start, end)
    except BrokenPipeError:
        sys.exit(_SIGPIPE_CODE)
    except KeyboardInterrupt:
        sys.exit(130)


def _extent(api: ApiClient, process_id: str, lines: int | None) -> tuple[int, int]:
    """Where the last ``lines`` lines begin, and where the output ends now, in bytes."""
    look = FIRST_LOOK if lines else 1
    while True:
        start, data = _last(api, process_id, look)
        end = start + len(data)
        if lines is None:
            return 0, end
        position = _line_start(data, lines)
        if position or len(data) < look:
            return start + position, end
        look *= 16


def _last(api: ApiClient, process_id: str, length: int) -> tuple[int, bytes]:
    """The last bytes of the output so far, and the offset of the first of them."""
    try:
        with api.open_output(process_id, f"-{length}") as answer:
            data = answer.read()
            found = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    except ApiError as error:
        if error.status != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        return 0, b""
    return (int(found[1]) if found else 0), data


def _line_start(data: bytes, lines: int) -> int:
    """Where the last ``lines`` lines of ``data`` begin; 0 where it has no more than those."""
    position = len(data) - data.endswith(b"\n")
    if not lines:
        return len(data)
    for _ in range(lines):
        position = data.rfind(b"\n", 0, position)
        if position < 0:
            return 0
    return position + 1


def _print_output(api: ApiClient, process_id: str, start: int, end: int) -> None:
    with api.open_output(process_id, f"{start}-{end - 1}") as answer:
        for data in answer.parts():
            write_all(_STDOUT, data)


class _EventPrinter(Protocol):
    def event(self, event: Event, content: bytes) -> None:
        """Print an event; ``content`` is what of its output is wanted."""


class _Printer:
    """Prints what was written, bytes as they are."""

    def __init__(self, split: bool) -> None:
        self._split = split

    def event(self, event: Event, content: bytes) -> None:
        if event.type == "gap":
            missing = json.loads(event.data)["missingBytes"]
            click.echo(f"pipeline-host: {missing} bytes are no longer kept", err=True)
        elif content:
            stderr = self._split and json.loads(event.data).get("stream") == "stderr"
            write_all(_STDERR if stderr else _STDOUT, content)


class _JsonPrinter:
    """Prints each event as one line of JSON."""

    def event(self, event: Event, content: bytes) -> None:
        data = json.loads(event.data)
        if event.type == "chunk":
            if not content:
                return
            data["content"] = content.decode("utf-8", "replace")
        line = json.dumps({"event": event.type, **data}, ensure_ascii=False)
        write_all(_STDOUT, line.encode() + b"\n")


def _follow(
    api: ApiClient, process_id: str, start: int, end: int | None, printer: _EventPrinter
) -> None:
    """Print the output from ``start`` on, up to ``end``, or until the process ends."""
    if end is not None and start >= end:
        return
    position = start
    for event in follow(api, process_id, start=start or None):
        content = b""
        if event.type == "chunk":
            whole = json.loads(event.data)["content"].encode()
            last = len(whole) if end is None else min(len(whole), end - position)
            content = whole[:last]
            position += len(whole)
        elif event.type == "gap":
            position += json.loads(event.data)["missingBytes"]
        printer.event(event, content)
        if end is not None and position >= end:
            return
