"""Plugins that tests install beside ours: a module with its metadata in a folder on the path."""

from __future__ import annotations

from pathlib import Path


def install(folder: Path, name: str, source: str) -> str:
    """Write a distribution of one module, whose entry point has the module's name.

    Returns:
        What ``PYTHONPATH`` has to be for it to be found.
    """
    distribution = name.replace("_", "-")
    metadata = folder / f"{name}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (folder / f"{name}.py").write_text(source, "utf-8")
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n", "utf-8"
    )
    (metadata / "entry_points.txt").write_text(f"[pipeline_host]\n{name} = {name}\n", "utf-8")
    return str(folder)
