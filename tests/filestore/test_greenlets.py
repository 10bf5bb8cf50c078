"""Under gevent, patched: the store works, and a slow disk stops nobody who doesn't write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import median

from pipeline_host.models import ProcessFilter
from pipeline_host_filestore.store import FileProcessStore

from .scripts import Script


def test_the_hub_never_waits_for_a_disk(script: Callable[..., Script], data_dir: Path) -> None:
    running = script("greenlets.py", data_dir)
    told = running.answer()
    running.end()
    assert told["completed"] == 30
    assert told["shared"] == 3 * 10 * 2
    assert told["rung"]
    assert len(told["ticks while syncing"]) > 3
    assert median(told["ticks while syncing"]) > 0
    assert told["goes on"]
    assert told["compacts"]
    assert told["and goes on"]
    store = FileProcessStore(data_dir)
    assert store.list(ProcessFilter(statuses=("completed",))).total == 30
    assert store.damage == []
    store.close()
