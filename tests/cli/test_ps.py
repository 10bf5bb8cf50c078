"""``pipeline-host ps``."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_host.cli.common import clipped, padded, visible, width
from pipeline_host.cli.ps import table
from pipeline_host.client import ApiClient, workspace_id
from pipeline_host.testing import LiveServer

from .running import START, command_line, run

NOW = 1_795_330_800_000 + 154_000
"""2 min 34 s after :data:`START`."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with one process of each status, and 60 that have completed."""
    with LiveServer(tmp_path_factory.mktemp("ps") / "data") as server:
        with ApiClient(server.url) as api:
            for number in range(60):
                api.create(process(f"old-{number:02}", "completed"))
            for status in ("queued", "running", "completed", "failed", "cancelled"):
                api.create(process(f"the-{status}", status))
        yield server


def process(name: str, status: str = "running", **fields: Any) -> dict[str, Any]:
    given = {"promptPreview": "p", "type": "clarification", "startTime": START}
    return {"id": name, "status": status, **given, **fields}


def ids(server: LiveServer, *args: str) -> list[str]:
    done = run("ps", "--server", server.url, "--json", *args)
    assert done.returncode == 0, done.stderr
    return [each["id"] for each in json.loads(done.stdout)]


def test_it_shows_what_has_not_ended_the_newest_first(shared: LiveServer) -> None:
    done = run("ps", "--server", shared.url)
    lines = done.stdout.decode().splitlines()
    assert lines[0].split() == ["ID", "STATUS", "TIME", "TYPE", "WORKSPACE", "WHAT"]
    assert [line.split()[:2] for line in lines[1:]] == [
        ["the-running", "running"],
        ["the-queued", "queued"],
    ]


def test_it_shows_what_is_asked_for(shared: LiveServer) -> None:
    assert len(ids(shared, "--all")) == 50
    assert len(ids(shared, "-a", "--limit", "1000")) == 65
    assert ids(shared, "-a", "--limit", "2") == ["the-cancelled", "the-failed"]
    assert ids(shared, "--status", "failed", "--status", "queued") == ["the-failed", "the-queued"]
    assert ids(shared, "--type", "no-such-type") == []


def test_a_workspace_is_named_by_its_id_or_its_folder(shared: LiveServer, tmp_path: Path) -> None:
    here = workspace_id(tmp_path)
    with ApiClient(shared.url) as api:
        api.create(process("in-a-workspace", workspaceId=here))
    assert ids(shared, "--workspace", here) == ["in-a-workspace"]
    assert ids(shared, "--workspace", str(tmp_path)) == ["in-a-workspace"]
    assert ids(shared, "--workspace", "another") == []
    with ApiClient(shared.url) as api:
        api.delete("in-a-workspace")


def test_where_nothing_runs_it_says_how_to_see_the_rest(shared: LiveServer) -> None:
    done = run("ps", "--server", shared.url, "--workspace", "another")
    assert done.returncode == 0
    assert done.stderr == b"No process is running; --all shows those that have ended.\n"


def test_a_server_that_is_not_there_is_a_sentence() -> None:
    done = run("ps", "--server", "http://127.0.0.1:1")
    assert done.returncode == 1
    assert done.stderr == b"Error: http://127.0.0.1:1 can't be reached: Connection refused\n"


def test_a_terminal_gets_no_line_longer_than_itself(shared: LiveServer) -> None:
    ours, theirs = pty.openpty()
    environment = os.environ | {"COLUMNS": "50"}
    arguments = command_line("ps", "--server", shared.url, "--all")
    with subprocess.Popen(arguments, stdout=theirs, env=environment) as popen:
        os.close(theirs)
        text = b""
        try:
            while data := os.read(ours, 65536):
                text += data
        except OSError:  # The other end of a terminal was closed.
            os.close(ours)
    assert popen.returncode == 0
    lines = text.decode().splitlines()
    assert len(lines) == 51
    assert max(map(width, lines)) <= 50


UUID = "01930b1e-7a10-7cc3-9a3e-0242ac120002"


def shown(*processes: dict[str, Any], columns: int | None = None) -> list[str]:
    return list(table(processes, NOW, columns))


def test_times_types_and_workspaces() -> None:
    end = "2026-11-22T07:00:45.000Z"
    metadata = {"workspaceId": "w", "workspaceName": "site"}
    ended = process("a", "failed", endTime=end, promptPreview="make", metadata=metadata)
    assert shown(ended, process("b")) == [
        "ID  STATUS   TIME    TYPE           WORKSPACE  WHAT",
        "a   failed   45s     clarification  site       make",
        "b   running  2m 34s  clarification  -          p",
    ]


def test_a_cancelled_process_shows_whether_it_has_stopped() -> None:
    when = {"requestedTime": START}
    asked = process("a", "cancelled", endTime=START, cancellation=when)
    killed = process("b", "cancelled", endTime=START, cancellation=when | {"outcome": "killed"})
    patched = process("c", "cancelled", endTime=START)
    cells = [line[4:27].rstrip() for line in shown(asked, killed, patched)[1:]]
    assert cells == ["cancelled (requested)", "cancelled (killed)", "cancelled"]


def test_a_narrow_terminal_shows_the_end_of_long_ids_and_clips_lines() -> None:
    line = shown(process(UUID, promptPreview="x" * 100), columns=70)[1]
    assert line.startswith(f"{UUID[-12:]}  running")
    assert line.endswith("x…")
    assert width(line) == 70
    assert shown(process(UUID, promptPreview="x" * 100), columns=150)[1].startswith(UUID)
    assert shown(process(UUID, promptPreview="x" * 500))[1].endswith("x" * 500)


def test_nothing_that_a_process_is_called_reaches_the_terminal_as_a_command() -> None:
    nasty = "\x1b]0;owned\x07\x1b[2J\r\n\u202e\x9b31m\u2028\x7f\t"
    lines = shown(process(f"i{nasty}", type=nasty, promptPreview=nasty))
    assert len(lines) == 2
    assert lines[1].isprintable()
    assert r"\x1b]0;owned\x07\x1b[2J\r\n\u202e\x9b31m\u2028\x7f\t" in lines[1]


@given(st.text())
def test_what_is_shown_is_printable(text: str) -> None:
    assert visible(text).isprintable()
    assert text.isprintable() == (visible(text) == text)


@given(st.text().map(visible), st.integers(0, 20))
def test_what_is_clipped_fits(text: str, columns: int) -> None:
    assert width(clipped(text, columns)) <= columns
    assert clipped(text, width(text)) == text
    assert width(padded(clipped(text, columns), columns)) == columns


def test_wide_characters_take_two_columns() -> None:
    assert width("日本") == 4
    assert clipped("日本語", 5) == "日本…"
    assert width("e\u0301") == 1
