"""What the pytest plugin does for a stranger's test run, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import pipeline_host.testing

pytest_plugins = ["pytester"]

FAKE = """
from pipeline_host.models import Page
from pipeline_host.testing import ProcessStoreContract

class Nothing:
    def list(self, query):
        return Page(processes=(), total=5, limit=0, offset=0)
    def close(self):
        pass

class Base(ProcessStoreContract):
    durable = False
    def open_store(self, folder):
        return Nothing()

class TestAlone(Base):
    pass

class TestShared(Base):
    durable = shared = True
"""
HEAVY = {"gevent", "falcon", "gunicorn", "hypothesis", "msgspec", "requests", "click"}


def run(pytester: pytest.Pytester, *args: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *args)


def test_tests_of_a_capability_are_there_if_it_is_claimed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(FAKE)
    output = run(pytester, "--collect-only", "-q").stdout.str()
    for capability in ("test_the_epoch_stays_with_the_data", "test_every_listener_is_rung"):
        assert f"TestShared::{capability}" in output
        assert f"TestAlone::{capability}" not in output
    assert "TestAlone::test_an_update_is_kept" in output


def test_a_broken_rule_is_shown_with_its_values(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(FAKE)
    result = run(pytester, "-k", "TestAlone and test_an_empty_store_lists_nothing")
    result.assert_outcomes(failed=1, deselected=result.parseoutcomes()["deselected"])
    result.stdout.fnmatch_lines(["*assert ((), 5, None) == ((), 0, None)*"])


def test_every_module_of_the_contract_shows_its_values() -> None:
    from pipeline_host.testing import pytest_plugin

    folder = Path(pipeline_host.testing.__file__).parent
    modules = {f"pipeline_host.testing.{path.stem}" for path in folder.glob("store*.py")}
    assert set(pytest_plugin.ASSERTING) == modules


@pytest.mark.imports
def test_it_costs_other_test_runs_nothing() -> None:
    code = "import sys, pipeline_host.testing.pytest_plugin; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert HEAVY & set(run.stdout.split()) == set()


def test_an_unclaimed_name_is_not_in_the_package() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = pipeline_host.testing.nothing
    for name in pipeline_host.testing.__all__:
        assert getattr(pipeline_host.testing, name).__name__ == name


def test_servers_are_started_and_ended_with_the_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import requests
        from contextlib import suppress
        from pathlib import Path

        def test_two(live_server, tmp_path):
            one = live_server("--heartbeat", "3")
            two = live_server(data_dir=tmp_path / "two", workers=2)
            assert one.data_dir == tmp_path / "data"
            urls = [one.url, two.url]
            for url in urls:
                assert requests.get(f"{url}/api/health", timeout=10).ok
            Path("pids").write_text(f"{one.pid} {two.pid} {two.worker_pids()[0]}")

        def test_none_is_left():
            for pid in Path("pids").read_text().split():
                with suppress(FileNotFoundError, ProcessLookupError):
                    assert "State:\\tZ" in Path(f"/proc/{pid}/status").read_text()
        """
    )
    run(pytester).assert_outcomes(passed=2)


def test_a_failure_shows_what_the_server_wrote(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_failing(live_server):
            live_server()
            assert False, "on purpose"

        def test_passing(live_server):
            live_server()

        def test_not_starting(live_server):
            live_server("--store", "nothing")
        """
    )
    result = run(pytester)
    result.assert_outcomes(failed=2, passed=1)
    result.stdout.fnmatch_lines(["*log of the server at http*", "*Listening on http*"])
    result.stdout.fnmatch_lines(["*no such store*"])
    assert result.stdout.str().count("log of the server") == 2
