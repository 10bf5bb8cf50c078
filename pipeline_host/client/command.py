"""Running a command whose output is passed on as it comes, and ending it with all it started."""

from __future__ import annotations

import os
import queue
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final, NamedTuple

from pipeline_host.client.channels import Channel, open_channel

READ_SIZE: Final = 64 * 1024
SILENCE: Final = 1.0
"""How long a stream that others still hold may be silent once the command has ended, in seconds."""
LINGER: Final = 10.0
"""For how long others may go on writing to it at most, in seconds."""

LOOK: Final = 0.05
"""How often it is looked whether children still use their grace time, in seconds."""

OnOutput = Callable[[str, bytes], bool]
"""Takes bytes of ``stdout`` or ``stderr``; False if nobody can use any more of them."""


class _Order(NamedTuple):
    signum: int
    grace: float | None = None


class Control:
    """Sends signals to a command and to those of its children that stayed in its process group.

    It may be told before the command starts, in any thread and in a signal handler: orders go
    through a queue to a thread of its own, which also sees to it that SIGKILL follows in time
    while other threads are stuck in writing to a stopped terminal.
    """

    def __init__(self) -> None:
        self.killed = False
        """Whether SIGKILL was needed."""
        self.kill_at: float | None = None
        """When SIGKILL follows or followed a request to end, on the monotonic clock."""
        self._orders: queue.SimpleQueue[_Order | None] = queue.SimpleQueue()
        self._group = 0
        self._thread = threading.Thread(target=self._run, name="command-signals", daemon=True)

    def send(self, signum: int) -> None:
        """Send a signal."""
        self._orders.put(_Order(signum))

    def terminate(self, grace: float, signum: int = signal.SIGTERM) -> None:
        """Send ``signum``, and SIGKILL to whatever is left after ``grace`` seconds."""
        self._orders.put(_Order(signum, grace))

    def send_now(self, signum: int) -> None:
        """Send a signal before this returns; nothing happens while no command runs."""
        if self._group:
            self._kill(signum)

    def attach(self, group: int) -> None:
        """Begin to carry out orders, for this process group."""
        self._group = group
        self._thread.start()

    def detach(self) -> None:
        """Send no more; but what is left of a group that was to end is killed."""
        self._orders.put(None)
        self._thread.join()
        if self.kill_at is not None:
            self._kill(signal.SIGKILL)
        self._group = 0

    def _run(self) -> None:
        while (order := self._next()) is not None:
            self.killed = self.killed or order.signum == signal.SIGKILL
            self._kill(order.signum)
            if order.grace is not None and self.kill_at is None:
                self.kill_at = time.monotonic() + order.grace

    def _next(self) -> _Order | None:
        waiting = self.kill_at is not None and not self.killed
        timeout = max(0.0, (self.kill_at or 0.0) - time.monotonic()) if waiting else None
        while True:
            try:
                return self._orders.get(timeout=timeout)
            except queue.Empty:
                if _runs(self._group):
                    return _Order(signal.SIGKILL)
                timeout = LOOK  # It has ended in time; only nobody has taken note of it yet.

    def _kill(self, signum: int) -> None:
        # Nobody is left, or only processes of another user, whom we can't signal.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._group, signum)


