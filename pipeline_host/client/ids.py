"""Names that a client chooses: a process's id, a workspace's id."""

from __future__ import annotations

import hashlib
import os
import secrets
import time
import uuid
from pathlib import Path
from typing import Final

WORKSPACE_DIGITS: Final = 16


def new_id() -> str:
    """A UUIDv7 (RFC 9562): unique, and in the order of time.

    A client that names its process itself can repeat the create when the answer got lost.
    """
    milliseconds = time.time_ns() // 1_000_000
    value = milliseconds << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62
    return str(uuid.UUID(int=value | secrets.randbits(62)))


def workspace_id(folder: str | os.PathLike[str]) -> str:
    """The workspace's id: the first 16 hex digits of SHA-256 over the folder's absolute path."""
    path = os.path.normpath(Path(folder).absolute())
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:WORKSPACE_DIGITS]


def workspace_folder(start: Path) -> Path:
    """The folder that ``start`` belongs to: the git working tree around it, or ``start`` itself."""
    for folder in (start, *start.parents):
        if (folder / ".git").exists():
            return folder
    return start
