"""Long fields are not kept in memory, and nobody can tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline_host.models import Process, ProcessFilter, ProcessSummary
from pipeline_host.testing.store_base import changes_since, new_process
from pipeline_host_filestore.options import FileStoreOptions
from pipeline_host_filestore.store import FileProcessStore
from pipeline_host_filestore.texts import LARGE

Opener = Callable[..., FileProcessStore]
LONG = "long " * LARGE
TEXTS = st.sampled_from(["", "short", LONG, LONG + "other"])
OBJECTS = st.sampled_from(
    [
        {"workspaceId": "w"},
        {"workspaceId": "w", "workspaceName": "name", "text": LONG},
        {"workspaceId": "v", "list": list(range(LARGE))},
    ]
)
OPTIONAL: dict[str, st.SearchStrategy[Any]] = {
    "error": st.none() | TEXTS,
    "result": st.none() | TEXTS,
    "structured_result": st.none() | TEXTS,
    "metadata": st.none() | OBJECTS,
    "group_metadata": st.none() | OBJECTS,
}
REQUIRED = {"prompt_preview": TEXTS, "full_prompt": TEXTS}
FIELDS = st.fixed_dictionaries({}, optional=REQUIRED | OPTIONAL)


def entry_text(store: FileProcessStore) -> str:
    """All that the index keeps of the processes."""
    with store._access.reading() as replica:
        return "".join(repr(entry.process) for entry in replica.state.index.entries())


def told(store: FileProcessStore) -> list[ProcessSummary | None]:
    return [change.process for change in changes_since(store, 0)]


def with_fields(process: Process, fields: dict[str, Any]) -> Process:
    return replace(process, **fields)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(FIELDS, st.lists(FIELDS, max_size=4), st.integers(0, 4))
def test_whatever_is_long_is_given_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory,
    first: dict[str, Any],
    updates: list[dict[str, Any]],
    compact_after: int,
) -> None:
    options = FileStoreOptions(durability="os", cache_size=5000)
    folder = tmp_path_factory.mktemp("data")
    store = FileProcessStore(folder, options)
    reader = FileProcessStore(folder, options)
    expected = new_process(**first)
    store.add(expected)
    summaries: list[ProcessSummary | None] = [expected.summary()]
    for number, fields in enumerate(updates):
        after = replace(expected, **fields)
        assert store.update("p", lambda process, f=fields: with_fields(process, f)) == after  # type: ignore[misc]
        if after != expected:
            summaries.append(after.summary())
        expected = after
        if number == compact_after:
            assert store._compactor.compact(force=True)
        assert reader.get("p") == expected
    later = FileProcessStore(folder, options)
    for opened in (store, reader, later):
        assert opened.get("p") == expected
        assert opened.list(ProcessFilter()).processes == (expected,)
        assert told(opened) == summaries
        workspaces = [found.workspace_id for found in opened.stats().by_workspace]
        assert workspaces == ([expected.workspace_id] if expected.workspace_id else [])
        assert LONG not in entry_text(opened)
        opened.close()


def test_a_search_looks_into_long_prompts(open_store: Opener) -> None:
    store = open_store(FileStoreOptions(cache_size=0))
    store.add(new_process("found", full_prompt=LONG + "Needle"))
    store.add(new_process("other", full_prompt=LONG))
    page = store.list(ProcessFilter(q="needle"))
    assert [process.id for process in page.processes] == ["found"]


def test_records_of_any_length_are_read(open_store: Opener) -> None:
    """Longer than what is read at once."""
    store, reader = open_store(), open_store()
    huge = "日本" * 1_500_000
    store.add(new_process("huge", full_prompt=huge))
    store.add(new_process("after"))
    for opened in (store, reader, open_store()):
        assert opened.get("huge").full_prompt == huge
        assert opened.get("after").id == "after"


def test_no_more_is_remembered_than_allowed(open_store: Opener) -> None:
    store = open_store(FileStoreOptions(cache_size=50_000, durability="os"))
    for number in range(50):
        store.add(new_process(f"p{number}", full_prompt=f"{LONG}{number}"))
    for _ in range(2):
        for number in range(50):
            assert store.get(f"p{number}").full_prompt == f"{LONG}{number}"
    with store._access.reading() as replica:
        assert replica.texts._size <= 50_000
        assert replica.texts._size == sum(size for _, size in replica.texts._known.values())


def test_a_mutation_that_changes_the_id_is_refused(store: FileProcessStore) -> None:
    store.add(new_process())
    with pytest.raises(ValueError, match="a mutation of 'p' made it 'q'"):
        store.update("p", lambda process: replace(process, id="q"))
    assert store.get("p").id == "p"
