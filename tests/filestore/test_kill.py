"""Writers killed with SIGKILL at random moments: what they were told is kept, is kept."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from pipeline_host.errors import NotFound
from pipeline_host.testing.store_base import chunks_of, newest, text_of
from pipeline_host_filestore.store import FileProcessStore

from .killing import STEPS_EACH, pieces, prompt
from .scripts import Script

ROUNDS = 25
WRITERS = 2


def output_after(process_id: str, steps: int) -> str:
    """What is in the output after that many steps of the process's life."""
    turns = min(max(steps - 1, 0), 2)
    return "".join("".join(pieces(process_id, turn)) for turn in range(1, turns + 1))


def is_removed(which: int, steps: int) -> bool:
    return steps == STEPS_EACH and which % 3 == 0


def check_fields(store: FileProcessStore, process_id: str, steps: int, more: int) -> None:
    """The process is as after ``steps`` steps of its life, or as after ``more``."""
    process = store.get(process_id)
    assert process.full_prompt == prompt(process_id)
    results = {prompt(process_id) if count >= 4 else None for count in (steps, more)}
    assert process.result in results
    statuses = {"completed" if count >= 5 else "running" for count in (steps, more)}
    assert process.status in statuses


def check_output(store: FileProcessStore, process_id: str, steps: int, more: int) -> None:
    text = text_of(store, process_id)
    assert text.startswith(output_after(process_id, steps))
    assert output_after(process_id, more).startswith(text)
    place = 0
    for chunk in chunks_of(store, process_id):
        assert chunk.offset == place
        place = chunk.end


def check(store: FileProcessStore, writer: str, last: int) -> None:
    """All that a writer was told is kept; its next step was done or not, but not by half."""
    done = last + 1
    for which in range(done // STEPS_EACH + 1):
        process_id = f"{writer}-{which}"
        steps = min(done - which * STEPS_EACH, STEPS_EACH)
        more = min(done + 1 - which * STEPS_EACH, STEPS_EACH)
        try:
            store.get(process_id)
        except NotFound:
            assert steps == 0 or is_removed(which, more), f"{process_id} is lost"
            continue
        assert not is_removed(which, steps), f"{process_id} is back"
        check_fields(store, process_id, steps, more)
        check_output(store, process_id, steps, more)


def test_nothing_acknowledged_is_lost_by_a_kill(
    script: Callable[..., Script], data_dir: Path
) -> None:
    """Fifty kills, of two writers at a time, of which each also compacts now and then."""
    rng = random.Random()
    killer = script("killing.py", data_dir)
    acknowledged: dict[str, int] = {}
    along = None
    last = number = 0
    # On a slow machine a writer may be killed before it has begun.
    while number < ROUNDS or sum(told + 1 for told in acknowledged.values()) <= 100:
        killer.tell(f"{number} {WRITERS} {rng.uniform(0.005, 0.12):.4f}")
        for writer, told in enumerate(killer.answer()):
            acknowledged[f"{number}.{writer}"] = told
        store = FileProcessStore(data_dir)
        along = along or FileProcessStore(data_dir)
        for opened in (store, along):
            for writer_name, told in acknowledged.items():
                if opened is store or writer_name.startswith(f"{number}."):
                    check(opened, writer_name, told)
            assert opened.damage == []
            assert opened.stats() == store.stats()
            assert newest(opened) == newest(store) >= last
        last = newest(store)
        store.close()
        number += 1
    assert along is not None
    along.close()
