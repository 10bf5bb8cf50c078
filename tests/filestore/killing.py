"""Writers that are killed: ``killing.py DATA_DIR``.

For each line ``ROUND WRITERS SECONDS`` on its input it forks that many writers, kills all of them
with SIGKILL after that time, and answers with what each of them was acknowledged: the number of
its last step, or -1. What the steps are is told by :func:`step`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

from pipeline_host.models import Chunk
from pipeline_host.testing.store_base import new_process, set_fields
from pipeline_host_filestore.options import FileStoreOptions
from pipeline_host_filestore.store import FileProcessStore

OPTIONS = FileStoreOptions(compact_size=30_000, flush_interval=0.01)
STEPS_EACH = 6


def prompt(process_id: str) -> str:
    return f"prompt of {process_id} " * (150 if process_id.endswith(("0", "5")) else 3)


def pieces(process_id: str, turn: int) -> list[str]:
    """What is appended in one go: two short chunks and, now and then, a long one."""
    long = [f"é{turn}日" * 5000] if process_id.endswith(("3", "7")) else []
    return [f"{process_id} turn {turn} ", *long, "end of turn\n"]


def step(store: FileProcessStore, writer: str, number: int) -> None:
    """Take a writer's step: six make the life of a process, and every third goes in the end."""
    which, part = divmod(number, STEPS_EACH)
    process_id = f"{writer}-{which}"
    match part:
        case 0:
            store.add(new_process(process_id, full_prompt=prompt(process_id)))
        case 1 | 2:
            before = "".join(pieces(process_id, 1)) if part == 2 else ""
            contents = [Chunk(content=content) for content in pieces(process_id, part)]
            store.append_output(process_id, contents, len(before.encode()))
        case 3:
            store.update(process_id, set_fields(result=prompt(process_id)))
        case 4:
            store.update(process_id, set_fields(status="completed"))
        case 5 if which % 3 == 0:
            store.remove(process_id)


def write(data_dir: Path, writer: str, acknowledge: int) -> None:
    store = FileProcessStore(data_dir, OPTIONS)
    number = 0
    while True:
        step(store, writer, number)
        os.write(acknowledge, b".")
        number += 1


def fork(data_dir: Path, writer: str) -> tuple[int, int]:
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            write(data_dir, writer, write_end)
        finally:
            os._exit(1)
    os.close(write_end)
    return pid, read_end


def kill_round(data_dir: Path, name: str, writers: int, seconds: float) -> list[int]:
    children = [fork(data_dir, f"{name}.{writer}") for writer in range(writers)]
    time.sleep(seconds)
    for pid, _ in children:
        os.kill(pid, signal.SIGKILL)
    acknowledged = []
    for pid, read_end in children:
        _, status = os.waitpid(pid, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL, "a writer ended by itself"
        with os.fdopen(read_end, "rb") as pipe:
            acknowledged.append(len(pipe.read()) - 1)
    return acknowledged


if __name__ == "__main__":
    for line in sys.stdin:
        name, writers, seconds = line.split()
        told = kill_round(Path(sys.argv[1]), name, int(writers), float(seconds))
        print(json.dumps(told), flush=True)
