"""The hooks: each is documented with its records, and takes and gives what is written there."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pluggy
import pytest

from pipeline_host import hookspecs

DOCS = Path(__file__).parents[2] / "docs" / "plugins.md"
HOOKS: dict[str, Callable[..., Any]] = {
    name: value
    for name, value in vars(hookspecs).items()
    if inspect.isfunction(value) and name.startswith("pipeline_host_")
}


def record_of(hook: str) -> type:
    """The type of record that a hook returns an iterable of."""
    (record,) = get_args(get_type_hints(HOOKS[hook])["return"])
    assert isinstance(record, type)
    return record


def test_these_are_the_hooks() -> None:
    assert {hook: record_of(hook).__name__ for hook in HOOKS} == {
        "pipeline_host_process_stores": "StoreSpec",
        "pipeline_host_routes": "RouteSpec",
        "pipeline_host_event_sinks": "SinkSpec",
        "pipeline_host_commands": "CommandSpec",
        "pipeline_host_lifespan": "LifespanSpec",
    }


@pytest.mark.parametrize("hook", HOOKS)
def test_each_hook_and_its_record_are_documented(hook: str) -> None:
    text = " ".join(DOCS.read_text("utf-8").split())
    record = record_of(hook)
    fields = ", ".join(field.name for field in dataclasses.fields(record))
    assert f"| `{hook}` | `{record.__name__}` records |" in text
    assert f"`{record.__name__}({fields})`" in text


def test_no_hook_is_documented_that_isnt_there() -> None:
    named = set(re.findall(r"\bpipeline_host_\w+", DOCS.read_text("utf-8")))
    bundled = {"pipeline_host_filestore", "pipeline_host_rest", "pipeline_host_sse"}
    assert named - bundled <= set(HOOKS)


@pytest.mark.parametrize("hook", HOOKS)
def test_each_record_begins_alike_and_cant_be_changed(hook: str) -> None:
    fields = [field.name for field in dataclasses.fields(record_of(hook))]
    assert fields[:3] == ["name", "summary", "factory"]
    record = record_of(hook)("x", "An x", print)
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.name = "y"


@pytest.mark.parametrize("hook", HOOKS)
def test_no_hook_takes_arguments_or_hides_a_loser(hook: str) -> None:
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    spec = getattr(manager.hook, hook).spec
    assert spec.argnames == ()
    assert not spec.opts["firstresult"]
    assert not spec.opts["historic"]


@pytest.mark.parametrize("hook", HOOKS)
def test_each_hook_and_record_says_what_it_is_for(hook: str) -> None:
    assert HOOKS[hook].__doc__
    assert record_of(hook).__doc__
