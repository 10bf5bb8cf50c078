"""The example of an editor's extension: the server shows what the editor has."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pipeline_host.client import ApiClient, workspace_identity
from pipeline_host.testing import LiveServer
from pipeline_host.testing.waiting import wait_until

EXTENSION = Path(__file__).parents[2] / "examples" / "editor_extension.py"
START = "2026-11-22T07:00:00.000Z"


class Editor:
    """An editor with that extension, and its processes."""

    def __init__(self, url: str, folder: Path) -> None:
        self.folder = folder
        command = [sys.executable, "-u", str(EXTENSION), str(folder), "--server", url]
        self.popen = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def set(self, name: str, **fields: Any) -> None:
        """Make or change a process of the editor's."""
        process = {"promptPreview": "p", "status": "running", "startTime": START, **fields}
        path = self.folder / f"{name}.json"
        path.with_suffix(".new").write_text(json.dumps(process))
        path.with_suffix(".new").replace(path)

    def forget(self, name: str) -> None:
        (self.folder / f"{name}.json").unlink()

    def noticed(self, name: str, **fields: Any) -> bool:
        """Whether the extension has told its client of these fields."""
        told = self.folder / ".pipeline_host" / "told.json"
        process = json.loads(told.read_text() if told.exists() else "{}").get(name, {})
        return all(process.get(field) == value for field, value in fields.items()) and bool(process)

    def wait_for(self, line: str) -> None:
        assert self.popen.stdout is not None
        assert self.popen.stdout.readline().rstrip() == line

    def close(self) -> None:
        self.popen.send_signal(signal.SIGTERM)
        self.popen.communicate(timeout=30)
        assert self.popen.returncode == 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "project"
    made.mkdir()
    return made


@pytest.fixture
def open_editor(folder: Path) -> Iterator[Callable[[str], Editor]]:
    with ExitStack() as ending:

        def make(url: str) -> Editor:
            editor = Editor(url, folder)
            ending.enter_context(editor.popen)
            ending.callback(editor.popen.kill)
            return editor

        yield make


def shown(api: ApiClient) -> dict[str, str]:
    """The processes on the server, and their statuses."""
    return {each["id"]: each["status"] for each in api.list()["processes"]}


def test_the_server_shows_what_the_editor_has(
    live_server: Callable[..., LiveServer], folder: Path, open_editor: Callable[[str], Editor]
) -> None:
    server = live_server()
    with ApiClient(server.url) as api:
        editor = open_editor(server.url)
        editor.set("a")
        editor.set("b")
        wait_until(lambda: shown(api) == {"a": "running", "b": "running"})
        editor.set("a", status="completed", result="Fine.")
        editor.forget("b")
        editor.set("c", status="queued")
        wait_until(lambda: shown(api) == {"a": "completed", "c": "queued"})
        assert api.get("a")["result"] == "Fine."
        assert api.get("a")["metadata"]["workspaceId"] == workspace_identity(folder).id
        assert workspace_identity(folder).record() in api.workspaces()
        editor.close()


def test_what_the_editor_did_without_a_server_arrives_when_both_are_back(
    live_server: Callable[..., LiveServer], open_editor: Callable[[str], Editor]
) -> None:
    server = live_server()
    with ApiClient(server.url) as api:
        editor = open_editor(server.url)
        editor.set("a")
        editor.set("gone")
        wait_until(lambda: len(shown(api)) == 2)
        server.kill()
        editor.set("a", result="while it was away")
        editor.set("new")
        editor.forget("gone")
        wait_until(lambda: editor.noticed("new") and not editor.noticed("gone"))
        editor.close()

        editor = open_editor(server.url)
        editor.set("new", status="completed")
        wait_until(lambda: editor.noticed("new", status="completed"))
        os.kill(editor.popen.pid, signal.SIGKILL)

        server.start()
        editor = open_editor(server.url)
        wait_until(lambda: shown(api) == {"a": "running", "new": "completed"}, 30)
        wait_until(lambda: api.get("a").get("result") == "while it was away")
        editor.close()
