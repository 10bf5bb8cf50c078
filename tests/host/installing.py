"""Plugins that are really installed: files and metadata on ``sys.path``, without an installer."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest


class Install:
    """Puts distributions on ``sys.path``, the newest first, for one test."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._monkeypatch = monkeypatch
        self._imported: list[str] = []

    def __call__(
        self,
        distribution: str,
        modules: Mapping[str, str],
        *,
        entry_points: Mapping[str, str] | None = None,
        version: str = "1.0",
    ) -> Path:
        """Install one; returns its folder.

        Args:
            modules: their sources by name.
            entry_points: what they name; without them, one of its own name for each module.
        """
        site = self._folder / f"site-{distribution}-{version}"
        metadata = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        metadata.mkdir(parents=True)
        head = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        (metadata / "METADATA").write_text(head, "utf-8")
        points = entry_points if entry_points is not None else {name: name for name in modules}
        lines = ["[pipeline_host]", *(f"{name} = {where}" for name, where in points.items()), ""]
        (metadata / "entry_points.txt").write_text("\n".join(lines), "utf-8")
        for name, source in modules.items():
            (site / f"{name}.py").write_text(dedent(source), "utf-8")
        self._imported.extend(modules)
        self._monkeypatch.syspath_prepend(site)
        return site

    def forget(self) -> None:
        """Let the next test import modules of the same names anew."""
        for name in self._imported:
            sys.modules.pop(name, None)
