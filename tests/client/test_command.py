"""Running commands: real ones, with all they can do to pipes, terminals and children."""

from __future__ import annotations

import errno
import os
import pty
import signal
import subprocess
import sys
import termios
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from pipeline_host.client import command
from pipeline_host.client.channels import Terminal
from pipeline_host.client.command import Command, Control
from pipeline_host.testing.waiting import wait_until


class Runner:
    """Runs one Python program and keeps what it writes."""

    def __init__(
        self,
        program: str,
        *args: str,
        stop_after: int | None = None,
        terminals: Mapping[str, int] | None = None,
    ) -> None:
        self.written: dict[str, bytes] = defaultdict(bytes)
        self.control = Control()
        self._stop_after = stop_after
        argv = [sys.executable, "-u", "-c", program, *args]
        self.command = Command(argv, os.environ, self._take, self.control, terminals)

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


@pytest.fixture
def terminal() -> Iterator[int]:
    """A terminal of ours; its window has 33 lines of 77 columns."""
    outer, inner = pty.openpty()
    termios.tcsetwinsize(inner, (33, 77))
    yield inner
    os.close(inner)
    os.close(outer)


@pytest.fixture(params=["pipes", "terminals"])
def terminals(request: pytest.FixtureRequest, terminal: int) -> dict[str, int]:
    """For what must be the same with pipes and with terminals."""
    return {} if request.param == "pipes" else {"stdout": terminal, "stderr": terminal}


def test_both_streams_arrive_as_they_were_written(terminals: dict[str, int]) -> None:
    program = "import sys; sys.stdout.write('out'); sys.stderr.write('err'); sys.exit(3)"
    run = Runner(program, terminals=terminals)
    assert run.wait() == 3
    assert run.written == {"stdout": b"out", "stderr": b"err"}


def test_a_flood_arrives_whole(terminals: dict[str, int]) -> None:
    program = "import sys; sys.stdout.buffer.write(bytes(range(256)) * 20_000)"
    run = Runner(program, terminals=terminals)
    assert run.wait() == 0
    assert run.written["stdout"] == bytes(range(256)) * 20_000


def test_what_was_written_last_arrives_though_it_is_read_after_the_end(
    terminals: dict[str, int],
) -> None:
    program = "import os; os.write(1, b'x' * 10_000); os.write(2, b'y' * 9_000)"
    run = Runner(program, terminals=terminals)
    wait_until(lambda: not alive(run.command._process.pid))
    assert run.wait() == 0
    assert run.written == {"stdout": b"x" * 10_000, "stderr": b"y" * 9_000}


def test_a_signal_is_a_negative_code() -> None:
    assert Runner("import os; os.kill(os.getpid(), 9)").wait() == -signal.SIGKILL


def test_what_cannot_be_started_is_an_error(tmp_path: Path, terminals: dict[str, int]) -> None:
    def ignore(stream: str, data: bytes) -> bool:
        return True

    with pytest.raises(FileNotFoundError):
        Command(["/nothing/here"], {}, ignore, Control())
    plain = tmp_path / "plain"
    plain.write_text("")
    before = set(Path("/proc/self/fd").iterdir())
    with pytest.raises(PermissionError):
        Command([str(plain)], {}, ignore, Control(), terminals)
    assert set(Path("/proc/self/fd").iterdir()) <= before


def test_a_reader_that_goes_away_is_sigpipe_to_the_command() -> None:
    program = "import signal\nsignal.signal(13, signal.SIG_DFL)\nwhile True: print('y' * 1000)"
    run = Runner(program, stop_after=5000)
    assert run.wait() == -signal.SIGPIPE
    assert len(run.written["stdout"]) >= 5000


def test_a_reader_that_goes_away_is_eio_at_a_terminal(terminal: int) -> None:
    program = """
import os
try:
    while True: os.write(1, b'y' * 1000)
except OSError as error:
    os._exit(error.errno)
"""
    run = Runner(program, stop_after=5000, terminals={"stdout": terminal})
    assert run.wait() == errno.EIO
    assert len(run.written["stdout"]) >= 5000


def test_a_command_that_closes_its_output_is_waited_for(terminals: dict[str, int]) -> None:
    program = "import os, sys; os.close(1); os.close(2); sys.stdin.close(); os._exit(7)"
    assert Runner(program, terminals=terminals).wait() == 7


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
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminals: dict[str, int]
) -> None:
    monkeypatch.setattr(command, "SILENCE", 10)
    monkeypatch.setattr(command, "LINGER", 30)
    program = FORK + "time.sleep(0.3); print('child')"
    run = Runner(program, str(tmp_path / "pid"), terminals=terminals)
    assert run.wait() == 0
    assert run.written["stdout"] == b"parent\nchild\n"


