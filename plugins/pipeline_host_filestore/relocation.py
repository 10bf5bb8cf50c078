"""Finding the records of a state that is known already in the journal's next generation."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from pipeline_host_filestore import operations
from pipeline_host_filestore.index import Entry, Place
from pipeline_host_filestore.journal import Journal
from pipeline_host_filestore.state import State


def relocate(journal: Journal, state: State) -> Sequence[Entry] | None:
    """The entries of ``state`` with their places in ``journal``, which is left behind them.

    Only the frames of the records are read, so it takes a fraction of the time of loading.

    Args:
        journal: just opened, and made from exactly the records that ``state`` has taken.

    Returns:
        ``None`` where a record is missing: then the journal must be loaded.
    """
    kept: dict[int, Place] = {}
    later: dict[int, Place] = {}
    size, _ = journal.look()
    for record in journal.records(size, final=False):
        place = Place(record.number, record.start, record.end)
        if record.payload.startswith(operations.KEPT):
            journal.kept_end = record.end
            if record.payload.startswith(operations.KEPT_PROCESS):
                kept[record.number] = place
        elif record.number <= state.last:
            later[record.number] = place
        else:
            journal.position = record.start
            break
    try:
        return [_moved(entry, kept, later, journal.header.last) for entry in state.index.entries()]
    except KeyError:
        return None


def _moved(entry: Entry, kept: dict[int, Place], later: dict[int, Place], last: int) -> Entry:
    """Records up to ``last`` have become one kept record, the others were copied."""
    first = (kept if entry.incarnation <= last else later)[entry.incarnation]
    large = {
        name: first if at.number <= last else later[at.number] for name, at in entry.large.items()
    }
    return replace(entry, size=first.end - first.start, large=large)
