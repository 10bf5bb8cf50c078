"""Makes contracts out of stores that break a rule: each keeps only the tests that must notice."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from acme_store import AcmeStore
from hypothesis import Phase, settings

from pipeline_host.testing import ProcessStoreContract

WITHOUT_SHRINKING = settings(
    ProcessStoreContract.model_settings,
    phases=[Phase.generate],
    max_examples=100,
    derandomize=True,
)
Store = TypeVar("Store", bound=type[AcmeStore])


def breaks(
    *tests: str,
    shared: bool = False,
    durable: bool = True,
    leads: bool = True,
    file: str = "acme.sqlite3",
) -> Callable[[Store], Store]:
    """Adds, beside the store, a contract class of it that holds just these tests."""

    def decorate(store: Store) -> Store:
        def open_store(self: ProcessStoreContract, folder: Path) -> AcmeStore:
            broken = store(folder / file)
            broken._database._connection.execute("PRAGMA synchronous = OFF")
            return broken

        left_out = {name for name in dir(ProcessStoreContract) if name.startswith("test_")}
        unknown = set(tests) - left_out
        assert not unknown, unknown
        attributes = dict.fromkeys(left_out - set(tests)) | {
            "open_store": open_store,
            "shared": shared,
            "durable": durable,
            "leads": leads,
            "patience": 0.2,
            "model_settings": WITHOUT_SHRINKING,
        }
        name = f"Test{store.__name__}"
        contract = type(name, (ProcessStoreContract,), attributes)
        setattr(sys.modules[store.__module__], name, contract)
        return store

    return decorate
