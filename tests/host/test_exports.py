"""What plugins may rely on: names are added, renamed or removed here first, knowingly."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "pipeline_host"

EXPORTS = {
    "__init__": "__version__",
    "hookspecs": (
        "PROJECT hookspec hookimpl NoOptions StoreContext StoreSpec Route RouteSpec Sink SinkSpec "
        "RetryLater Scope "
        "CommandSpec LifespanSpec pipeline_host_process_stores pipeline_host_routes "
        "pipeline_host_event_sinks pipeline_host_commands pipeline_host_lifespan"
    ),
    "host": "Draining Host",
    "store": (
        "Unsubscribe READ_LIMIT CHANGE_LIMIT ProcessStore DoorbellStore Lead LeaderStore "
        "ExaminedStore"
    ),
    "errors": (
        "PipelineHostError InvalidInput BodyTooLarge UnsupportedContent BodyTimeout NotFound "
        "Conflict TerminalState OffsetMismatch StoreUnavailable StorageFull StoreCorrupt "
        "TooManyStreams "
        "StartupError InvalidSettings PluginError PluginConflict"
    ),
    "models": (
        "Timestamp Status STATUSES TERMINAL Outcome ChangeKind Order DEFAULT_TYPE MAX_ID_LENGTH "
        "MAX_LIMIT DEFAULT_LIMIT Model Cancellation Lease ProcessSummary Process ProcessPatch "
        "CancellationPatch Workspace Chunk OutputBatch ProcessFilter Page WorkspaceCount Stats "
        "Removed Change ChangeBatch Added"
    ),
    "bodies": "HOST_KEY INPUT_KEY PIECE BodyInput read_json iter_body check_encoding",
    "delivery": (
        "HANDOVER_KEY MOST_WAITING Connection Delivery Reading Source Subscription stream_head"
    ),
    "config": "Settings load_settings plugin_options settings_reference",
    "live": "LiveStore",
    "testing": "LiveServer ProcessStoreContract wait_until",
}


def public_names(module: str) -> set[str]:
    """``__all__`` where a module has it, else what it defines without a leading underscore."""
    file = PACKAGE / f"{module}.py"
    source = file if file.exists() else PACKAGE / module / "__init__.py"
    defined: set[str] = set()
    for node in ast.parse(source.read_text("utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            defined.add(node.name)
        elif isinstance(node, ast.Assign):
            names = {target.id for target in node.targets if isinstance(target, ast.Name)}
            if "__all__" in names:
                return set(ast.literal_eval(node.value))
            defined |= names
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            defined.add(node.target.id)
    return {name for name in defined if not name.startswith("_")}


@pytest.mark.parametrize("module", EXPORTS)
def test_a_module_exports_what_is_written_here(module: str) -> None:
    assert public_names(module) == set(EXPORTS[module].split())


@pytest.mark.parametrize("module", EXPORTS)
def test_what_is_exported_is_there(module: str) -> None:
    name = "pipeline_host" if module == "__init__" else f"pipeline_host.{module}"
    loaded = importlib.import_module(name)
    assert all(hasattr(loaded, export) for export in EXPORTS[module].split())
