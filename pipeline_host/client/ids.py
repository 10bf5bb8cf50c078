"""Names that a client chooses: a process's id, a workspace's id, name and colour."""

from __future__ import annotations

import colorsys
import hashlib
import os
import secrets
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline_host.client.batch import clean

WORKSPACE_DIGITS: Final = 16
SATURATION: Final = 0.6
LUMINANCE: Final = 0.18
"""How bright each workspace's colour is, by WCAG's formula: its contrast to black and to white is
about 4.5 : 1, so that it can be read on either."""


@dataclass(frozen=True, slots=True)
class WorkspaceIdentity:
    """What a workspace is called everywhere, made from nothing but its folder's path.

    Attributes:
        id: see :func:`workspace_id`.
        name: the folder's name.
        root_path: the folder's absolute path.
        color: such as ``#4a7fb5``; always the same for the same id.
    """

    id: str
    name: str
    root_path: str
    color: str

    def record(self) -> dict[str, str]:
        """The workspace as the server takes it."""
        return {
            "id": self.id,
            "name": self.name,
            "rootPath": self.root_path,
            "color": self.color,
        }


def new_id() -> str:
    """A UUIDv7 (RFC 9562): unique, and in the order of time.

    A client that names its process itself can repeat the create when the answer got lost.
    """
    milliseconds = time.time_ns() // 1_000_000
    value = milliseconds << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62
    return str(uuid.UUID(int=value | secrets.randbits(62)))


def workspace_id(folder: str | os.PathLike[str]) -> str:
    """The workspace's id: the first 16 hex digits of SHA-256 over the folder's absolute path."""
    return hashlib.sha256(os.fsencode(_absolute(folder))).hexdigest()[:WORKSPACE_DIGITS]


def workspace_identity(folder: str | os.PathLike[str]) -> WorkspaceIdentity:
    """A workspace's id, name and colour; whoever asks for the same folder gets the same."""
    path = _absolute(folder)
    found = workspace_id(path)
    return WorkspaceIdentity(
        id=found,
        name=clean(Path(path).name or path),
        root_path=clean(path),
        color=_color(int(found, 16) / 16**WORKSPACE_DIGITS),
    )


def _absolute(folder: str | os.PathLike[str]) -> str:
    # Links aren't resolved and "~" isn't expanded: the first client doesn't, and an id must be the
    # same for both. Nor does it keep two slashes at the beginning, as normpath does.
    path = os.path.normpath(Path(folder).absolute())
    return path[1:] if path.startswith("//") else path


def _color(hue: float) -> str:
    """The colour of this hue (0 to 1) that has our saturation and luminance, as ``#rrggbb``."""
    low, high = 0.0, 1.0
    for _ in range(12):
        lightness = (low + high) / 2
        if _luminance(colorsys.hls_to_rgb(hue, lightness, SATURATION)) < LUMINANCE:
            low = lightness
        else:
            high = lightness
    red, green, blue = (round(part * 255) for part in colorsys.hls_to_rgb(hue, low, SATURATION))
    return f"#{red:02x}{green:02x}{blue:02x}"


def _luminance(color: tuple[float, float, float]) -> float:
    """Relative luminance (WCAG 2.2) of red, green and blue from 0 to 1."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in color
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def workspace_folder(start: Path) -> Path:
    """The folder that ``start`` belongs to: the git working tree around it, or ``start`` itself."""
    for folder in (start, *start.parents):
        if (folder / ".git").exists():
            return folder
    return start
