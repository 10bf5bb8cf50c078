"""Running the command line as its users do: in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from pipeline_host.client import ApiClient
from pipeline_host.testing import LiveServer

Run = Callable[..., "subprocess.CompletedProcess[str]"]
_names = count(1)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server for all tests of a module; each uses processes of its own."""
    with LiveServer(tmp_path_factory.mktemp("shared") / "data") as server:
        yield server


@pytest.fixture
def api(shared: LiveServer) -> Iterator[ApiClient]:
    with ApiClient(shared.url) as client:
        yield client


@pytest.fixture
def name() -> str:
    """The id of this test's process."""
    return f"test-{next(_names)}"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder on the path of the programs that :func:`command_line` runs."""
    folder = tmp_path / "site"
    folder.mkdir()
    return folder


@pytest.fixture
def install(site: Path) -> Callable[[str, str], None]:
    """Puts a distribution with one plugin there, both called by a name."""

    def put(name: str, code: str) -> None:
        (site / f"{name}.py").write_text(code, "utf-8")
        metadata = site / f"{name}-1.0.dist-info"
        metadata.mkdir()
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        (metadata / "METADATA").write_text(text, "utf-8")
        (metadata / "entry_points.txt").write_text(f"[pipeline_host]\n{name} = {name}\n", "utf-8")

    return put


@pytest.fixture
def command_line(site: Path, tmp_path: Path) -> Run:
    """Runs ``pipeline-host`` to its end."""

    def run(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
        home = {"XDG_CONFIG_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
        return subprocess.run(
            [sys.executable, "-m", "pipeline_host", *args],
            env={**os.environ, **home, "PYTHONPATH": str(site), **env},
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )

    return run
