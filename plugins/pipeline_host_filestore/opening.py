"""Making a data directory ready, or saying in one sentence why it can't be used."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Final

from pipeline_host.data_dir import make_data_dir, unusable
from pipeline_host.errors import StartupError, StoreUnavailable
from pipeline_host_filestore import aside, compaction, journal, leading, lock, outputs
from pipeline_host_filestore.lock import FileLock
from pipeline_host_filestore.options import FileStoreOptions
from pipeline_host_filestore.outputs import OutputLogs
from pipeline_host_filestore.replica import Replica
from pipeline_host_filestore.syncer import Sync

_LEFT: Final = (
    f"{outputs.FOLDER}/??/*.jsonl",
    f"{leading.FOLDER}/*.cursor",
    f"{aside.FOLDER}/*",
    f"{compaction.TEMPORARY}",
)
"""What tells that there was a journal."""


def prepare(data_dir: Path, timeout: float) -> FileLock:
    """See to it that there is a journal, made once however many workers start at once.

    Args:
        timeout: how long to wait for other workers, in seconds.

    Returns:
        The data directory's lock.

    Raises:
        StartupError: the directory can't be used, or data is missing in it.
    """
    try:
        make_data_dir(data_dir)
        held = FileLock(data_dir / lock.NAME, timeout)
        with held.held():
            if not (data_dir / journal.NAME).exists():
                _refuse_lost_journal(data_dir)
                journal.create(data_dir)
    except OSError as error:
        raise unusable(data_dir, error) from error
    except StoreUnavailable as error:
        raise StartupError(f"Data directory {data_dir} can't be used: {error}") from error
    return held


def find(data_dir: Path, timeout: float) -> FileLock:
    """The lock of a directory that is only looked at: what isn't there isn't made.

    Raises:
        StartupError: there are no data, data are missing, or they can't be read.
    """
    try:
        if not (data_dir / journal.NAME).exists():
            _refuse_lost_journal(data_dir)
            raise StartupError(f"{data_dir}: there are no data here")
        # Where data were copied without their lock, nobody has them open.
        there = data_dir / lock.NAME
        return FileLock(there if there.exists() else data_dir / journal.NAME, timeout)
    except OSError as error:
        raise unusable(data_dir, error) from error


def open_replica(
    data_dir: Path,
    options: FileStoreOptions,
    sync: Sync,
    notices: deque[str],
    logs: OutputLogs,
) -> Replica:
    """Read the journal of a directory that :func:`prepare` has seen to.

    What is read counts as kept from now on, so it is made safe first.

    Raises:
        StartupError: it can't be read, or not be made safe.
    """
    path = data_dir / journal.NAME
    try:
        replica = Replica(path, options.cache_size, sync, notices, logs.forget, logs.forget_all)
        if options.durability != "os":
            replica.journal.sync.wait(replica.journal.position)
    except OSError as error:
        raise StartupError(f"{path} can't be read: {error.strerror}") from error
    except StoreUnavailable as error:
        raise StartupError(str(error)) from error
    return replica


def _refuse_lost_journal(data_dir: Path) -> None:
    """What only a journal leads to is left of data that somebody has, so nothing new begins."""
    for pattern in _LEFT:
        left = next(data_dir.glob(pattern), None)
        if left is not None:
            raise StartupError(
                f"{data_dir / journal.NAME} is missing, but {left} was written by a store that had"
                " one. Put the journal back from a copy, or choose another data directory"
            )
