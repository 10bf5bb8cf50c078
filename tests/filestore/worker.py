"""What the tests run in processes of their own: ``worker.py DATA_DIR TASK [ARGUMENT…]``.

Each task prints its answer as one line of JSON.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from pipeline_host.errors import PipelineHostError, TerminalState
from pipeline_host.models import Change, Chunk, Process
from pipeline_host.testing.store_base import changes_since, chunks, new_process, set_fields
from pipeline_host.transitions import cancelled
from pipeline_host_filestore.options import FileStoreOptions
from pipeline_host_filestore.store import FileProcessStore

NOBODY = 65534


def epoch(data_dir: Path) -> str:
    store = FileProcessStore(data_dir)
    store.close()
    return store.epoch


def refused(data_dir: Path) -> str:
    """What a user is told who may not write there; root may, so it becomes somebody else."""
    if os.geteuid() == 0:
        for folder in (data_dir, *list(data_dir.parents)[:3]):
            folder.chmod(0o755)
        os.setuid(NOBODY)
    try:
        FileProcessStore(data_dir)
    except PipelineHostError as error:
        return str(error)
    return "opened"


def write(data_dir: Path, name: str, count: str) -> dict[str, Any]:
    """Create and change processes, and write to one that all workers write to."""
    store = FileProcessStore(data_dir, FileStoreOptions(compact_size=20_000))
    sys.stdin.readline()
    for number in range(int(count)):
        process_id = f"{name}-{number}"
        store.add(new_process(process_id, workspace=name, full_prompt="x" * 2000))
        store.update("shared", set_fields(metadata={process_id: number}))
        store.append_output("shared", [Chunk(content=f"{number}é", stream=name)])
        store.update(process_id, set_fields(status="completed", result=process_id))
    store.close()
    return {"done": count}


def tell_all(data_dir: Path) -> dict[str, Any]:
    """Everything this process reads of the store."""
    store = FileProcessStore(data_dir)
    told = [describe(change) for change in changes_since(store, 0)]
    store.close()
    return {"changes": told}


def describe(change: Change) -> list[Any]:
    return [change.seq, change.kind, change.process.id if change.process else None]


def end(data_dir: Path, count: str, how: str) -> list[str]:
    """Try to end each process in one way; tells which of them this worker ended."""
    store = FileProcessStore(data_dir)
    mutation = cancelled if how == "cancelled" else set_fields(status=how)
    print(json.dumps("ready"), flush=True)
    sys.stdin.readline()
    won = []
    for number in range(int(count)):
        try:
            ended: Process = store.update(f"p{number}", mutation)
        except TerminalState:
            continue
        assert ended.status == how
        won.append(ended.id)
    store.close()
    return won


def fill(data_dir: Path) -> dict[str, Any]:
    """Write until no file may grow any more, go on reading, and write again when it may."""
    import resource

    store = FileProcessStore(data_dir)
    store.add(new_process("first", full_prompt="y" * 5000))
    size = (data_dir / "journal.jsonl").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 2500, resource.RLIM_INFINITY))
    refusals, added = [], []
    for number in range(10):
        try:
            store.add(new_process(f"p{number}", full_prompt="z" * 500))
            added.append(f"p{number}")
        except PipelineHostError as error:
            refusals.append([type(error).__name__, error.status, str(error)])
    written = ""
    try:
        while True:
            store.append_output("first", chunks("abc" * 40, "def" * 40))
            written += "abc" * 40 + "def" * 40
    except PipelineHostError as error:
        refusals.append([type(error).__name__, error.status, str(error)])
    found = "".join(chunk.content for chunk in store.read_output("first").chunks)
    readable = store.get("first").full_prompt == "y" * 5000 and found == written
    cut = (data_dir / "journal.jsonl").read_bytes().endswith(b"}\n")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    again = store.add(new_process("again")).created
    length = store.append_output("first", chunks("!"), len(written))
    store.close()
    return {
        "added": added,
        "refusals": refusals,
        "readable": readable,
        "cut": cut,
        "again": again,
        "all there": length == len(written) + 1,
    }


TASKS = {task.__name__: task for task in (epoch, refused, write, tell_all, end, fill)}

if __name__ == "__main__":
    print(json.dumps(TASKS[sys.argv[2]](Path(sys.argv[1]), *sys.argv[3:])), flush=True)
