"""A stranger's store, in a distribution of its own, found by its entry point alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from inspect import get_annotations
from pathlib import Path

import pytest
import requests

from pipeline_host.testing.pytest_plugin import StartServer
from pipeline_host.testing.store_base import StoreContractBase

ROOT = Path(__file__).parents[2]
ACME = ROOT / "examples" / "acme_store"
DOCS = ROOT / "docs" / "plugins.md"
PROCESS = {
    "id": "日本/..",
    "promptPreview": "a preview",
    "status": "running",
    "startTime": "2026-11-22T07:00:00.000Z",
}


@pytest.fixture
def installed(tmp_path: Path) -> Mapping[str, str]:
    """The environment of a program that has acme-store installed; no installer is used."""
    project = tomllib.loads((ACME / "pyproject.toml").read_text("utf-8"))["project"]
    metadata = tmp_path / "site" / f"acme_store-{project['version']}.dist-info"
    metadata.mkdir(parents=True)
    head = f"Metadata-Version: 2.4\nName: {project['name']}\nVersion: {project['version']}\n"
    (metadata / "METADATA").write_text(head, "utf-8")
    points = project["entry-points"]["pipeline_host"].items()
    lines = ["[pipeline_host]", *(f"{name} = {where}" for name, where in points), ""]
    (metadata / "entry_points.txt").write_text("\n".join(lines), "utf-8")
    paths = [str(metadata.parent), str(ACME), os.environ.get("PYTHONPATH", "")]
    return {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


def run(env: Mapping[str, str], *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *args],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_passes_the_contract_and_its_own_tests(installed: Mapping[str, str]) -> None:
    tests = str(ACME / "tests")
    done = run(installed, "pytest", tests, "-q", "-p", "no:cacheprovider", "-W", "error")
    assert done.returncode == 0, done.stdout + done.stderr
    summary = done.stdout.splitlines()[-1]
    assert "skipped" not in summary
    assert int(summary.split()[0]) > 150, summary


def test_the_documents_way_to_hold_a_store_to_the_contract_works(
    installed: Mapping[str, str], tmp_path: Path
) -> None:
    blocks = re.findall(r"(?ms)^```python\n(.*?)^```$", DOCS.read_text("utf-8"))
    (block,) = [block for block in blocks if "ProcessStoreContract" in block]
    (tmp_path / "test_documented.py").write_text(block, "utf-8")
    arguments = ("-q", "-p", "no:cacheprovider", "-W", "error")
    done = run(installed, "pytest", str(tmp_path / "test_documented.py"), *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.splitlines()[-1].split()[0]) > 150


def test_the_documents_name_all_that_a_contract_may_claim() -> None:
    rows = re.findall(r"(?m)^\| `(\w+)` \| .* \| `(\w[\w.]*)` \|$", DOCS.read_text("utf-8"))
    claims = get_annotations(StoreContractBase)
    assert dict(rows) == {name: str(getattr(StoreContractBase, name)) for name in claims}


def test_it_is_listed_with_its_distribution(installed: Mapping[str, str]) -> None:
    done = run(installed, "pipeline_host", "plugins")
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("acme ")]
    assert line.split() == ["acme", "loaded", "acme-store", "1.0.0"]
    assert "store: acme" in done.stdout


def test_it_is_served(installed: Mapping[str, str], live_server: StartServer) -> None:
    server = live_server("--store", "acme", env=installed)
    created = requests.post(f"{server.url}/api/processes", json=PROCESS, timeout=10)
    assert created.status_code == 201, created.text
    place = f"{server.url}/api/processes/%E6%97%A5%E6%9C%AC%2F.."
    written = requests.post(f"{place}/output", json={"content": "é\n"}, timeout=10)
    assert written.json() == {"offset": 3}
    ended = requests.patch(place, json={"status": "completed"}, timeout=10)
    assert ended.status_code == 200, ended.text
    server.kill()
    server.start()
    assert requests.get(place, timeout=10).json() == ended.json()
    with requests.get(f"{place}/stream", stream=True, timeout=10) as stream:
        told = stream.content.decode()
    assert 'data: {"content":"é\\n"}' in told
    assert "event: done" in told
    assert (server.data_dir / "acme.sqlite3").is_file()


def test_its_settings_are_read(
    installed: Mapping[str, str], live_server: StartServer, tmp_path: Path
) -> None:
    path = tmp_path / "elsewhere.db"
    live_server("--store", "acme", "--set", f"acme.path={path}", env=installed)
    assert path.is_file()


def test_more_workers_than_one_are_refused(
    installed: Mapping[str, str], live_server: StartServer
) -> None:
    with pytest.raises(RuntimeError, match="workers: expected 1 with the store acme"):
        live_server("--store", "acme", workers=2, env=installed)


def test_a_file_that_is_no_database_is_one_sentence(
    installed: Mapping[str, str], live_server: StartServer, tmp_path: Path
) -> None:
    path = tmp_path / "no.db"
    path.write_bytes(b"no database " * 1000)
    with pytest.raises(RuntimeError, match="exit code 1") as refused:
        live_server("--store", "acme", "--set", f"acme.path={path}", env=installed)
    assert "can't open" in str(refused.value)
    assert "Traceback" not in str(refused.value)
    assert path.read_bytes() == b"no database " * 1000


def test_without_it_the_store_is_unknown(live_server: StartServer) -> None:
    with pytest.raises(RuntimeError, match="no such store"):
        live_server("--store", "acme")
