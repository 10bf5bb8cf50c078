"""The example of an agent: it is watched, stopped, and goes on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pipeline_host.client import ApiClient, ApiError, workspace_identity
from pipeline_host.testing import LiveServer
from pipeline_host.testing.waiting import wait_until

AGENT = Path(__file__).parents[2] / "examples" / "agent_loop.py"


class Agent:
    """The agent at work; tasks are given to it one by one."""

    def __init__(self, url: str, folder: Path, pause: float) -> None:
        command = [sys.executable, str(AGENT), "--server", url, "--pause", str(pause)]
        self.popen = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder
        )

    def give(self, task: str) -> str:
        """Give it a task; the task's process."""
        assert self.popen.stdin is not None
        self.popen.stdin.write(f"{task}\n")
        self.popen.stdin.flush()
        process_id, _, told = self.line().partition(" ")
        assert told == task
        return process_id

    def line(self) -> str:
        """The next that it says."""
        assert self.popen.stdout is not None
        return self.popen.stdout.readline().rstrip()

    def end(self) -> None:
        self.popen.communicate(timeout=30)
        assert self.popen.returncode == 0


def written(api: ApiClient, process_id: str) -> bytes:
    """What it has written; nothing while the server doesn't know it."""
    try:
        return api.output(process_id)
    except ApiError:
        return b""


@pytest.fixture
def start() -> Iterator[Callable[..., Agent]]:
    with ExitStack() as ending:

        def make(url: str, folder: Path, pause: float = 0.001) -> Agent:
            agent = Agent(url, folder, pause)
            ending.enter_context(agent.popen)
            ending.callback(agent.popen.kill)
            return agent

        yield make


def test_it_is_watched_stopped_and_goes_on(
    live_server: Callable[..., LiveServer], start: Callable[..., Agent], tmp_path: Path
) -> None:
    server = live_server()
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "one.txt").touch()
    agent = start(server.url, folder, pause=0.05)
    with ApiClient(server.url) as api:
        first = agent.give("what is here?")
        second = agent.give("what else?" + " and more" * 300)
        wait_until(lambda: written(api, second), 30)
        api.cancel(second)
        assert agent.line() == f"{second} cancelled"
        agent.end()

        done = api.get(first)
        assert done["status"] == "completed"
        assert done["result"] == "I look at what is here. [files: .] You asked: what is here?"
        assert done["metadata"]["workspaceId"] == workspace_identity(folder).id
        assert done["metadata"]["words"] == 13
        output = api.output(first).decode()
        assert output.endswith("(1 files) You asked: what is here?\n ")
        assert " INFO agent: files(.)\n" in output
        [call] = api.list(parent=first)["processes"]
        assert (call["status"], call["result"]) == ("completed", "1 files")
        assert api.output(call["id"]) == b"one.txt\n"

        stopped = api.get(second)
        assert stopped["status"] == "cancelled"
        assert stopped["cancellation"]["outcome"] == "terminated"


def test_it_works_without_a_server(start: Callable[..., Agent], tmp_path: Path) -> None:
    agent = start("http://127.0.0.1:1", tmp_path)
    agent.give("one")
    agent.give("two")
    agent.end()
