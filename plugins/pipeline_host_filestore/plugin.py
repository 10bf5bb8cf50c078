"""Offers the store to the host, under the name ``file``."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline_host.hookspecs import StoreContext, StoreSpec, hookimpl
from pipeline_host.store import ProcessStore
from pipeline_host_filestore.options import FileStoreOptions


@hookimpl
def pipeline_host_process_stores() -> Iterable[StoreSpec]:
    return [
        StoreSpec(
            name="file",
            summary="Files in the data directory, shared by all workers of one machine",
            factory=_open,
            shared=True,
            options=FileStoreOptions,
        )
    ]


def _open(context: StoreContext) -> ProcessStore:
    from pipeline_host_filestore.store import FileProcessStore

    return FileProcessStore(context.data_dir, context.options, examining=context.examining)
