"""Adds up the numbers of workers that have ended, so that their files don't become ever more.

The sums are in a file of each type, whose name ends with the number of the folding. Which folding
counts, and which workers' files are in it, is said in one small file that is replaced in one step.
So whoever reads at any moment, and whichever process is killed at any moment, each number counts
once: what the small file names doesn't count any more, whether it is deleted yet or not.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from prometheus_client.mmap_dict import MmapedDict

from pipeline_host_metrics.lives import runs

COUNTER: Final = "counter"
HISTOGRAM: Final = "histogram"
SUM: Final = "gauge_livesum"
MAX: Final = "gauge_livemax"
"""The types: a gauge is the sum, or the greatest, of what the living workers say."""
_LIVE: Final = "gauge_live"
_LOCK: Final = "lock"
_NOTE: Final = "folded.json"
_SUMS: Final = "folded-"
_open: Final[Any] = MmapedDict  # untyped


class Folding(msgspec.Struct, frozen=True):
    """What the small file says.

    Attributes:
        number: of the folding; 0 before the first.
        files: the names of the files that are in its sums, and don't count by themselves.
    """

    number: int = 0
    files: tuple[str, ...] = ()

    @property
    def owner(self) -> str:
        return f"{_SUMS}{self.number}"


def current(folder: Path) -> Folding:
    """The folding that counts now; it counts as long as this answers the same."""
    try:
        return msgspec.json.decode((folder / _NOTE).read_bytes(), type=Folding)
    except FileNotFoundError:
        return Folding()


def counting(folder: Path, folding: Folding) -> list[Path]:
    """The files to add up; one that is gone when it is read was put into another folding."""
    return [
        path
        for path in sorted(folder.glob("*.db"))
        if _counts(path, folding) and (not path.name.startswith(_LIVE) or runs(_owner(path)))
    ]


def fold(folder: Path) -> None:
    """Put the numbers of workers that have ended into the sums, and delete their files.

    Where another worker is at it, nothing is done.
    """
    with _alone(folder) as alone:
        if not alone:
            return
        before = current(folder)
        files = set(folder.glob("*.db"))
        left = {path for path in files if not _counts(path, before)}
        for path in left:
            path.unlink()
        sums = {path for path in files if _owner(path) == before.owner}
        ended = {path for path in files - left - sums if not runs(_owner(path))}
        kept = [path for path in ended if not path.name.startswith(_LIVE)]
        if kept:
            names = tuple(path.name for path in kept)
            _add_up(folder, Folding(before.number + 1, names), [*sums, *kept])
            ended |= sums
        for path in ended:
            path.unlink()


def _add_up(folder: Path, after: Folding, files: Iterable[Path]) -> None:
    """Write the sums of files, then have them count instead of the files."""
    sums: dict[str, defaultdict[str, float]] = {
        COUNTER: defaultdict(float),
        HISTOGRAM: defaultdict(float),
    }
    for path in files:
        if path.stat().st_size:  # not just being made
            for key, value, _, _ in _open.read_all_values_from_file(str(path)):
                sums[path.name.partition("_")[0]][key] += value
    for kind, numbers in sums.items():
        new = _open(str(folder / f"{kind}_{after.owner}.db"))
        for key, value in numbers.items():
            new.write_value(key, value, 0.0)
        new.close()
    note = (folder / _NOTE).with_suffix(".new")
    note.write_bytes(msgspec.json.encode(after))
    note.replace(folder / _NOTE)


def _counts(path: Path, folding: Folding) -> bool:
    owner = _owner(path)
    if owner.startswith(_SUMS):
        return owner == folding.owner
    return path.name not in folding.files


def _owner(path: Path) -> str:
    return path.stem.rpartition("_")[2]


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Hold the lock if nobody has it; the kernel takes it back from a process that is killed."""
    handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield _locked(handle)
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
