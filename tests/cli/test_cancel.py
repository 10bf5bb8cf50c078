"""``pipeline-host cancel``."""

from __future__ import annotations

from itertools import count

import pytest

from pipeline_host.client import ApiClient, ClientError
from pipeline_host.testing.waiting import wait_until

from .running import START, python, run, start

_names = count(1)


@pytest.fixture
def name(api: ApiClient) -> str:
    """A running process that nobody really runs."""
    process_id = f"one-of-{next(_names)}-to-be-cancelled"
    given = {"promptPreview": "do\x1bit", "status": "running", "startTime": START}
    api.create({"id": process_id, **given})
    return process_id


def test_it_says_what_it_cancelled(api: ApiClient, name: str) -> None:
    done = run("cancel", "--server", api.server_url, name)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == f"{name} (do\\x1bit): cancelled (requested)\n"
    assert api.get(name)["status"] == "cancelled"


def test_what_has_ended_cannot_be_cancelled(api: ApiClient, name: str) -> None:
    api.patch(name, {"status": "completed"})
    done = run("cancel", "--server", api.server_url, name)
    assert done.returncode == 1
    sentence = f"{name}: Process is already in terminal state: completed\n"
    assert done.stderr.decode() == sentence


@pytest.mark.parametrize("outcome", ["terminated", "killed", "ignored"])
def test_what_was_cancelled_before_is_told_with_what_became_of_it(
    api: ApiClient, name: str, outcome: str
) -> None:
    api.cancel(name)
    again = run("cancel", "--server", api.server_url, name)
    assert again.returncode == 0
    assert again.stdout.decode().endswith(": cancelled (requested)\n")
    api.patch(name, {"cancellation": {"outcome": outcome}})
    done = run("cancel", "--server", api.server_url, "--wait", name)
    assert done.returncode == (outcome == "ignored")
    assert done.stdout.decode().endswith(f": cancelled ({outcome})\n")


def test_one_that_only_has_the_status_was_not_asked_to_stop(api: ApiClient, name: str) -> None:
    api.patch(name, {"status": "cancelled"})
    done = run("cancel", "--server", api.server_url, "--wait", name)
    assert done.returncode == 0
    assert done.stdout.decode() == f"{name} (do\\x1bit): cancelled\n"


def test_each_is_cancelled_whatever_becomes_of_the_others(api: ApiClient, name: str) -> None:
    words = ["cancel", "--server", api.server_url, "nobody-has-it", name[:9]]
    done = run(*words)
    assert done.returncode == 1
    assert done.stderr == b"nobody-has-it: Process not found\n"
    assert api.get(name)["status"] == "cancelled"


STUBBORN = "import signal; signal.signal(15, signal.SIG_IGN); "


@pytest.mark.parametrize(
    ("before", "grace", "outcome"),
    [("", "30", "terminated (exit code 143)"), (STUBBORN, "0.3", "killed (exit code 137)")],
)
def test_it_can_wait_until_the_command_has_stopped(
    api: ApiClient, before: str, grace: str, outcome: str
) -> None:
    name = f"really-run-{next(_names)}"
    program = f"{before}import time; print('ready'); time.sleep(60)"
    options = ["--server", api.server_url, "--id", name, "--grace", grace]

    def written() -> bool:
        try:
            return api.output(name) == b"ready\n"
        except ClientError:
            return False

    with start("run", *options, *python(program)) as popen:
        wait_until(written, 30)
        done = run("cancel", "--server", api.server_url, "--wait", name)
        popen.communicate(timeout=30)
    assert done.returncode == 0
    assert done.stdout.decode().splitlines()[1].endswith(f": {outcome}")


def test_a_cancel_that_comes_after_the_command_was_ignored(api: ApiClient, name: str) -> None:
    with start("cancel", "--server", api.server_url, "--wait", name) as popen:
        assert popen.stdout is not None
        assert popen.stdout.readline().endswith(b": cancelled (requested)\n")
        api.patch(name, {"cancellation": {"outcome": "ignored"}})
        told, _ = popen.communicate(timeout=30)
    assert popen.returncode == 1
    assert told.decode() == f"{name} (do\\x1bit): ignored\n"


def test_all_are_asked_before_any_is_waited_for(api: ApiClient, name: str) -> None:
    other = f"{name}-too"
    given = {"promptPreview": "another", "status": "running", "startTime": START}
    api.create({"id": other, **given})
    with start("cancel", "--server", api.server_url, "--wait", name, other) as popen:
        wait_until(lambda: api.get(other)["status"] == "cancelled")
        for each in (other, name):
            api.patch(each, {"exitCode": 143, "cancellation": {"outcome": "terminated"}})
        told, _ = popen.communicate(timeout=30)
    assert popen.returncode == 0
    assert told.decode().splitlines() == [
        f"{name} (do\\x1bit): cancelled (requested)",
        f"{other} (another): cancelled (requested)",
        f"{name} (do\\x1bit): terminated (exit code 143)",
        f"{other} (another): terminated (exit code 143)",
    ]


def test_it_does_not_wait_for_ever(api: ApiClient, name: str) -> None:
    done = run("cancel", "--server", api.server_url, "--wait", "--timeout", "0.1", name)
    assert done.returncode == 1
    assert b"nobody said within 0.1 s that it stopped" in done.stderr
