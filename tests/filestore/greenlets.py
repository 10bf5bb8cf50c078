"""The store under gevent: ``greenlets.py DATA_DIR`` answers with one line of JSON.

Greenlets write while syncs are slow; a ticking one tells whether the hub went on meanwhile.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
import threading  # noqa: E402
from pathlib import Path  # noqa: E402

import gevent  # noqa: E402

from pipeline_host.testing.store_base import chunks, new_process, set_fields, text_of  # noqa: E402
from pipeline_host_filestore.options import FileStoreOptions  # noqa: E402
from pipeline_host_filestore.store import FileProcessStore  # noqa: E402

really_sleep = monkey.get_original("time", "sleep")
SLOW = 0.05
ticks = 0
ticks_while_syncing: list[int] = []


def slow_sync(fd: int) -> None:
    before = ticks
    really_sleep(SLOW)
    os.fdatasync(fd)
    ticks_while_syncing.append(ticks - before)


def tick() -> None:
    global ticks
    while True:
        gevent.sleep(0.001)
        ticks += 1


def work(store: FileProcessStore, name: int) -> None:
    for turn in range(3):
        process_id = f"{name}-{turn}"
        store.add(new_process(process_id))
        store.append_output(process_id, chunks("some ", "text"))
        store.update(process_id, set_fields(status="completed"))
        store.append_output("shared", chunks(f"{name} "))


def main(data_dir: Path) -> dict[str, object]:
    store = FileProcessStore(data_dir, FileStoreOptions(flush_interval=0.05), fdatasync=slow_sync)
    store.add(new_process("shared"))
    rung = threading.Event()
    store.listen(None, rung.set)
    ticking = gevent.spawn(tick)
    gevent.sleep(0.01)
    ticks_while_syncing.clear()
    gevent.joinall([gevent.spawn(work, store, name) for name in range(10)], raise_error=True)
    told: dict[str, object] = {
        "completed": store.stats().by_status["completed"],
        "shared": len(text_of(store, "shared")),
        "rung": rung.wait(5),
        "ticks while syncing": list(ticks_while_syncing),
    }
    killed_while_syncing(store)
    told["goes on"] = store.add(new_process("after")).created
    told["compacts"] = store._compactor.compact(force=True)
    told["and goes on"] = store.add(new_process("after that")).created
    store.close()
    ticking.kill()
    return told


def killed_while_syncing(store: FileProcessStore) -> None:
    """A greenlet that leads a sync is killed, as a request's is when its client goes away."""
    writer = gevent.spawn(store.add, new_process("killed"))
    gevent.sleep(SLOW / 4)
    writer.kill()


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))), flush=True)