class Command:
    """A command in a session of its own, with our standard input; started when this is made.

    Its output is what it and its children wrote until it ended, and what its children still write
    after that until they are silent for :data:`SILENCE`, at most for :data:`LINGER`. Then its
    streams are closed, so that a child that went into the background holds nobody up.

    Args:
        argv: the program and its arguments.
        environment: all its environment variables.
        on_output: called in the thread that calls :meth:`wait`. Where it returns False that
            stream is closed, so that the command gets SIGPIPE (EIO at a pseudo-terminal), as if
            it wrote to our output itself.
        control: how to end it.
        terminals: for ``stdout``, ``stderr`` or both the descriptor of a terminal of ours: the
            command gets a pseudo-terminal for it, with a window of the same size. The others
            are pipes.

    Raises:
        OSError: it can't be started.
    """

    def __init__(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str],
        on_output: OnOutput,
        control: Control,
        terminals: Mapping[str, int] | None = None,
    ) -> None:
        self._on_output = on_output
        self._channels: dict[str, Channel] = {}
        self._process = self._start(argv, environment, terminals or {})
        self._control = control
        control.attach(self._process.pid)
        self._selector = selectors.DefaultSelector()
        for name, channel in self._channels.items():
            channel.give_away()
            self._selector.register(channel, selectors.EVENT_READ, name)
        self._ended_at: float | None = None
        self._end, end_writer = os.pipe()
        self._selector.register(self._end, selectors.EVENT_READ)
        self._watcher = threading.Thread(
            target=self._await_end, args=(end_writer,), name="command-end", daemon=True
        )
        self._watcher.start()

    def _start(
        self, argv: Sequence[str], environment: Mapping[str, str], terminals: Mapping[str, int]
    ) -> subprocess.Popen[bytes]:
        with ExitStack() as failing:
            for name in ("stdout", "stderr"):
                self._channels[name] = channel = open_channel(terminals.get(name))
                failing.callback(channel.close)
            process = subprocess.Popen(
                list(argv),
                env=dict(environment),
                stdout=self._channels["stdout"].inner,
                stderr=self._channels["stderr"].inner,
                start_new_session=True,
            )
            failing.pop_all()
        return process

    def resize(self) -> None:
        """Tell the command our terminals' size, if it is another now; in a signal handler too."""
        changed = [channel.resize() for channel in self._channels.values()]
        if any(changed):
            self._control.send_now(signal.SIGWINCH)

    def wait(self) -> int:
        """Pass on the output until the command has ended; its exit code, -n for signal n."""
        while self._channels or self._ended_at is None:
            patience = self._patience()
            ready = self._selector.select(patience) if patience != 0 else []
            if not ready:
                break
            for key, _ in ready:
                if key.data is None:
                    self._selector.unregister(self._end)
                    self._ended_at = time.monotonic()
                else:
                    self._pass_on(key.data, self._channels[key.data].read(READ_SIZE))
        for name, channel in tuple(self._channels.items()):
            # What is in it now may be the command's own, so it is not left behind.
            self._pass_on(name, channel.read_rest())
            self._close(name)
        return self._reap()

    def _patience(self) -> float | None:
        """How long to wait for more output, in seconds; None for as long as it takes."""
        if self._ended_at is None:
            return None
        now = time.monotonic()
        if self._control.kill_at is not None:
            return max(0.0, self._control.kill_at + SILENCE - now)
        return max(0.0, min(SILENCE, self._ended_at + LINGER - now))

    def _pass_on(self, name: str, data: bytes | None) -> None:
        if data is not None and (not data or not self._on_output(name, data)):
            self._close(name)

    def _close(self, name: str) -> None:
        if channel := self._channels.pop(name, None):
            self._selector.unregister(channel)
            channel.close()

    def _await_end(self, end_writer: int) -> None:
        # Not reaped yet, so that its process group's number can't become somebody else's.
        os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        os.close(end_writer)

    def _reap(self) -> int:
        self._watcher.join()
        while self._control.kill_at and not self._control.killed and _runs(self._process.pid):
            time.sleep(LOOK)
        self._control.detach()
        self._selector.close()
        os.close(self._end)
        return self._process.wait()


def _runs(group: int) -> bool:
    """Whether anything of a process group still runs.

    Zombies don't count, but by proc(5) a process is one as soon as its first thread has ended.
    """
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_bytes().rpartition(b")")[2].split()
        except OSError:
            continue  # It has ended meanwhile.
        state, threads = fields[0], int(fields[17])
        if int(fields[2]) == group and (state != b"Z" or threads > 1):
            return True
    return False
