"""The files of the pages, read once and named for what is in them."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath
from typing import Final, NamedTuple

TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_INDEX: Final = "index.html"
_BUILD_LENGTH: Final = 16
_MODULES: Final = "<!-- modules -->"
_BASE: Final = "/static/build/"


class Asset(NamedTuple):
    """One file, as it is sent."""

    content_type: str
    plain: bytes
    zipped: bytes


class Assets:
    """The page and all that it loads.

    Modules name each other by relative paths, so that a changed file must change the address of
    those that import it too: one hash over all files stands in the path of each.

    Attributes:
        build: that hash; another one is another version of the page.
        page: the page, with the addresses of this build in it.
    """

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        digest = hashlib.sha256()
        for name in sorted(contents):
            digest.update(f"{name}\0{len(contents[name])}\0".encode())
            digest.update(contents[name])
        self.build = digest.hexdigest()[:_BUILD_LENGTH]
        self.page = _asset(_INDEX, self._filled(contents))
        self._assets = {
            name: _asset(name, content) for name, content in contents.items() if name != _INDEX
        }

    @classmethod
    def load(cls) -> Assets:
        """Those of this plugin."""
        return cls(dict(_files(files(__package__) / "static")))

    def find(self, build: str, name: str) -> Asset | None:
        return self._assets.get(name) if build == self.build else None

    def _filled(self, contents: Mapping[str, bytes]) -> bytes:
        """The page's HTML: which modules there are, told early, and where everything is."""
        modules = "\n    ".join(
            f'<link rel="modulepreload" href="{_BASE}{name}">'
            for name in sorted(contents)
            if re.fullmatch(r"js/.*\.js", name) and name != "js/theme-boot.js"
        )
        html = contents[_INDEX].decode().replace(_MODULES, modules)
        return html.replace(_BASE, f"/static/{self.build}/").encode()


def _asset(name: str, content: bytes) -> Asset:
    return Asset(
        TYPES[PurePosixPath(name).suffix], content, gzip.compress(content, compresslevel=9, mtime=0)
    )


def _files(folder: Traversable, prefix: str = "") -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _files(entry, f"{prefix}{entry.name}/")
        elif PurePosixPath(entry.name).suffix in TYPES:
            found.append((prefix + entry.name, entry.read_bytes()))
    return found
