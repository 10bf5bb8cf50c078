"""What all parts of the store contract stand on: how a store is opened, and small helpers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest
from msgspec.structs import replace

from pipeline_host.errors import PipelineHostError
from pipeline_host.models import Change, Chunk, Process, ProcessPatch, Timestamp
from pipeline_host.store import ProcessStore
from pipeline_host.testing.pytest_plugin import NEEDS
from pipeline_host.testing.waiting import wait_until
from pipeline_host.transitions import Mutation, patch

T = TypeVar("T")
Test = TypeVar("Test", bound=Callable[..., object])


def needs(capability: str) -> Callable[[Test], Test]:
    """Marks a test of the contract as only for stores that claim ``capability``.

    The pytest plugin leaves it out for others.
    """

    def mark(test: Test) -> Test:
        test.__dict__[NEEDS] = capability
        return test

    return mark


class StoreContractBase:
    """How a store is opened, and what it claims.

    Attributes:
        durable: what was acknowledged is still there when the store is closed and opened again.
        shared: it may be opened several times at once, by several workers; such a store is a
            :class:`~pipeline_host.store.DoorbellStore`.
        leads: it is a :class:`~pipeline_host.store.LeaderStore`.
        patience: how long to wait for what is to come by itself, such as a ring, in seconds.

    The tests of a capability that is not claimed are not collected.
    """

    durable: ClassVar[bool] = True
    shared: ClassVar[bool] = False
    leads: ClassVar[bool] = False
    patience: ClassVar[float] = 10.0

    def wait_for(self, condition: Callable[[], T], what: str) -> T:
        """Wait until ``condition`` is true, as long as this contract's patience lasts."""
        return wait_until(condition, self.patience, message=what)

    def open_store(self, folder: Path) -> ProcessStore:
        """Open the store on the data of ``folder``, which is new data where the folder is empty.

        For a store that keeps its data elsewhere: the same folder stands for the same data.
        """
        raise NotImplementedError(f"{type(self).__name__} must say how its store is opened")

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "store"
        folder.mkdir()
        return folder

    @pytest.fixture
    def store(self, folder: Path) -> Iterator[ProcessStore]:
        """A store without any data; closed after the test."""
        store = self.open_store(folder)
        yield store
        store.close()


def moment(second: int) -> Timestamp:
    """A time, ``second`` (below 3600) seconds after a fixed one."""
    minutes, seconds = divmod(second, 60)
    return Timestamp(f"2026-11-22T07:{minutes:02}:{seconds:02}.000Z")


def new_process(process_id: str = "p", **fields: Any) -> Process:
    """A process as :func:`pipeline_host.wire.parse_process` would give it; running at first."""
    values: dict[str, Any] = {
        "id": process_id,
        "type": "clarification",
        "prompt_preview": f"preview of {process_id}",
        "full_prompt": f"the whole prompt of {process_id}",
        "status": "running",
        "start_time": moment(0),
    }
    workspace = fields.pop("workspace", None)
    if workspace is not None:
        values["metadata"] = {"workspaceId": workspace}
    return Process(**values | fields)


def set_fields(**fields: Any) -> Mutation:
    """The mutation that a PATCH with these fields asks for."""
    return patch(ProcessPatch(**fields))


def moved_to(workspace: str) -> Mutation:
    """A mutation that puts a process into a workspace, which no patch does once it is in one."""
    return lambda process: replace(process, metadata={"workspaceId": workspace})


def chunks(*contents: str, stream: str | None = None) -> tuple[Chunk, ...]:
    """Chunks as a client sends them, without a place."""
    return tuple(Chunk(content=content, stream=stream) for content in contents)


def newest(store: ProcessStore) -> int:
    """The newest change number."""
    return store.changes(0, limit=1).last


def changes_since(store: ProcessStore, after: int) -> list[Change]:
    """All changes after a number, read to the end."""
    found: list[Change] = []
    while True:
        batch = store.changes(found[-1].seq if found else after)
        assert not batch.resync, f"changes after {after} were forgotten during one test"
        if not batch.changes:
            return found
        assert batch.changes[0].seq > (found[-1].seq if found else after), "numbers must rise"
        found.extend(batch.changes)


def text_of(store: ProcessStore, process_id: str) -> str:
    """A process's output, read chunk by chunk to the end."""
    return "".join(chunk.content for chunk in chunks_of(store, process_id))


def chunks_of(store: ProcessStore, process_id: str, after: int = 0) -> list[Chunk]:
    """A process's chunks from the byte ``after`` on, read to the end."""
    found: list[Chunk] = []
    while batch := store.read_output(process_id, found[-1].end if found else after).chunks:
        assert not found or batch[-1].end > found[-1].end, "reading on must lead on"
        found.extend(batch)
    return found


def race(*calls: Callable[[], T]) -> list[T | PipelineHostError]:
    """Make all calls at the same moment, each on a thread; what each returned or was refused with.

    Raises:
        Exception: what a call raised that is not a :class:`PipelineHostError`.
    """
    line = threading.Barrier(len(calls))

    def run(call: Callable[[], T]) -> T | PipelineHostError:
        line.wait()
        try:
            return call()
        except PipelineHostError as error:
            return error

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))
