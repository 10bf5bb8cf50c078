"""``pipeline-host run`` in a terminal: the command sees one too, and what becomes of it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from pipeline_host.client import ApiClient, ClientError
from pipeline_host.testing.waiting import wait_until

from .running import command_line, python, state

LOGIN = """
import fcntl, os, sys, termios
fcntl.ioctl(1, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Has our standard output control the session, as a terminal does; then becomes another program."""

SHOW_SIZES = """
import os, signal, time
def show(*_):
    os.write(1, b"%d lines of %d\\n" % os.get_terminal_size(1)[::-1])
signal.signal(signal.SIGWINCH, show)
show()
time.sleep(60)
"""


class InTerminal:
    """A ``run`` in a terminal of 33 lines of 77 columns.

    Args:
        login: whether the terminal controls its session, and tells it of keys and changes.
    """

    def __init__(
        self, api: ApiClient, name: str, *args: str, login: bool = True, **options: Any
    ) -> None:
        self._api = api
        self._name = name
        self._hanging_up = False
        self.shown = b""
        self._outer, self._inner = pty.openpty()
        self.resize(33, 77)
        words = command_line("run", "--server", api.server_url, "--id", name, *args)
        self.popen = subprocess.Popen(
            [sys.executable, "-c", LOGIN, *words] if login else words,
            start_new_session=True,
            **{"stdout": self._inner, "stderr": self._inner, **options},
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def resize(self, lines: int, columns: int) -> None:
        termios.tcsetwinsize(self._inner, (lines, columns))

    def type(self, keys: bytes) -> None:
        os.write(self._outer, keys)

    def wait_for_output(self, content: bytes) -> None:
        def reported() -> bool:
            try:
                return content in self._api.output(self._name)
            except ClientError:
                return False

        wait_until(reported, 30)

    def end(self) -> int:
        """Its exit code; all that it has shown is in :attr:`shown` then."""
        code = self.popen.wait(30)
        self._close_inner()
        self._reader.join(30)
        return code

    def hang_up(self) -> None:
        """Close the terminal, as a user closes its window."""
        self._hanging_up = True
        os.write(self._inner, b"\n")  # The reader sees that it is to close it.
        self._reader.join(30)

    def stop(self) -> None:
        self.popen.kill()
        self.end()

    def _read(self) -> None:
        try:
            while not self._hanging_up:
                self.shown += os.read(self._outer, 65536)
        except OSError:
            pass  # Nobody has it open any more.
        os.close(self._outer)

    def _close_inner(self) -> None:
        if self._inner >= 0:
            os.close(self._inner)
            self._inner = -1


@pytest.fixture
def in_terminal(api: ApiClient, name: str) -> Iterator[Callable[..., InTerminal]]:
    with ExitStack() as ending:

        def make(*args: str, **options: Any) -> InTerminal:
            running = InTerminal(api, name, *args, **options)
            ending.enter_context(running.popen)
            ending.callback(running.stop)
            return running

        yield make


def test_the_command_sees_a_terminal_and_its_output_is_reported_as_it_wrote_it(
    api: ApiClient, name: str, in_terminal: Callable[..., InTerminal]
) -> None:
    program = (
        "import os; print(os.isatty(1), os.isatty(2), *os.get_terminal_size(2)); print('\\r%')"
    )
    running = in_terminal(*python(program))
    assert running.end() == 0
    assert running.shown == b"True True 77 33\r\n\r%\r\n"
    assert api.output(name) == b"True True 77 33\n\r%\n"
    assert api.get(name)["status"] == "completed"


def test_a_stream_that_goes_elsewhere_is_no_terminal(
    api: ApiClient, name: str, in_terminal: Callable[..., InTerminal]
) -> None:
    program = "import os, sys; print(os.isatty(1)); print(os.isatty(2), file=sys.stderr)"
    running = in_terminal(*python(program), stderr=subprocess.PIPE)
    assert running.popen.communicate(timeout=30)[1] == b"False\n"
    assert running.end() == 0
    assert running.shown == b"True\r\n"
    assert sorted(api.output(name)) == sorted(b"True\nFalse\n")  # in any mixture


@pytest.mark.parametrize(
    ("options", "pagers"), [((), b"cat cat\r\n"), (("--no-tty",), b"less less\r\n")]
)
def test_a_pager_that_would_wait_for_keys_is_not_started(
    in_terminal: Callable[..., InTerminal], options: tuple[str, ...], pagers: bytes
) -> None:
    show = python("import os; print(os.environ['PAGER'], os.environ['GIT_PAGER'])")
    variables = {**os.environ, "PAGER": "less", "GIT_PAGER": "less"}
    running = in_terminal(*options, *show, env=variables)
    assert running.end() == 0
    assert running.shown == pagers


def test_without_a_terminal_it_is_as_in_a_pipe(in_terminal: Callable[..., InTerminal]) -> None:
    running = in_terminal("--no-tty", *python("import os; print(os.isatty(1), os.isatty(2))"))
    assert running.end() == 0
    assert running.shown == b"False False\r\n"


def test_output_that_is_not_held_back_comes_at_once(
    in_terminal: Callable[..., InTerminal],
) -> None:
    buffered = "import time; print('one'); time.sleep(60)"
    running = in_terminal("--", sys.executable, "-c", buffered)
    running.wait_for_output(b"one\n")
    running.type(b"\x03")
    assert running.end() == 130


def test_the_command_is_told_when_the_window_changes(
    in_terminal: Callable[..., InTerminal],
) -> None:
    running = in_terminal(*python(SHOW_SIZES))
    running.wait_for_output(b"33 lines of 77\n")
    running.resize(20, 50)
    running.wait_for_output(b"20 lines of 50\n")
    running.type(b"\x03")
    assert running.end() == 130


def test_a_window_that_changed_while_we_were_stopped_is_told_afterwards(
    api: ApiClient, name: str, in_terminal: Callable[..., InTerminal]
) -> None:
    program = f"import os; print(os.getpid(), end=' ')\n{SHOW_SIZES}"
    running = in_terminal(*python(program), login=False)
    running.wait_for_output(b"33 lines of 77\n")
    both = (running.popen.pid, int(api.output(name).split()[0]))
    running.popen.send_signal(signal.SIGTSTP)
    wait_until(lambda: [state(pid) for pid in both] == ["T", "T"])
    running.resize(20, 50)
    running.popen.send_signal(signal.SIGCONT)
    running.wait_for_output(b"20 lines of 50\n")
    running.popen.send_signal(signal.SIGINT)
    assert running.end() == 130


def test_closing_the_terminal_ends_the_command(
    api: ApiClient, name: str, in_terminal: Callable[..., InTerminal]
) -> None:
    running = in_terminal(*python("import time; print('ready'); time.sleep(60)"))
    running.wait_for_output(b"ready\n")
    running.hang_up()
    assert running.end() == 128 + signal.SIGHUP
    process = api.get(name)
    assert (process["status"], process["exitCode"]) == ("cancelled", 129)
    assert process["cancellation"]["outcome"] == "terminated"
