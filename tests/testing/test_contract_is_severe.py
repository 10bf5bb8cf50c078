"""Each rule of the store contract is one that a store can break, and then the contract says so."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from pipeline_host.testing import ProcessStoreContract

HERE = Path(__file__).parent
BROKEN = sorted(HERE.glob("broken_*.py"))
ACME = HERE.parents[1] / "examples" / "acme_store"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[ET.Element]:
    """What became of the tests that must notice, in one run over all broken stores."""
    report = tmp_path_factory.mktemp("broken") / "report.xml"
    paths = [str(HERE), str(ACME), os.environ.get("PYTHONPATH", "")]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=line"]
    run = subprocess.run(
        [*command, f"--junitxml={report}", *map(str, BROKEN)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == pytest.ExitCode.TESTS_FAILED, run.stdout + run.stderr
    return list(ET.parse(report).iter("testcase"))


def name(case: ET.Element) -> str:
    return f"{case.attrib['classname'].rpartition('.')[2]}.{case.attrib['name']}"


def test_the_contract_fails_every_broken_store(results: list[ET.Element]) -> None:
    """Of a test with parameters, at least one must notice."""
    noticed = {name(case).partition("[")[0] for case in results if case.find("failure") is not None}
    missed = {name(case).partition("[")[0] for case in results} - noticed
    assert not missed
    assert len({case.partition(".")[0] for case in noticed}) > 60
    assert not [name(case) for case in results if case.find("error") is not None]


def test_every_test_of_the_contract_can_fail(results: list[ET.Element]) -> None:
    failed = {
        case.attrib["name"].partition("[")[0]
        for case in results
        if case.find("failure") is not None
    }
    tests = {test for test in dir(ProcessStoreContract) if test.startswith("test_")}
    assert tests - failed == set()


def test_no_part_of_the_contract_hides_a_test_of_another() -> None:
    seen: dict[str, str] = {}
    for part in ProcessStoreContract.__mro__:
        for test in vars(part):
            if test.startswith("test_"):
                assert test not in seen, f"{test} is in {seen[test]} and in {part.__name__}"
                seen[test] = part.__name__
