"""``pipeline-host run`` keeps in touch: one that is killed is noticed, one that is silent lives."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from pipeline_host.client import ApiClient, ClientError
from pipeline_host.testing.waiting import wait_until
from pipeline_host.times import to_ms

from .running import alive, python, run, start, state

Start = Callable[..., "subprocess.Popen[bytes]"]
SILENT = "import time; time.sleep(60)"
TOLD_TO_GO_ON = "import sys; sys.stdin.readline(); print('done')"


@pytest.fixture
def wrap(api: ApiClient, name: str) -> Iterator[Start]:
    """Starts a ``run`` and waits until the server knows of it."""
    with ExitStack() as ending:

        def make(*args: str, **options: Any) -> subprocess.Popen[bytes]:
            popen = start("run", "--server", api.server_url, "--id", name, *args, **options)
            ending.enter_context(popen)
            ending.callback(popen.kill)
            wait_until(lambda: look(api, name), 30)
            return popen

        yield make


def look(api: ApiClient, name: str) -> dict[str, Any]:
    """The process; empty where the server doesn't know it yet."""
    try:
        return dict(api.get(name))
    except ClientError:
        return {}


def end_of(process: dict[str, Any]) -> int:
    """When a process's lease ends, in milliseconds since 1970."""
    return to_ms(process["lease"]["expires"])


def lost(api: ApiClient, name: str) -> bool:
    process = look(api, name)
    return process.get("status") == "failed" and str(process["error"]).startswith("lost contact: ")


def test_one_that_is_killed_is_failed_when_its_lease_ends(
    api: ApiClient, name: str, wrap: Start
) -> None:
    popen = wrap("--lease", "5", *python("import os; print(os.getpid(), flush=True);" + SILENT))
    wait_until(lambda: b"\n" in api.output(name))
    popen.kill()
    popen.wait()
    assert look(api, name)["status"] == "running"
    wait_until(lambda: lost(api, name), 30)
    process = look(api, name)
    assert to_ms(process["endTime"]) < end_of(process) + 20_000
    command = int(api.output(name))
    if alive(command):
        subprocess.run(["kill", "-9", str(command)], check=False)


def test_one_that_has_nothing_to_say_lives_on(api: ApiClient, name: str, wrap: Start) -> None:
    popen = wrap("--lease", "6", *python(SILENT))
    ends = {end_of(look(api, name))}
    wait_until(lambda: ends.add(end_of(look(api, name))) or len(ends) > 2, 30)
    assert look(api, name)["status"] == "running"
    popen.send_signal(signal.SIGTERM)
    popen.communicate(timeout=30)
    assert look(api, name)["status"] == "cancelled"


def test_one_that_slept_too_long_says_so_and_goes_on(
    api: ApiClient, name: str, wrap: Start
) -> None:
    popen = wrap("--lease", "1", *python(TOLD_TO_GO_ON), stdin=subprocess.PIPE)
    popen.send_signal(signal.SIGSTOP)
    wait_until(lambda: state(popen.pid) == "T")
    wait_until(lambda: lost(api, name))
    popen.send_signal(signal.SIGCONT)
    assert popen.stderr is not None
    warning = popen.stderr.readline()
    assert warning.startswith(b"pipeline-host: on the server this process is failed now")
    out, err = popen.communicate(b"go on\n", timeout=30)
    assert (popen.returncode, out, err) == (0, b"done\n", b"")
    process = look(api, name)
    assert process["exitCode"] == 0
    assert lost(api, name)
    assert api.output(name) == b""


def test_a_failure_that_comes_too_late_is_told_all_the_same(
    api: ApiClient, name: str, wrap: Start
) -> None:
    program = TOLD_TO_GO_ON + "; sys.exit(3)"
    popen = wrap("--lease", "1", *python(program), stdin=subprocess.PIPE)
    popen.send_signal(signal.SIGSTOP)
    wait_until(lambda: lost(api, name))
    assert popen.stdin is not None
    popen.stdin.write(b"go on\n")
    popen.send_signal(signal.SIGCONT)
    popen.communicate(timeout=30)
    assert popen.returncode == 3
    process = look(api, name)
    told = (process["status"], process["exitCode"], process["error"])
    assert told == ("failed", 3, "exit code 3")


@pytest.mark.parametrize(
    ("options", "seconds"), [([], 30), (["--lease", "86400"], 86_400), (["--lease", "0"], None)]
)
def test_the_lease_is_half_a_minute_unless_told_otherwise(
    api: ApiClient, name: str, options: list[str], seconds: float | None
) -> None:
    done = run("run", "--server", api.server_url, "--id", name, *options, "true")
    assert done.returncode == 0
    assert look(api, name).get("lease", {}).get("seconds") == seconds


@pytest.mark.parametrize("seconds", ["0.5", "-1", "86401", "x"])
def test_a_lease_that_no_server_gives_is_a_usage_error(seconds: str) -> None:
    done = run("run", "--lease", seconds, "true")
    assert done.returncode == 2
    assert b"--lease" in done.stderr
