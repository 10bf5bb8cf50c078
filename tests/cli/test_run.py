"""``pipeline-host run``: commands that do all that commands do, against a real server."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pipeline_host.client import ApiClient, ApiError, ClientError, workspace_identity
from pipeline_host.testing.server import LiveServer, hold_port
from pipeline_host.testing.waiting import wait_until

from .running import START, alive, python, run, start, state


class Wrapped:
    """A ``run`` under way."""

    def __init__(self, api: ApiClient, name: str, *args: str, **options: Any) -> None:
        self.name = name
        self._api = api
        self.popen = start("run", "--server", api.server_url, "--id", name, *args, **options)

    def wait_for_output(self, content: bytes) -> None:
        def written() -> bool:
            try:
                return content in self._api.output(self.name)
            except ClientError:
                return False

        wait_until(written, 30)

    def end(self, timeout: float = 30) -> tuple[int, bytes, bytes]:
        out, err = self.popen.communicate(timeout=timeout)
        return self.popen.returncode, out, err


@pytest.fixture
def wrap(api: ApiClient, name: str) -> Iterator[Callable[..., Wrapped]]:
    with ExitStack() as ending:

        def make(*args: str, other: ApiClient | None = None, **options: Any) -> Wrapped:
            wrapped = Wrapped(other or api, name, *args, **options)
            ending.enter_context(wrapped.popen)
            ending.callback(wrapped.popen.kill)
            return wrapped

        yield make


def wrapped_to_its_end(api: ApiClient, name: str, *args: str) -> Any:
    return run("run", "--server", api.server_url, "--id", name, *args)


PROGRAMS = {
    "both streams": "import sys; print('out'); print('err', file=sys.stderr)",
    "no newline at the end": "import sys; sys.stdout.write('no newline')",
    "nothing": "",
    "slowly": "import time\nfor n in range(30): print(n, end=' '); time.sleep(0.01)",
    "a byte at a time": "import os\nfor b in '日本€😀'.encode() * 50: os.write(1, bytes([b]))",
    "5 MB at once": "import sys; sys.stdout.write('日本 and more\\n' * 280_000)",
    "many lines": "for n in range(20_000): print('line', n)",
    "control characters": "import sys; sys.stdout.write('\\0\\x1b[31m\\r\\n\\u2028\\x85\\x7f')",
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_the_stored_output_is_the_commands_own_byte_for_byte(
    api: ApiClient, name: str, program: str
) -> None:
    command = python(program)
    own = subprocess.run(command[1:], capture_output=True, check=True, timeout=60)
    done = wrapped_to_its_end(api, name, *command)
    assert (done.returncode, done.stdout, done.stderr) == (0, own.stdout, own.stderr)
    stored = api.output(name)
    assert stored == own.stdout if not own.stderr else len(own.stdout + own.stderr)
    assert api.get(name)["status"] == "completed"


def test_each_chunk_says_which_stream_it_came_from(api: ApiClient, name: str) -> None:
    program = "import sys\nfor n in range(500): print(n); print('e', n, file=sys.stderr)"
    done = wrapped_to_its_end(api, name, *python(program))
    followed = run("tail", "--server", api.server_url, "--split", "-f", name)
    assert followed.stdout == done.stdout == b"".join(b"%d\n" % n for n in range(500))
    assert followed.stderr == done.stderr == b"".join(b"e %d\n" % n for n in range(500))
    assert len(api.output(name)) == len(done.stdout) + len(done.stderr)


def test_bytes_that_are_no_utf8_are_shown_as_they_are_and_stored_as_replacements(
    api: ApiClient, name: str
) -> None:
    data = b"a\xff\xe6\x97b\xed\xa0\x80\xe6"
    program = f"import sys; sys.stdout.buffer.write({data!r})"
    done = wrapped_to_its_end(api, name, *python(program))
    assert done.stdout == data
    assert api.output(name) == data.decode("utf-8", "replace").encode()


def test_output_can_be_followed_while_it_is_written(
    api: ApiClient, name: str, wrap: Callable[..., Wrapped]
) -> None:
    wrapped = wrap(
        *python("import sys; print('one'); sys.stdin.readline(); print('two')"),
        stdin=subprocess.PIPE,
    )
    assert wrapped.popen.stdout is not None
    assert wrapped.popen.stdout.readline() == b"one\n"
    wrapped.wait_for_output(b"one\n")
    assert api.get(name)["status"] == "running"
    assert wrapped.popen.communicate(b"go\n", timeout=30)[0] == b"two\n"
    assert api.output(name) == b"one\ntwo\n"


@pytest.mark.parametrize(
    ("program", "code", "error"),
    [
        ("raise SystemExit(3)", 3, "exit code 3"),
        ("raise SystemExit(143)", 143, "exit code 143"),
        ("import os; os.kill(os.getpid(), 9)", 137, "killed by SIGKILL"),
        ("import os; os.kill(os.getpid(), 15)", 143, "killed by SIGTERM"),
    ],
)
def test_a_failure_is_told_as_it_was(
    api: ApiClient, name: str, program: str, code: int, error: str
) -> None:
    assert wrapped_to_its_end(api, name, *python(program)).returncode == code
    process = api.get(name)
    assert (process["status"], process["exitCode"], process["error"]) == ("failed", code, error)
    assert "endTime" in process


def test_a_command_that_is_not_there_failed_with_127(api: ApiClient, name: str) -> None:
    done = wrapped_to_its_end(api, name, "--", "no-such-command-here")
    assert done.returncode == 127
    assert done.stderr == b"pipeline-host: no-such-command-here: No such file or directory\n"
    process = api.get(name)
    assert (process["status"], process["exitCode"]) == ("failed", 127)
    assert process["error"] == "no-such-command-here: No such file or directory"


def test_a_file_that_cannot_be_executed_failed_with_126(
    api: ApiClient, name: str, tmp_path: Path
) -> None:
    plain = tmp_path / "plain"
    plain.write_text("")
    assert wrapped_to_its_end(api, name, "--", str(plain)).returncode == 126
    assert api.get(name)["exitCode"] == 126


def test_a_process_tells_what_it_is_and_where(api: ApiClient, name: str, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    folder = tmp_path / "sub"
    folder.mkdir()
    command = [sys.executable, "-c", "pass", "a b", "x" * 100]
    done = run("run", "--server", api.server_url, "--id", name, "--", *command, cwd=folder)
    assert done.returncode == 0
    process = api.get(name)
    workspace = hashlib.sha256(os.fsencode(tmp_path)).hexdigest()[:16]
    assert process["type"] == "pipeline-execution"
    assert process["fullPrompt"] == shlex.join(command)
    assert len(process["promptPreview"]) == 100
    assert process["promptPreview"].endswith("…")
    assert process["workingDirectory"] == str(folder)
    assert process["metadata"] == {"workspaceId": workspace, "workspaceName": tmp_path.name}
    assert workspace_identity(tmp_path).record() in api.workspaces()


def test_a_process_can_be_called_and_placed_otherwise(
    api: ApiClient, name: str, tmp_path: Path
) -> None:
    options = ["--name", "My build", "--type", "code-review", "--parent", "p"]
    options += ["--workspace", str(tmp_path)]
    assert wrapped_to_its_end(api, name, *options, "true").returncode == 0
    process = api.get(name)
    assert process["promptPreview"] == "My build"
    assert (process["type"], process["parentProcessId"]) == ("code-review", "p")
    assert process["metadata"]["workspaceName"] == tmp_path.name


def test_arguments_that_are_no_text_do_not_matter(api: ApiClient, name: str) -> None:
    done = wrapped_to_its_end(api, name, "--", "echo", os.fsdecode(b"a\xff"))
    assert done.stdout == b"a\xff\n"
    assert "a\ufffd" in api.get(name)["fullPrompt"]


def test_a_run_inside_a_run_is_its_child(api: ApiClient, name: str) -> None:
    inner = f"{name}-inner"
    entry = [sys.executable, "-m", "pipeline_host", "run", "--id", inner, "--", "echo", "hello"]
    done = wrapped_to_its_end(api, name, "--", *entry)
    assert done.stdout == b"hello\n"
    assert api.get(inner)["parentProcessId"] == name
    assert api.output(name) == api.output(inner) == b"hello\n"


SLEEP = "import time; print('ready'); time.sleep(60)"
STUBBORN = "import signal; signal.signal(15, signal.SIG_IGN); signal.signal(2, signal.SIG_IGN);"


def test_a_cancel_on_the_server_ends_the_command_soon(
    api: ApiClient, name: str, wrap: Callable[..., Wrapped]
) -> None:
    wrapped = wrap(*python(SLEEP))
    wrapped.wait_for_output(b"ready\n")
    before = time.monotonic()
    api.cancel(name)
    assert wrapped.end()[0] == 143
    assert time.monotonic() - before < 20
    process = api.get(name)
    assert (process["status"], process["exitCode"]) == ("cancelled", 143)
    assert process["cancellation"]["outcome"] == "terminated"


def test_a_command_that_ignores_the_cancel_is_killed(
    api: ApiClient, name: str, wrap: Callable[..., Wrapped]
) -> None:
    wrapped = wrap("--grace", "0.3", *python(STUBBORN + SLEEP))
    wrapped.wait_for_output(b"ready\n")
    api.cancel(name)
    assert wrapped.end()[0] == 137
    process = api.get(name)
    assert (process["status"], process["exitCode"]) == ("cancelled", 137)
    assert process["cancellation"]["outcome"] == "killed"


def test_a_cancel_ends_the_children_and_inner_runs_too(
    api: ApiClient, name: str, wrap: Callable[..., Wrapped]
) -> None:
    inner = [sys.executable, "-m", "pipeline_host", "run", "--id", f"{name}-inner"]
    inner += ["--grace", "0.3"]
    inner += python(STUBBORN + "import os, time; print(os.getpid()); time.sleep(60)")
    wrapped = wrap("--grace", "20", "--", "sh", "-c", f"{shlex.join(inner)} & wait")
    wrapped.wait_for_output(b"\n")
    child = int(api.output(name))
    api.cancel(name)
    assert wrapped.end()[0] == 143
    wait_until(lambda: not alive(child))
    wait_until(lambda: api.get(f"{name}-inner")["status"] == "cancelled")


def test_a_run_inside_a_run_has_less_time_to_end_what_it_runs(api: ApiClient, name: str) -> None:
    show = ["sh", "-c", "echo $PIPELINE_HOST_GRACE"]
    inner = [sys.executable, "-m", "pipeline_host", "run", "--", *show]
    assert wrapped_to_its_end(api, name, "--grace", "10", "--", *show).stdout == b"8.0\n"
    assert run("run", "--server", api.server_url, "--grace", "10", *inner).stdout == b"6.4\n"


def test_a_cancel_is_obeyed_when_the_server_was_away_meanwhile(
    live_server: Callable[..., LiveServer], name: str, wrap: Callable[..., Wrapped]
) -> None:
    server = live_server()
    program = "import time\nwhile True: print('.', end=''); time.sleep(0.02)"
    with ApiClient(server.url) as api:
        wrapped = wrap(*python(program), other=api)
        wrapped.wait_for_output(b".")
        server.kill()
        server.start()
        api.cancel(name)
        assert wrapped.end()[0] == 143


def test_a_cancel_that_comes_after_the_commands_end_was_ignored(
    live_server: Callable[..., LiveServer],
    name: str,
    wrap: Callable[..., Wrapped],
    tmp_path: Path,
) -> None:
    server = live_server()
    spool = tmp_path / "spool"
    program = "print('begun'); input(); print('the end')"
    with ApiClient(server.url) as api:
        options = ["--spool", str(spool), "--flush-timeout", "60", *python(program)]
        wrapped = wrap(*options, other=api, stdin=subprocess.PIPE)
        wrapped.wait_for_output(b"\n")
        server.stop()
        assert wrapped.popen.stdin is not None
        wrapped.popen.stdin.write(b"go\n")
        wait_until(lambda: any(b'"completed"' in path.read_bytes() for path in spool.iterdir()))
        wrapped.popen.send_signal(signal.SIGSTOP)
        server.start()
        api.cancel(name)
        wrapped.popen.send_signal(signal.SIGCONT)
        assert wrapped.end()[0] == 0
        process = api.get(name)
        assert (process["status"], process["exitCode"]) == ("cancelled", 0)
        assert process["cancellation"]["outcome"] == "ignored"


def test_ctrl_c_goes_to_the_command_and_cancels(
    api: ApiClient, name: str, wrap: Callable[..., Wrapped]
) -> None:
    program = (
        "import time\ntry: print('ready'); time.sleep(60)\n"
        "except KeyboardInterrupt: print('cleaning up'); raise SystemExit(4)"
    )
    wrapped = wrap(*python(program))
    wrapped.wait_for_output(b"ready\n")
    wrapped.popen.send_signal(signal.SIGINT)
    code, out, err = wrapped.end()
    assert (code, out, err) == (4, b"ready\ncleaning up\n", b"")
    process = api.get(name)
    assert (process["status"], process["exitCode"]) == ("cancelled", 4)
    assert process["cancellation"]["outcome"] == "terminated"
    assert api.output(name) == out


def test_a_second_ctrl_c_kills(api: ApiClient, name: str, wrap: Callable[..., Wrapped]) -> None:
    counting = (
        "import signal, time; signal.signal(2, lambda *_: print('again?')); print('ready')\n"
        "while True: time.sleep(1)"
    )
    wrapped = wrap(*python(counting))
    wrapped.wait_for_output(b"ready\n")
    wrapped.popen.send_signal(signal.SIGINT)
    wrapped.wait_for_output(b"again?")
    wrapped.popen.send_signal(signal.SIGINT)
    assert wrapped.end()[0] == 137
    assert api.get(name)["cancellation"]["outcome"] == "killed"


@pytest.mark.parametrize(
    ("program", "grace", "code", "outcome"),
    [(SLEEP, "30", 143, "terminated"), (STUBBORN + SLEEP, "0.3", 137, "killed")],
)
def test_sigterm_to_run_ends_the_command(
    api: ApiClient,
    name: str,
    wrap: Callable[..., Wrapped],
    program: str,
    grace: str,
    code: int,
    outcome: str,
) -> None:
    wrapped = wrap("--grace", grace, *python(program))
    wrapped.wait_for_output(b"ready\n")
    wrapped.popen.send_signal(signal.SIGTERM)
    assert wrapped.end()[0] == code
    process = api.get(name)
    assert (process["status"], process["cancellation"]["outcome"]) == ("cancelled", outcome)


def test_a_deleted_process_does_not_stop_the_command(
    api: ApiClient, name: str, wrap: Callable[..., Wrapped]
) -> None:
    wrapped = wrap(*python("print('one'); input(); print('two')"), stdin=subprocess.PIPE)
    wrapped.wait_for_output(b"one")
    api.delete(name)
    out, err = wrapped.popen.communicate(b"go\n", timeout=30)
    assert (wrapped.popen.returncode, out) == (0, b"one\ntwo\n")
    assert err == b"pipeline-host: not reported: Process not found\n"
    with pytest.raises(ApiError, match="Process not found"):
        api.get(name)


def test_an_id_that_is_taken_does_not_stop_the_command(api: ApiClient, name: str) -> None:
    api.create({"id": name, "promptPreview": "x", "status": "running", "startTime": START})
    done = wrapped_to_its_end(api, name, "echo", "hello")
    assert (done.returncode, done.stdout) == (0, b"hello\n")
    assert done.stderr.startswith(b"pipeline-host: not reported: ")
    assert api.output(name) == b""


@pytest.fixture
def nowhere() -> Iterator[str]:
    """A URL where nobody answers."""
    with hold_port() as hold:
        yield f"http://127.0.0.1:{hold.getsockname()[1]}"


def test_without_a_server_the_command_runs_all_the_same(nowhere: str) -> None:
    options = ["--server", nowhere, "--flush-timeout", "0.2", "--name", "Me"]
    done = run("run", *options, *python("print('hello'); raise SystemExit(5)"))
    assert (done.returncode, done.stdout) == (5, b"hello\n")
    warning, lost = done.stderr.decode().splitlines()
    assert warning.startswith(f"pipeline-host: {nowhere} can't be reached: Connection refused; ")
    assert lost == f"pipeline-host: {nowhere} was not told of 6 bytes of output and the end of Me"


def test_ctrl_c_ends_the_waiting_for_a_server(nowhere: str) -> None:
    options = ["--server", nowhere, "--flush-timeout", "600"]
    with start("run", *options, *python("print('hello')")) as popen:
        assert popen.stdout is not None
        assert popen.stdout.readline() == b"hello\n"

        def ended() -> bool:
            popen.send_signal(signal.SIGINT)
            return popen.poll() is not None

        wait_until(ended, interval=0.2)
        assert b"was not told of" in popen.communicate(timeout=20)[1]


def test_a_server_that_comes_later_gets_everything(
    live_server: Callable[..., LiveServer], name: str
) -> None:
    server = live_server()
    server.stop()
    options = ["--server", server.url, "--id", name]
    with start("run", *options, *python("print('hello')")) as popen:
        assert popen.stdout is not None
        assert popen.stdout.readline() == b"hello\n"
        server.start()
        popen.communicate(timeout=30)
    assert popen.returncode == 0
    with ApiClient(server.url) as api:
        assert api.output(name) == b"hello\n"
        assert api.get(name)["status"] == "completed"


def test_what_a_server_was_not_told_is_kept_in_the_spool_for_the_next_run(
    live_server: Callable[..., LiveServer], name: str, tmp_path: Path
) -> None:
    server = live_server()
    server.stop()
    spool = tmp_path / "spool"
    options = ["--server", server.url, "--spool", str(spool)]
    program = "print('日本' * 100_000); raise SystemExit(5)"
    done = run("run", *options, "--id", name, "--flush-timeout", "0.1", *python(program))
    assert done.returncode == 5
    assert done.stderr.decode().endswith(f"; that is kept in {spool}\n")
    server.start()
    assert run("run", *options, "true").stderr == b""
    with ApiClient(server.url) as api:
        assert api.output(name) == done.stdout
        assert (api.get(name)["status"], api.get(name)["exitCode"]) == ("failed", 5)
    assert list(spool.iterdir()) == []


def test_a_server_that_is_killed_in_the_middle_loses_and_doubles_nothing(
    live_server: Callable[..., LiveServer], name: str, wrap: Callable[..., Wrapped]
) -> None:
    server = live_server(workers=2)
    program = "import time\nfor n in range(3000): print(n, '日本' * 20); time.sleep(0.001)"
    with ApiClient(server.url) as api:
        wrapped = wrap(*python(program), other=api, stdout=subprocess.DEVNULL)
        for number in (b"\n200 ", b"\n1000 "):
            wrapped.wait_for_output(number)
            server.kill()
            server.start()
        assert wrapped.end(60)[0] == 0
        expected = "".join(f"{n} {'日本' * 20}\n" for n in range(3000)).encode()
        assert api.output(name) == expected
        assert api.get(name)["status"] == "completed"


def test_a_reader_that_leaves_ends_the_command_as_it_would_without_us(
    api: ApiClient, name: str
) -> None:
    words = ["run", "--server", api.server_url, "--id", name, "--", "yes"]
    with start(*words) as popen:
        assert popen.stdout is not None
        assert popen.stdout.readline() == b"y\n"
        popen.stdout.close()
        assert popen.wait(30) == 128 + signal.SIGPIPE
    process = api.get(name)
    assert (process["status"], process["error"]) == ("failed", "killed by SIGPIPE")
    assert api.output(name).startswith(b"y\ny\n")


def test_a_full_disk_behind_our_own_output_stops_nothing(api: ApiClient, name: str) -> None:
    words = ["run", "--server", api.server_url, "--id", name, *python("print('a'); print('b')")]
    with Path("/dev/full").open("wb") as full, start(*words, stdout=full) as popen:
        _, err = popen.communicate(timeout=30)
    assert popen.returncode == 0
    assert err.count(b"No space left on device") == 1
    assert api.output(name) == b"a\nb\n"


def test_a_background_child_that_keeps_the_pipes_holds_nobody_up(api: ApiClient, name: str) -> None:
    done = wrapped_to_its_end(api, name, "--", "sh", "-c", "echo parent; sleep 30 &")
    assert (done.returncode, done.stdout) == (0, b"parent\n")
    assert api.output(name) == b"parent\n"


def test_a_wrong_server_is_a_usage_error() -> None:
    done = run("run", "--server", "localhost:4000", "true")
    assert done.returncode == 2
    assert b"expected http://HOST:PORT" in done.stderr


def test_the_command_line_of_run_ends_where_the_command_begins(api: ApiClient, name: str) -> None:
    done = wrapped_to_its_end(api, name, "echo", "--name", "--", "-x")
    assert done.stdout == b"--name -- -x\n"


@pytest.mark.imports
def test_it_starts_no_server_code() -> None:
    script = (
        "import sys, pipeline_host.cli.run, pipeline_host.cli.ps, pipeline_host.cli.tail,"
        " pipeline_host.cli.cancel, json;"
        "print(json.dumps([n for n in ('gevent', 'falcon', 'gunicorn', 'pluggy')"
        " if n in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert json.loads(done.stdout) == []


def test_ctrl_z_stops_the_command_along_with_us(
    api: ApiClient, name: str, wrap: Callable[..., Wrapped]
) -> None:
    wrapped = wrap(*python("import os, time; print(os.getpid()); time.sleep(60)"))
    wrapped.wait_for_output(b"\n")
    both = (wrapped.popen.pid, int(api.output(name)))
    wrapped.popen.send_signal(signal.SIGTSTP)
    wait_until(lambda: [state(pid) for pid in both] == ["T", "T"])
    wrapped.popen.send_signal(signal.SIGCONT)
    wait_until(lambda: "T" not in [state(pid) for pid in both])
    wrapped.popen.send_signal(signal.SIGINT)
    assert wrapped.end()[0] == 130
