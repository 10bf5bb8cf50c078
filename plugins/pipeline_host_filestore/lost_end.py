"""A journal that lost its end: an older copy was put back, or the disk lost it.

What was written behind that end is found by its number. No number may be given a second time: a
new process would have an old one's output, and who followed the lost changes would not notice
that others came in their place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from pipeline_host.errors import StartupError, StoreUnavailable
from pipeline_host_filestore import aside
from pipeline_host_filestore.access import Access
from pipeline_host_filestore.files import sync_folder, telling
from pipeline_host_filestore.leading import Leading
from pipeline_host_filestore.outputs import OutputLogs, incarnation_of

MARGIN: Final = 1_000_000
"""How far numbers go on above the highest that is known: changes of which nothing is left but what
readers remember may have had higher ones."""
_LIMIT: Final = 10**15
"""No store comes to so many changes: a number from here on is an error in whatever has it, and
above it too few are left that JSON carries exactly."""

_Numbered: TypeAlias = tuple[Path, int]
"""A file, and the number of a change that it tells of."""


def make_up_for(
    data_dir: Path,
    access: Access,
    outputs: OutputLogs,
    leading: Leading,
    note: Callable[[str], None],
) -> None:
    """Put aside the output of processes whose records are lost, and go on above their numbers.

    Raises:
        StartupError: that can't be done.
    """
    try:
        _make_up_for(data_dir, access, outputs, leading, note)
    except StoreUnavailable as error:
        raise StartupError(str(error)) from error


def _make_up_for(
    data_dir: Path,
    access: Access,
    outputs: OutputLogs,
    leading: Leading,
    note: Callable[[str], None],
) -> None:
    with access.reading() as replica:
        last = replica.state.last
    found = {path: number for path, number in _believed(_numbered(outputs), note) if number > last}
    told = [number for _, number in _believed(_told(data_dir, leading), note)]
    highest = max([*found.values(), *told], default=0)
    if highest <= last:
        return
    with access.writing() as replica:
        last = replica.state.last
        # Looked at again under the lock: another worker may have added these meanwhile.
        if highest <= last:
            return
        note(
            f"{replica.journal.file.path}: it ends with change {last}, but there was a change"
            f" {highest}: its end is lost. Numbers go on above that"
        )
        if not replica.damage:
            # Otherwise the records may be those that can't be read, and somebody may mend them.
            _put_aside([path for path, number in found.items() if number > last], data_dir, note)
        replica.skip(highest + MARGIN)
        journal = replica.journal
    journal.sync.wait(journal.position)


def _put_aside(paths: Sequence[Path], data_dir: Path, note: Callable[[str], None]) -> None:
    """Move files away; there may be very many, and others wait, so they are synced together."""
    if not paths:
        return
    for path in paths:
        with telling("move", path):
            aside.move(path, data_dir)
    folder = data_dir / aside.FOLDER
    with telling("sync", folder):
        sync_folder(folder)
    note(f"The output of {len(paths)} lost processes is now in {folder}")


def _numbered(outputs: OutputLogs) -> Iterator[_Numbered]:
    for path in outputs.files():
        number = incarnation_of(path)
        if number is not None:
            yield path, number


def _told(data_dir: Path, leading: Leading) -> Iterator[_Numbered]:
    """Numbers that were given out, as is known from elsewhere."""
    yield from leading.cursors()
    for path in (data_dir / aside.FOLDER).glob("*.jsonl"):
        yield path, incarnation_of(path) or 0


def _believed(numbered: Iterable[_Numbered], note: Callable[[str], None]) -> Iterator[_Numbered]:
    for path, number in numbered:
        if number < _LIMIT:
            yield path, number
        else:
            note(f"{path}: {number} can't be the number of a change; it is left out of account")
