"""``pipeline-host serve`` where it can't: one sentence, exit code 1."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Install = Callable[[str, str], None]

STORES = """
from pipeline_host.errors import StartupError, StoreCorrupt
from pipeline_host.hookspecs import StoreSpec, hookimpl

def refuse(context):
    raise StartupError("the store has moved out")

def damaged(context):
    raise StoreCorrupt("journal: damaged at offset 12")

def explode(context):
    raise SystemError("boom")

@hookimpl
def pipeline_host_process_stores():
    return [
        StoreSpec("refusing", "Refuses to open", refuse, shared=True),
        StoreSpec("damaged", "Is damaged", damaged, shared=True),
        StoreSpec("exploding", "Explodes", explode, shared=True),
        StoreSpec("alone", "Can't be shared", refuse),
    ]
"""


@pytest.fixture
def busy_port() -> Iterator[str]:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as sock:
        yield str(sock.getsockname()[1])


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence of a server that didn't start."""
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr.removeprefix("Error: ")


def test_a_busy_port_is_told_with_the_way_out(command_line: Run, busy_port: str) -> None:
    sentence = refused(command_line("serve", "--port", busy_port))
    assert sentence.startswith(f"port: {busy_port} on 127.0.0.1 is in use already")
    assert "--port" in sentence


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("0.0.0.0", "can be reached from other machines"),
        ("::", "can be reached from other machines"),
        ("192.0.2.1", "can be reached from other machines"),
        ("no-such-host.invalid", "isn't a known host name"),
        ("not a host", "expected a host name or an IP address"),
    ],
)
def test_a_host_that_can_not_be_served_is_refused(
    command_line: Run, host: str, reason: str
) -> None:
    assert reason in refused(command_line("serve", "--port", "0", "--host", host))


def test_a_flag_that_can_not_be_read_is_refused(command_line: Run) -> None:
    sentence = refused(command_line("serve", "--port", "99999"))
    assert "port (--port): expected an integer from 0 to 65535" in sentence


@pytest.mark.parametrize("workers", ["1", "3"])
def test_a_data_directory_that_can_not_be_used_is_named(
    command_line: Run, tmp_path: Path, workers: str
) -> None:
    (tmp_path / "file").write_bytes(b"")
    where = str(tmp_path / "file")
    done = command_line("serve", "--port", "0", "--data-dir", where, "--workers", workers)
    assert f"Data directory {where} can't be used: it is not a directory" in refused(done)


def test_an_unknown_store_is_refused_with_those_there_are(command_line: Run) -> None:
    sentence = refused(command_line("serve", "--port", "0", "--store", "nothing"))
    assert "store nothing: no such store; available: file" in sentence


@pytest.mark.parametrize(
    ("store", "workers", "reason"),
    [
        ("refusing", "1", "the store has moved out"),
        ("refusing", "4", "the store has moved out"),
        ("damaged", "2", "damaged at offset 12"),
        ("exploding", "2", "SystemError: boom"),
        ("alone", "2", "workers: expected 1 with the store alone, got 2"),
    ],
)
def test_a_store_that_does_not_open_is_told_in_its_words(
    command_line: Run, install: Install, store: str, workers: str, reason: str
) -> None:
    install("stores", STORES)
    done = command_line("serve", "--port", "0", "--store", store, "--workers", workers)
    assert reason in refused(done)


def test_another_plugins_failure_does_not_hide_the_sentence(
    command_line: Run, install: Install
) -> None:
    install("broken", "raise ValueError('broken')")
    refused(command_line("serve", "--port", "0", "--store", "nothing"))
    told = command_line("serve", "--port", "0", "--store", "nothing", "--log-level", "info")
    assert "ValueError: broken" in told.stderr


def test_what_nobody_expected_is_shown_with_its_traceback() -> None:
    code = (
        "import pipeline_host.app\n"
        "from pipeline_host.cli.main import main\n"
        "def create_app(settings):\n"
        "    raise ZeroDivisionError('nobody expected this')\n"
        "pipeline_host.app.create_app = create_app\n"
        "main(['serve', '--port', '0'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert done.stdout == ""
    assert "Traceback" in done.stderr
    assert "ZeroDivisionError: nobody expected this" in done.stderr