def test_a_silent_child_in_the_background_holds_nobody_up_and_lives_on(
    tmp_path: Path, terminals: dict[str, int]
) -> None:
    run = Runner(FORK + "time.sleep(60)", str(tmp_path / "pid"), terminals=terminals)
    before = time.monotonic()
    assert run.wait() == 0
    assert time.monotonic() - before < 30
    child = number_in(tmp_path / "pid")
    assert alive(child)
    os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize("closing", ["", "os.close(1); os.close(2);"])
def test_ending_a_command_ends_the_children_that_stayed_with_it(
    tmp_path: Path, closing: str, terminals: dict[str, int]
) -> None:
    program = """
import os, sys, time, signal, pathlib
child = os.fork()
if child:
    time.sleep(60)
signal.signal(15, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
"""
    program += closing + "time.sleep(60)"
    run = Runner(program, str(tmp_path / "pid"), terminals=terminals)
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


def test_nothing_stays_open(terminals: dict[str, int]) -> None:
    before = {path.name for path in Path("/proc/self/fd").iterdir()}
    assert Runner("print('x')", terminals=terminals).wait() == 0
    assert {path.name for path in Path("/proc/self/fd").iterdir()} <= before
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("command-")]


LOOK = """
import os, sys
def size(stream):
    return "%d lines of %d" % os.get_terminal_size(stream.fileno())[::-1]
sys.stdout.write(size(sys.stdout) if sys.stdout.isatty() else "none")
sys.stderr.write(size(sys.stderr) if sys.stderr.isatty() else "none")
"""


@pytest.mark.parametrize("streams", [(), ("stdout",), ("stderr",), ("stdout", "stderr")])
def test_each_stream_is_a_terminal_as_large_as_ours_or_a_pipe(
    terminal: int, streams: tuple[str, ...]
) -> None:
    run = Runner(LOOK, terminals=dict.fromkeys(streams, terminal))
    assert run.wait() == 0
    size = b"33 lines of 77"
    expected = {name: size if name in streams else b"none" for name in ("stdout", "stderr")}
    assert run.written == expected


def test_where_there_are_no_terminals_left_it_is_a_pipe(
    terminal: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left() -> tuple[int, int]:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "openpty", none_left)
    run = Runner(LOOK, terminals={"stdout": terminal, "stderr": terminal})
    assert run.wait() == 0
    assert run.written == {"stdout": b"none", "stderr": b"none"}


def test_a_window_that_changes_is_told(terminal: int) -> None:
    program = """
import os, signal, time
told = 0
def tell(*_):
    global told
    told += 1
    os.write(1, b"%d lines of %d\\n" % os.get_terminal_size(1)[::-1])
    told < 2 or os._exit(0)
signal.signal(signal.SIGWINCH, tell)
os.write(1, b"ready\\n")
time.sleep(60)
"""

    def change(stream: str, data: bytes) -> bool:
        written.extend(data)
        if data.endswith(b"\n"):
            termios.tcsetwinsize(terminal, (written.count(b"\n"), 99))
            running.resize()
        return True

    written = bytearray()
    argv = [sys.executable, "-u", "-c", program]
    running = Command(argv, os.environ, change, Control(), {"stdout": terminal})
    assert running.wait() == 0
    assert written == b"ready\n1 lines of 99\n2 lines of 99\n"


def test_a_window_that_stays_as_it_is_is_not_told(terminal: int) -> None:
    channel = Terminal(terminal)
    assert not channel.resize()
    termios.tcsetwinsize(terminal, (20, 50))
    assert [channel.resize(), channel.resize()] == [True, False]
    channel.close()


def test_the_end_of_a_terminal_is_told_from_a_pause(terminal: int) -> None:
    channel = Terminal(terminal)
    assert channel.inner is not None
    assert channel.read(10) is None
    assert channel.read_rest() == b""
    os.write(channel.inner, b"x" * 10_000)
    assert channel.read(10) == b"x" * 10
    assert channel.read_rest() == b"x" * 9_990
    os.write(channel.inner, b"\n")
    channel.give_away()
    assert [channel.read(10), channel.read(10)] == [b"\n", b""]
    channel.close()
