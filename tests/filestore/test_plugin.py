"""The plugin offers the store by its name, with its options."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from pipeline_host.hookspecs import StoreContext
from pipeline_host.store import DoorbellStore
from pipeline_host_filestore import plugin
from pipeline_host_filestore.options import FileStoreOptions


def test_it_provides_one_store_that_workers_share(tmp_path: Path) -> None:
    (spec,) = plugin.pipeline_host_process_stores()
    assert (spec.name, spec.shared, spec.options) == ("file", True, FileStoreOptions)
    store = spec.factory(StoreContext(data_dir=tmp_path, options=FileStoreOptions()))
    assert isinstance(store, DoorbellStore)
    store.close()


@pytest.mark.parametrize(
    "given",
    [{"durability": "never"}, {"flush_interval": 0}, {"open_outputs": 0}, {"unknown": 1}],
)
def test_options_that_make_no_sense_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(given, FileStoreOptions)
