"""Imports run downwards only; plugins know the host, and nobody knows plugins."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOST = ROOT / "pipeline_host"
PLUGINS = ROOT / "plugins"

LAYERS: tuple[frozenset[str], ...] = tuple(
    frozenset(layer.split())
    for layer in (
        "_version errors",
        "models expected paths settings cursors http vanishing",
        "times sources messages dead_letters data_dir",
        "leases transitions output wire config",
        "store",
        (
            "delivering delivery election observing hangup following feed emitter "
            "watching renewal live retention expiry guard bodies reports change_source"
        ),
        "hookspecs host discovery records sinks",
        "plugins web",
        "app",
        "wsgi server serving worker",
        "cli __main__",
    )
)
"""Modules (or packages) of the host from the ground up; each may import its own layer and below."""

PUBLIC = frozenset(
    {
        *("errors", "models", "times", "transitions", "output", "wire", "cursors", "paths"),
        *("store", "live", "feed", "emitter", "watching", "hookspecs", "host", "config"),
        *("bodies", "delivery", "hangup", "following"),
        *("messages", "dead_letters", "data_dir", "observing", "change_source"),
    }
)
"""What plugins may import of the host."""

STANDARD = sys.stdlib_module_names | {"__future__"}


def modules(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def imports(path: Path) -> Iterator[str]:
    """The names that a module imports, as far as a module is known: ``pipeline_host.errors``."""
    tree = ast.parse(path.read_text("utf-8"))
    hidden = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in hidden:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            if node.module == "pipeline_host":
                yield from (f"pipeline_host.{alias.name}" for alias in node.names)
            else:
                yield node.module or ""


def host_imports(path: Path) -> set[str]:
    """The parts of the host that a module imports, by the name below ``pipeline_host``."""
    return {
        name.split(".")[1]
        for name in imports(path)
        if name.startswith("pipeline_host.") and name != "pipeline_host.__version__"
    }


def layer_of(part: str) -> int:
    return next((number for number, layer in enumerate(LAYERS) if part in layer), -1)


def layered() -> list[Path]:
    """The modules of the host proper: the client and the kit for tests stand beside the layers."""
    beside = ("__init__", "testing", "client")
    return [path for path in modules(HOST) if part_of(path) not in beside]


def part_of(path: Path) -> str:
    return path.relative_to(HOST).parts[0].removesuffix(".py")


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", layered(), ids=shown)
def test_no_module_of_the_host_imports_upwards(path: Path) -> None:
    part = part_of(path)
    assert layer_of(part) >= 0, f"{part} has no layer; give it one in this test"
    above = {name for name in host_imports(path) if layer_of(name) > layer_of(part)}
    assert not above
    assert not [name for name in imports(path) if name.startswith("pipeline_host_")]


@pytest.mark.parametrize("path", modules(PLUGINS), ids=shown)
def test_plugins_import_public_modules_of_the_host_and_never_each_other(path: Path) -> None:
    own = path.relative_to(PLUGINS).parts[0]
    assert host_imports(path) <= PUBLIC
    others = {name.split(".")[0] for name in imports(path) if name.startswith("pipeline_host_")}
    assert others <= {own}


@pytest.mark.parametrize("path", modules(HOST / "client"), ids=shown)
def test_the_client_stands_alone(path: Path) -> None:
    assert host_imports(path) <= {"client", "_version"}
    foreign = {name.split(".")[0] for name in imports(path)} - STANDARD - {"pipeline_host"}
    assert foreign <= {"requests", "urllib3", "msgspec"}


@pytest.mark.imports
@pytest.mark.parametrize("name", ["pipeline_host", "pipeline_host.client"])
def test_importing_the_client_loads_nothing_of_the_server(name: str) -> None:
    code = (
        f"import sys, {name}\n"
        "print(*({'gevent', 'falcon', 'gunicorn', 'pluggy', 'click'} & set(sys.modules)))\n"
        "print(*(n for n in sys.modules if n.startswith('pipeline_host')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True
    )
    server_side, ours = done.stdout.split("\n")[:2]
    assert server_side == ""
    below = ("pipeline_host.client", "pipeline_host._version")
    assert all(one == "pipeline_host" or one.startswith(below) for one in ours.split())


def test_nothing_but_the_worker_knows_gevent() -> None:
    """So that the host and its stores work in any server, and in a program of one's own."""
    knowing = {shown(path) for path in modules(HOST) if _uses_gevent(path)}
    allowed = (
        *("pipeline_host/worker.py", "pipeline_host/server.py", "pipeline_host/hangup.py"),
        "pipeline_host/delivering/dispatcher.py",
    )
    assert {
        name for name in knowing if not name.startswith(("pipeline_host/serving/", *allowed))
    } <= {"pipeline_host/cli/main.py", "pipeline_host/__main__.py", "pipeline_host/cli/serve.py"}


def _uses_gevent(path: Path) -> bool:
    return any(name.split(".")[0] in ("gevent", "geventwebsocket") for name in imports(path))
