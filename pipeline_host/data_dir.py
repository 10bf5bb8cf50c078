"""The data directory: made for its owner alone, or why it can't be used in one sentence."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from pipeline_host.errors import StartupError


def make_data_dir(path: Path) -> None:
    """Make the folder and its parents, where they aren't there yet.

    Raises:
        StartupError: it can't be made or not be written to.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise unusable(path, error) from error


def unusable(path: Path, error: OSError) -> StartupError:
    """The error that says why a data directory can't be used, from the kernel's refusal."""
    if isinstance(error, FileExistsError | NotADirectoryError):
        reason = "it is not a directory"
    elif error.errno in (errno.EACCES, errno.EPERM):
        reason = f"user {os.geteuid()} may not write there"
    elif error.errno == errno.EROFS:
        reason = "its file system is read-only"
    else:
        reason = error.strerror or str(error)
    return StartupError(f"Data directory {path} can't be used: {reason}")
