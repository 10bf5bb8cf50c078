"""A small model of a store, and hypothesis playing it against the real one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, TypeAlias

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace

from pipeline_host.errors import Conflict, NotFound, OffsetMismatch, PipelineHostError
from pipeline_host.models import (
    STATUSES,
    Process,
    ProcessFilter,
    ProcessPatch,
    Removed,
    Status,
    Workspace,
)
from pipeline_host.store import ProcessStore
from pipeline_host.testing.store_base import (
    StoreContractBase,
    changes_since,
    chunks,
    moment,
    new_process,
    text_of,
)
from pipeline_host.transitions import patched

Told: TypeAlias = tuple[str, Any]
"""What a change tells: its kind, and what it is about."""

IDS = st.sampled_from(["a", "../é"])
STATUS = st.sampled_from(("running", *STATUSES))
WORKSPACES = st.sampled_from([None, "w1", "w2"])
NUMBERS = st.integers(0, 1)
TEXTS = st.text("aé日🧪\n", max_size=6)


class StoreMachine(RuleBasedStateMachine):
    """Does the same to a store and to dictionaries, and compares them after each step."""

    def __init__(self, open_store: Callable[[Path], ProcessStore], durable: bool) -> None:
        super().__init__()
        self.durable = durable
        self.directory = TemporaryDirectory(prefix="store-model-")
        self.open_store = open_store
        self.store = open_store(Path(self.directory.name))
        self.creates: dict[str, Process] = {}
        self.processes: dict[str, Process] = {}
        self.texts: dict[str, str] = {}
        self.told: list[Told] = []

    def teardown(self) -> None:
        self.store.close()
        self.directory.cleanup()

    @initialize()
    def start(self) -> None:
        self.before = self.store.changes(0, limit=1).last
        for process_id in ("a", "../é"):
            self.add(process_id, "running", "w1", 0)

    @rule(process_id=IDS, status=STATUS, workspace=WORKSPACES, second=st.integers(0, 2))
    def add(self, process_id: str, status: Status, workspace: str | None, second: int) -> None:
        process = new_process(
            process_id, status=status, workspace=workspace, start_time=moment(second)
        )
        if process_id in self.processes and self.creates[process_id] != process:
            self.refused(Conflict, lambda: self.store.add(process))
            return
        added = self.store.add(process)
        assert added.created == (process_id not in self.processes)
        if added.created:
            assert added.process == replace(process, end_time=added.process.end_time)
            assert (added.process.end_time is not None) == process.terminal
            self.creates[process_id] = process
            self.processes[process_id] = added.process
            self.texts[process_id] = ""
            self.told.append(("process-added", added.process.summary()))

    @rule(number=NUMBERS, status=STATUS)
    def move(self, number: int, status: Status) -> None:
        self.patch(self.some_id(number), ProcessPatch(status=status))

    @rule(number=NUMBERS, workspace=WORKSPACES, result=TEXTS)
    def change(self, number: int, workspace: str | None, result: str) -> None:
        metadata: dict[str, Any] = {} if workspace is None else {"workspaceId": workspace}
        self.patch(self.some_id(number), ProcessPatch(result=result, metadata=metadata))

    @rule(process_id=IDS)
    def remove(self, process_id: str) -> None:
        if process_id not in self.processes:
            self.refused(NotFound, lambda: self.store.remove(process_id))
            return
        assert self.store.remove(process_id) == self.processes[process_id]
        self.told.append(("process-removed", self.forget([process_id])))

    @rule(statuses=st.lists(STATUS, min_size=1, max_size=3, unique=True), workspace=WORKSPACES)
    def clear(self, statuses: list[Status], workspace: str | None) -> None:
        expected = [
            process.id
            for process in self.processes.values()
            if process.status in statuses and workspace in (None, process.workspace_id)
        ]
        assert sorted(self.store.clear(statuses, workspace)) == sorted(expected)
        if expected:
            self.told.append(("processes-cleared", self.forget(expected)))

    @rule(workspace_id=st.sampled_from(["w1", "w2"]), name=TEXTS)
    def register(self, workspace_id: str, name: str) -> None:
        workspace = Workspace(id=workspace_id, name=name, root_path="/")
        known = [w for w in self.store.workspaces() if w.id == workspace_id]
        if known != [workspace]:
            assert self.store.register_workspace(workspace) == workspace
            self.told.append(("workspace-registered", workspace))

    @rule(number=NUMBERS, text=TEXTS, pieces=st.lists(TEXTS, max_size=2))
    def append(self, number: int, text: str, pieces: list[str]) -> None:
        self.write(self.some_id(number), [*pieces, text + "🧪"], None)

    @rule(number=NUMBERS, data=st.data())
    def append_repeat(self, number: int, data: st.DataObject) -> None:
        """Send again from some character on, cut otherwise, perhaps with more after it."""
        process_id = self.some_id(number)
        text = self.texts.get(process_id, "")
        start = data.draw(st.integers(0, len(text)), label="repeat from character")
        sent = text[start:] + data.draw(TEXTS, label="new text")
        cut = data.draw(st.integers(0, len(sent)), label="cut at character")
        self.write(process_id, [sent[:cut], sent[cut:]], len(text[:start].encode()))

    @rule(number=NUMBERS, beyond=st.integers(1, 3))
    def append_with_a_gap(self, number: int, beyond: int) -> None:
        process_id = self.some_id(number)
        process = self.processes.get(process_id)
        if process is not None and not process.terminal:
            offset = len(self.texts[process_id].encode()) + beyond
            self.refused(
                OffsetMismatch, lambda: self.store.append_output(process_id, chunks("x"), offset)
            )

    @rule()
    def reopen(self) -> None:
        if self.durable:
            self.store.close()
            self.store = self.open_store(Path(self.directory.name))
            if (batch := self.store.changes(self.before)).resync:
                self.before, self.told = batch.last, []

    @invariant()
    def lists_are_equal(self) -> None:
        expected = sorted(self.processes.values(), key=lambda process: process.start_time)
        page = self.store.list(ProcessFilter())
        assert (list(page.processes), page.total) == (expected, len(expected))
        for process in expected:
            assert self.store.get(process.id) == process

    @invariant()
    def counts_are_equal(self) -> None:
        stats = self.store.stats()
        statuses = [process.status for process in self.processes.values()]
        assert stats.total_processes == len(statuses)
        assert stats.by_status == {status: statuses.count(status) for status in STATUSES}
        names = [process.workspace_id for process in self.processes.values()]
        counted = {entry.workspace_id: entry.count for entry in stats.by_workspace if entry.count}
        assert counted == {name: names.count(name) for name in names if name is not None}

    @invariant()
    def outputs_are_equal(self) -> None:
        for process_id, text in self.texts.items():
            assert text_of(self.store, process_id) == text
            batch = self.store.read_output(process_id)
            assert batch.end == len(text.encode())
            assert batch.sealed == self.processes[process_id].terminal

    @invariant()
    def changes_are_equal(self) -> None:
        changes = changes_since(self.store, self.before)
        told = [(c.kind, c.process or c.workspace or frozenset(c.removed)) for c in changes]
        assert told == self.told
        numbers = [change.seq for change in changes]
        assert numbers == sorted(set(numbers))

    def some_id(self, number: int) -> str:
        """The id of a process that is there, if any is."""
        known = list(self.processes) or ["a"]
        return known[number % len(known)]

    def patch(self, process_id: str, changes: ProcessPatch) -> None:
        def mutate(process: Process) -> Process:
            return patched(process, changes)

        before = self.processes.get(process_id)
        if before is None:
            self.refused(NotFound, lambda: self.store.update(process_id, mutate))
            return
        try:
            expected = mutate(before)
        except PipelineHostError as error:
            self.refused(type(error), lambda: self.store.update(process_id, mutate))
            return
        after = self.store.update(process_id, mutate)
        assert after == replace(expected, end_time=after.end_time)
        if after != before:
            self.processes[process_id] = after
            self.told.append(("process-updated", after.summary()))

    def write(self, process_id: str, pieces: list[str], offset: int | None) -> None:
        process = self.processes.get(process_id)
        if process is None:
            self.refused(NotFound, lambda: self.store.append_output(process_id, chunks("x")))
            return
        text, sent = self.texts[process_id], "".join(pieces)
        whole = text + sent if offset is None else text.encode()[:offset].decode() + sent
        if process.terminal and whole != text:
            self.refused(
                Conflict, lambda: self.store.append_output(process_id, chunks(*pieces), offset)
            )
        elif not process.terminal or sent:
            length = self.store.append_output(process_id, chunks(*pieces), offset)
            assert length == len(whole.encode())
            self.texts[process_id] = whole

    def forget(self, ids: list[str]) -> frozenset[Removed]:
        gone = [self.processes.pop(process_id) for process_id in ids]
        for process_id in ids:
            del self.texts[process_id]
        return frozenset(
            Removed(id=process.id, status=process.status, workspace_id=process.workspace_id)
            for process in gone
        )

    def refused(self, kind: type[PipelineHostError], call: Callable[[], object]) -> None:
        try:
            call()
        except kind:
            return
        raise AssertionError(f"expected {kind.__name__}")


class ModelContract(StoreContractBase):
    """
    Attributes:
        model_settings: how long and how often hypothesis plays.
    """

    model_settings: ClassVar[settings] = settings(
        max_examples=20,
        stateful_step_count=20,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )

    def test_it_does_what_the_model_does(self) -> None:
        contract = self

        class Machine(StoreMachine):
            def __init__(self) -> None:
                super().__init__(contract.open_store, contract.durable)

        run_state_machine_as_test(Machine, settings=self.model_settings)
