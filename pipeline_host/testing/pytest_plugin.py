"""The pytest plugin: makes the kit's assertions tell what differs, and gives ``live_server``.

pytest loads this in every run where pipeline_host is installed, so it imports nothing but pytest.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, Protocol

import pytest

if TYPE_CHECKING:
    from pipeline_host.testing.server import LiveServer

ASSERTING: Final = (
    "pipeline_host.testing.store",
    "pipeline_host.testing.store_base",
    "pipeline_host.testing.store_changes",
    "pipeline_host.testing.store_durable",
    "pipeline_host.testing.store_lead",
    "pipeline_host.testing.store_leases",
    "pipeline_host.testing.store_lists",
    "pipeline_host.testing.store_live",
    "pipeline_host.testing.store_model",
    "pipeline_host.testing.store_output",
    "pipeline_host.testing.store_reading",
    "pipeline_host.testing.store_remove",
    "pipeline_host.testing.store_shared",
    "pipeline_host.testing.store_state",
    "pipeline_host.testing.store_stats",
)
"""The modules of the kit whose assertions tell what differs."""

pytest.register_assert_rewrite(*ASSERTING)

NEEDS: Final = "pipeline_host_needs"
"""The attribute of a contract's test that names the capability it is about."""

SERVERS: Final = pytest.StashKey["list[LiveServer]"]()


class StartServer(Protocol):
    """What the fixture :func:`live_server` gives: starts a server each time it is called."""

    def __call__(
        self, *args: str, data_dir: Path | None = None, workers: int = 1, **options: Any
    ) -> LiveServer: ...


@pytest.fixture
def live_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StartServer]:
    """Starts real servers, each a process of its own; all are ended with the test.

    ``live_server("--store", "acme", workers=2)`` returns a started
    :class:`~pipeline_host.testing.server.LiveServer` on a free port, with its data in the test's
    own folder; its other keywords are those of that class. If the test fails, the report shows
    what the servers wrote.
    """
    servers = request.node.stash.setdefault(SERVERS, [])
    with ExitStack() as ending:

        def start(
            *args: str, data_dir: Path | None = None, workers: int = 1, **options: Any
        ) -> LiveServer:
            from pipeline_host.testing.server import LiveServer

            folder = tmp_path / "data" if data_dir is None else data_dir
            server = LiveServer(folder, *args, workers=workers, **options)
            ending.callback(server.close)
            servers.append(server)
            server.start()
            return server

        yield start


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: object, obj: object) -> list[pytest.Item] | None:
    """Leave out the tests of a capability that a store doesn't claim."""
    if not isinstance(collector, pytest.Class) or not isinstance(obj, FunctionType):
        return None
    capability = obj.__dict__.get(NEEDS)
    return None if capability is None or getattr(collector.obj, capability) else []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        for server in item.stash.get(SERVERS, []):
            report.sections.append((f"log of the server at {server.url}", server.log()))
    return report
