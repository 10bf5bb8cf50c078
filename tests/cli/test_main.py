"""The commands of ``pipeline-host``, its own and those of plugins."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from pipeline_host import __version__
from pipeline_host.cli.main import COMMANDS

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Install = Callable[[str, str], None]

GREETING = '''
import click
from pipeline_host.hookspecs import CommandSpec, hookimpl

@click.command()
def hello():
    """Greet."""
    click.echo("hello there")

def broken():
    raise OSError("no greeting left")

@hookimpl
def pipeline_host_commands():
    return [
        CommandSpec("hello", "Greet somebody", lambda: hello),
        CommandSpec("broken", "Fail to greet", broken),
        CommandSpec("wrong", "No command", lambda: "hello"),
    ]
'''

THIEF = """
import click
from pipeline_host.hookspecs import CommandSpec, hookimpl

@hookimpl
def pipeline_host_commands():
    return [CommandSpec("plugins", "Another", lambda: click.Command("plugins"))]
"""


def test_it_knows_its_version(command_line: Run) -> None:
    done = command_line("--version")
    assert (done.returncode, done.stdout) == (0, f"pipeline-host, version {__version__}\n")


def test_help_lists_all_commands_each_with_what_it_does(
    command_line: Run, install: Install
) -> None:
    install("greeting", GREETING)
    done = command_line("--help")
    assert done.returncode == 0
    for name in (*COMMANDS, "hello", "broken"):
        assert any(
            line.split()[:1] == [name] and len(line.split()) > 2
            for line in done.stdout.splitlines()
        ), name


def test_a_plugins_command_runs(command_line: Run, install: Install) -> None:
    install("greeting", GREETING)
    done = command_line("hello")
    assert (done.returncode, done.stdout) == (0, "hello there\n")


@pytest.mark.parametrize(
    ("name", "reason"), [("broken", "no greeting left"), ("wrong", "expected a click.Command")]
)
def test_a_plugins_command_that_can_not_be_made_says_so(
    command_line: Run, install: Install, name: str, reason: str
) -> None:
    install("greeting", GREETING)
    done = command_line(name)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: command {name}: greeting (greeting 1.0) can't make it:")
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_broken_plugin_breaks_nothing_else(command_line: Run, install: Install) -> None:
    install("broken_plugin", "raise ValueError('broken as it is')")
    install("greeting", GREETING)
    help_ = command_line("--help")
    assert help_.returncode == 0
    assert "broken as it is" in help_.stderr
    assert command_line("hello").stdout == "hello there\n"
    own = command_line("serve", "--help")
    assert (own.returncode, own.stderr) == (0, "")


def test_a_command_of_ours_is_not_replaced(command_line: Run, install: Install) -> None:
    install("thief", THIEF)
    done = command_line("plugins", "--help")
    assert "List the plugins" in done.stdout
    told = command_line("--help").stderr
    assert "thief (thief 1.0) provides a command called plugins" in told


def test_settings_that_can_not_be_read_leave_our_commands(command_line: Run) -> None:
    done = command_line("--help", PIPELINE_HOST_PORT="many")
    assert done.returncode == 0
    assert "Plugins aren't loaded: port (PIPELINE_HOST_PORT)" in done.stderr


def test_an_unknown_command_is_a_mistake_of_the_caller(command_line: Run) -> None:
    done = command_line("unknown")
    assert done.returncode == 2
    assert "No such command 'unknown'" in done.stderr


@pytest.mark.imports
@pytest.mark.parametrize("name", ["ps", "tail", "cancel", "run"])
def test_commands_for_every_day_load_nothing_of_the_server(name: str) -> None:
    code = (
        "import sys\n"
        "from pipeline_host.cli.main import main\n"
        f"main(['{name}', '--help'], standalone_mode=False)\n"
        "heavy = {'gevent', 'gunicorn', 'falcon', 'pluggy', 'geventwebsocket'}\n"
        "sys.exit(str(heavy & sys.modules.keys()) if heavy & sys.modules.keys() else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
