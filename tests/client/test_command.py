"""Running commands: real ones, with everything they can do to their pipes and children."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path

import pytest

from pipeline_host.client import command
from pipeline_host.client.command import Command, Control
from pipeline_host.testing.waiting import wait_until


class Runner:
    """Runs one Python program and keeps what it writes."""

    def __init__(self, program: str, *args: str, stop_after: int | None = None) -> None:
        self.written: dict[str, bytes] = defaultdict(bytes)
        self.control = Control()
        self._stop_after = stop_after
        argv = [sys.executable, "-u", "-c", program, *args]
        self.command = Command(argv, os.environ, self._take, self.control)

    def _take(self, stream: str, data: bytes) -> bool:
        self.written[stream] += data
        return self._stop_after is None or len(self.written[stream]) < self._stop_after

    def wait(self) -> int:
        return self.command.wait()


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def number_in(path: Path) -> int:
    return int(wait_until(lambda: path.exists() and path.read_text().strip()))


def test_both_streams_arrive_as_they_were_written() -> None:
    run = Runner("import sys; sys.stdout.write('out'); sys.stderr.write('err'); sys.exit(3)")
    assert run.wait() == 3
    assert run.written == {"stdout": b"out", "stderr": b"err"}


def test_a_flood_arrives_whole() -> None:
    program = "import sys; sys.stdout.buffer.write(bytes(range(256)) * 20_000)"
    run = Runner(program)
    assert run.wait() == 0
    assert run.written["stdout"] == bytes(range(256)) * 20_000


def test_a_signal_is_a_negative_code() -> None:
    assert Runner("import os; os.kill(os.getpid(), 9)").wait() == -signal.SIGKILL


def test_what_cannot_be_started_is_an_error(tmp_path: Path) -> None:
    def ignore(stream: str, data: bytes) -> bool:
        return True

    with pytest.raises(FileNotFoundError):
        Command(["/nothing/here"], {}, ignore, Control())
    plain = tmp_path / "plain"
    plain.write_text("")
    with pytest.raises(PermissionError):
        Command([str(plain)], {}, ignore, Control())


def test_a_reader_that_goes_away_is_sigpipe_to_the_command() -> None:
    program = "import signal\nsignal.signal(13, signal.SIG_DFL)\nwhile True: print('y' * 1000)"
    run = Runner(program, stop_after=5000)
    assert run.wait() == -signal.SIGPIPE
    assert len(run.written["stdout"]) >= 5000


def test_a_command_that_closes_its_output_is_waited_for() -> None:
    program = "import os, sys; os.close(1); os.close(2); sys.stdin.close(); os._exit(7)"
    assert Runner(program).wait() == 7


TERM_IGNORED = "import signal, sys; signal.signal(15, signal.SIG_IGN); print('ready');"


def test_termination_is_asked_for_first() -> None:
    run = Runner(
        "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(5)); print('ready');"
        "time.sleep(60)"
    )
    asker = threading.Thread(
        target=lambda: (wait_until(lambda: run.written["stdout"]), run.control.terminate(30))
    )
    asker.start()
    assert run.wait() == 5
    asker.join()
    assert not run.control.killed


def test_whoever_ignores_it_is_killed_after_the_grace_time() -> None:
    run = Runner(TERM_IGNORED + "import time; time.sleep(60)")
    asker = threading.Thread(
        target=lambda: (wait_until(lambda: run.written["stdout"]), run.control.terminate(0.2))
    )
    asker.start()
    assert run.wait() == -signal.SIGKILL
    asker.join()
    assert run.control.killed


def test_what_ended_in_time_was_not_killed_though_nobody_took_note_of_it_yet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[int] = []
    runs = command._runs
    monkeypatch.setattr(command, "_runs", lambda group: looked.append(group) or runs(group))
    control = Control()
    control.terminate(0)
    with subprocess.Popen(["true"], start_new_session=True) as ended:
        wait_until(lambda: not alive(ended.pid))
        control.attach(ended.pid)
        wait_until(lambda: looked or control.killed)
        control.detach()
    assert not control.killed


def test_orders_given_before_the_start_are_carried_out() -> None:
    control = Control()
    control.terminate(10)
    argv = [sys.executable, "-c", "import time; time.sleep(60)"]
    command = Command(argv, os.environ, lambda stream, data: True, control)
    assert command.wait() == -signal.SIGTERM


FORK = """
import os, sys, time, signal, pathlib
child = os.fork()
if child:
    pathlib.Path(sys.argv[1]).write_text(str(child))
    print("parent")
    os._exit(0)
"""


def test_what_a_child_writes_soon_after_the_end_is_still_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "SILENCE", 10)
    monkeypatch.setattr(command, "LINGER", 30)
    run = Runner(FORK + "time.sleep(0.3); print('child')", str(tmp_path / "pid"))
    assert run.wait() == 0
    assert run.written["stdout"] == b"parent\nchild\n"


def test_a_silent_child_in_the_background_holds_nobody_up_and_lives_on(tmp_path: Path) -> None:
    run = Runner(FORK + "time.sleep(60)", str(tmp_path / "pid"))
    before = time.monotonic()
    assert run.wait() == 0
    assert time.monotonic() - before < 30
    child = number_in(tmp_path / "pid")
    assert alive(child)
    os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize("closing", ["", "os.close(1); os.close(2);"])
def test_ending_a_command_ends_the_children_that_stayed_with_it(
    tmp_path: Path, closing: str
) -> None:
    program = """
import os, sys, time, signal, pathlib
child = os.fork()
if child:
    time.sleep(60)
signal.signal(15, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
"""
    run = Runner(program + closing + "time.sleep(60)", str(tmp_path / "pid"))
    child = number_in(tmp_path / "pid")
    run.control.terminate(0.3)
    assert run.wait() == -signal.SIGTERM
    wait_until(lambda: not alive(child))


@pytest.mark.parametrize("closing", ["", "os.close(1); os.close(2)"])
def test_a_child_gets_the_grace_time_too(tmp_path: Path, closing: str) -> None:
    program = """
import os, sys, time, signal, pathlib
child = os.fork()
if child:
    time.sleep(60)
file = pathlib.Path(sys.argv[1])
def clean_up(*_):
    time.sleep(0.3)
    file.write_text("cleaned up")
    os._exit(0)
signal.signal(15, clean_up)
file.write_text(str(os.getpid()))
"""
    run = Runner(f"{program}{closing}\ntime.sleep(60)", str(tmp_path / "pid"))
    number_in(tmp_path / "pid")
    run.control.terminate(20)
    assert run.wait() == -signal.SIGTERM
    assert (tmp_path / "pid").read_text() == "cleaned up"
    assert not run.control.killed


def test_nothing_stays_open() -> None:
    before = {path.name for path in Path("/proc/self/fd").iterdir()}
    assert Runner("print('x')").wait() == 0
    assert {path.name for path in Path("/proc/self/fd").iterdir()} <= before
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("command-")]
