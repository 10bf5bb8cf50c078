"""Looking through a data directory for what can't be read; nothing is changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pipeline_host.errors import StoreUnavailable
from pipeline_host_filestore import aside, journal
from pipeline_host_filestore.codec import Damage
from pipeline_host_filestore.index import Entry
from pipeline_host_filestore.outputs import OutputLogs


def sentences(
    data_dir: Path, damage: Sequence[Damage], entries: Iterable[Entry], outputs: OutputLogs
) -> Iterator[str]:
    """What is wrong, a sentence each.

    Args:
        damage: of the journal.
        entries: the processes whose output is read.
    """
    for part in damage:
        yield _sentence(data_dir / journal.NAME, part)
    folder = data_dir / aside.FOLDER
    for path in sorted(folder.glob("*journal-*")):
        yield f"{path}: a damaged part of an earlier journal, kept for somebody to look at"
    for path in sorted(folder.glob("*.jsonl")):
        yield f"{path}: the output of a process that the journal lost, kept for somebody to look at"
    for entry in entries:
        yield from _of_output(entry, outputs)


def _of_output(entry: Entry, outputs: OutputLogs) -> Iterator[str]:
    try:
        log = outputs.existing(entry)
        parts = log.find_damage() if log is not None else ()
        length = log.tail().length if log is not None else 0
    except StoreUnavailable as error:
        yield str(error)
        return
    for part in parts:
        yield f"{_sentence(outputs.path(entry), part)} (output of process {entry.process.id})"
    if length < (entry.output or 0):
        what = f"the last {(entry.output or 0) - length} are" if length else "all of it is"
        yield (
            f"{outputs.path(entry)}: the output of process {entry.process.id} was {entry.output}"
            f" bytes long when it ended; {what} missing"
        )


def _sentence(path: Path, part: Damage) -> str:
    return f"{path}: bytes {part.start} to {part.end} can't be read and are left out"
