"""For authors of plugins: the rules of a store as tests, a real server, and waiting.

::

    from pipeline_host.testing import ProcessStoreContract

    class TestMyStore(ProcessStoreContract):
        def open_store(self, folder):
            return MyStore(folder / "data")

Installed with ``pip install pipeline-host[testing]``; pytest finds the fixtures by itself. What is
here is imported when it is first asked for, as pytest loads this package in each of its runs.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pipeline_host.testing.server import LiveServer
    from pipeline_host.testing.store import ProcessStoreContract
    from pipeline_host.testing.waiting import wait_until

__all__ = ["LiveServer", "ProcessStoreContract", "wait_until"]

_HOME: Final = {
    "LiveServer": "pipeline_host.testing.server",
    "ProcessStoreContract": "pipeline_host.testing.store",
    "wait_until": "pipeline_host.testing.waiting",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
