"""The distribution's lists agree with what lies in the tree."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


def packages_in_the_tree() -> set[str]:
    found = set()
    for base in (ROOT, ROOT / "plugins"):
        for marker in base.glob("pipeline_host*/**/__init__.py"):
            found.add(".".join(marker.parent.relative_to(base).parts))
    return found


def test_every_package_is_installed(setup_cfg: configparser.ConfigParser) -> None:
    assert set(lines(setup_cfg["options"]["packages"])) == packages_in_the_tree()


def test_every_bundled_plugin_is_mapped_and_has_an_entry_point(
    setup_cfg: configparser.ConfigParser,
) -> None:
    plugins = {path.name for path in (ROOT / "plugins").iterdir() if (path / "plugin.py").exists()}
    mapped = dict(re.split(r"\s*=\s*", row) for row in lines(setup_cfg["options"]["package_dir"]))
    points = dict(
        re.split(r"\s*=\s*", row)
        for row in lines(setup_cfg["options.entry_points"]["pipeline_host"])
    )
    assert {name for name in mapped if name != "pipeline_host"} == plugins
    assert {mapped[name] for name in plugins} == {f"plugins/{name}" for name in plugins}
    assert set(points.values()) == {f"{name}.plugin" for name in plugins}


def test_every_package_is_typed() -> None:
    tops = {name.split(".")[0] for name in packages_in_the_tree()}
    missing = [
        top
        for top in tops
        if not (ROOT / top / "py.typed").exists()
        and not (ROOT / "plugins" / top / "py.typed").exists()
    ]
    assert missing == []


def test_every_file_of_the_pages_is_installed(setup_cfg: configparser.ConfigParser) -> None:
    plugin = ROOT / "plugins" / "pipeline_host_dashboard"
    patterns = lines(setup_cfg["options.package_data"]["pipeline_host_dashboard"])
    installed = {path for pattern in patterns for path in plugin.glob(pattern)}
    assert {path for path in (plugin / "static").rglob("*") if path.is_file()} == installed


def test_ci_runs_the_test_command_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    command = (ROOT / ".ci" / "run").read_text(encoding="utf-8").strip().splitlines()[-1]
    assert f"    {command}\n" in readme


def test_modules_stay_small_enough_to_hold_in_ones_head() -> None:
    def code_lines(path: Path) -> int:
        rows = path.read_text(encoding="utf-8").splitlines()
        return sum(1 for row in rows if row.strip() and not row.strip().startswith("#"))

    long = {
        str(path.relative_to(ROOT)): code_lines(path)
        for base in ("pipeline_host", "plugins")
        for path in (ROOT / base).rglob("*.py")
        if code_lines(path) > 350
    }
    assert long == {}
