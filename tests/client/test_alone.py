"""The client stands alone, so that it can be carried without the server."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import pipeline_host.client

SERVER_SIDE = ("gevent", "falcon", "gunicorn", "pluggy", "geventwebsocket", "msgspec", "click")
PACKAGE = Path(pipeline_host.client.__file__).parent


@pytest.mark.imports
def test_importing_it_loads_no_server_code() -> None:
    script = (
        "import sys, pipeline_host.client;"
        f"print([name for name in {SERVER_SIDE} if name in sys.modules]);"
        "print(sorted(name for name in sys.modules if name.startswith('pipeline_host')"
        " and not name.startswith('pipeline_host.client')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines() == ["[]", "['pipeline_host', 'pipeline_host._version']"]


def test_no_module_of_it_imports_more_than_the_standard_library_and_requests() -> None:
    allowed = sys.stdlib_module_names | {"requests", "urllib3"}
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0
                names = [node.module or ""]
            for name in names:
                own = name.startswith("pipeline_host.client")
                assert own or name.split(".")[0] in allowed, f"{path.name} imports {name}"
