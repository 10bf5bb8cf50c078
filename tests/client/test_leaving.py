"""Clients in programs that end, or fork."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from .scripted import ScriptedServer

PROCESS = '{"id": "a", "promptPreview": "p", "startTime": "2026-11-22T07:00:00.000Z"}'

PATIENT = "import pipeline_host.client.leaving as leaving; leaving.EXIT_TIMEOUT = 30\n"


def run(script: str, *args: object) -> subprocess.CompletedProcess[str]:
    forking = "ignore:This process:DeprecationWarning"  # of newer Pythons: it has a thread
    command = [sys.executable, "-W", "error", "-W", forking, "-c", script, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_what_is_told_just_before_the_end_of_a_program_arrives(server: ScriptedServer) -> None:
    done = run(
        PATIENT + "import sys; from pipeline_host.client import ExtensionClient\n"
        "client = ExtensionClient(sys.argv[1])\n"
        f"client.submit({PROCESS}); client.output('a', 'x'); client.complete('a')",
        server.url,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert server.output("a") == b"x"
    assert server.processes["a"].process["status"] == "completed"


def test_what_is_told_while_a_program_ends_arrives_too(server: ScriptedServer) -> None:
    """After the finalizers that close idle connections have run, there is one more."""
    done = run(
        PATIENT + "import atexit, sys; from pipeline_host.client import ExtensionClient\n"
        "atexit.register(lambda: client.output('a', 'x'))\n"
        "client = ExtensionClient(sys.argv[1])\n"
        f"client.submit({PROCESS}); assert client.flush(10)",
        server.url,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert server.output("a") == b"x"


def test_a_program_ends_soon_without_a_server_and_the_spool_keeps_what_it_told(
    server: ScriptedServer, tmp_path: Path
) -> None:
    script = (
        "import sys; from pipeline_host.client import ExtensionClient\n"
        "client = ExtensionClient(sys.argv[1], spool=sys.argv[2])\n"
    )
    server.stop()
    done = run(f"{script}client.submit({PROCESS}); client.output('a', 'x')", server.url, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    server.start()
    run(f"{script}assert client.flush(10)", server.url, tmp_path)
    assert server.output("a") == b"x"
    assert list(tmp_path.iterdir()) == []


def test_a_forked_child_begins_anew_and_leaves_the_parents_queue_to_it(
    server: ScriptedServer, tmp_path: Path
) -> None:
    done = run(
        "import os, sys; from pipeline_host.client import ExtensionClient\n"
        "client = ExtensionClient(sys.argv[1], spool=sys.argv[2], offline=True)\n"
        f"client.submit({PROCESS}); client.output('a', 'parent')\n"
        "child = os.fork()\n"
        "client.offline = False\n"
        "if not child:\n"
        "    client.submit({'id': 'child', 'promptPreview': 'p'})\n"
        "    client.output('child', 'x')\n"
        "    os._exit(0 if client.close(10) and client.dropped == 0 else 1)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "assert client.close(10)\n",
        server.url,
        tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (server.output("a"), server.output("child")) == (b"parent", b"x")
    assert len(server.requests("/output")) == 2
    assert list(tmp_path.iterdir()) == []
