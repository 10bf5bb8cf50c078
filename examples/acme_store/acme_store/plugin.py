"""What the entry point names: it tells pipeline_host of the store."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Annotated

import msgspec

from acme_store.store import AcmeStore
from pipeline_host.errors import PipelineHostError, StartupError
from pipeline_host.hookspecs import StoreContext, StoreSpec, hookimpl


class AcmeOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The settings under ``[plugins.acme]``.

    Attributes:
        path: the database file; ``acme.sqlite3`` in the server's data directory where not set.
        changes_kept: how many changes are remembered for readers that come back.
    """

    path: str = ""
    changes_kept: Annotated[int, msgspec.Meta(ge=1, le=10**12)] = 10_000


def open_store(context: StoreContext) -> AcmeStore:
    options: AcmeOptions = context.options
    path = Path(options.path) if options.path else context.data_dir / "acme.sqlite3"
    if context.examining and not path.is_file():
        raise StartupError(f"{path}: there are no data here")
    try:
        return AcmeStore(path, changes_kept=options.changes_kept)
    except (sqlite3.Error, PipelineHostError, ValueError) as error:
        raise StartupError(f"The acme store can't open {path}: {error}") from error


@hookimpl
def pipeline_host_process_stores() -> list[StoreSpec]:
    return [StoreSpec("acme", "Processes in one SQLite file", open_store, options=AcmeOptions)]
