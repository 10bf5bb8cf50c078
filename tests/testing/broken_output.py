"""Stores that break the rules for output, each in one way."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from acme_store import AcmeStore
from breaking import breaks
from msgspec.structs import replace

from pipeline_host.errors import NotFound, OffsetMismatch, TerminalState
from pipeline_host.models import Added, Chunk, OutputBatch, Process
from pipeline_host.output import place
from pipeline_host.store import READ_LIMIT


class Rereads(AcmeStore):
    """One that gives out another output than it was given."""

    def reread(self, batch: OutputBatch) -> OutputBatch:
        return batch

    def read_output(self, process_id: str, after: int = 0, limit: int = READ_LIMIT) -> OutputBatch:
        return self.reread(super().read_output(process_id, after, limit))

    def each(self, batch: OutputBatch, **fields: Any) -> OutputBatch:
        return replace(batch, chunks=tuple(replace(chunk, **fields) for chunk in batch.chunks))


def force(store: AcmeStore, process_id: str, chunks: Sequence[Chunk]) -> int:
    """Write output at the end, past all rules."""
    end = AcmeStore.read_output(store, process_id, 2**62)
    placed = place(chunks, None, end.end, lambda after, size: ())
    with store._database.writing() as db:
        db.executemany(
            "INSERT INTO chunk VALUES (?, ?, ?, ?)",
            [(end.incarnation, c.offset, c.end, msgspec.json.encode(c)) for c in placed],
        )
    return placed[-1].end if placed else end.end


@breaks(
    "test_places_are_counted_in_utf8_bytes",
    "test_it_begins_where_it_is_asked_to",
    "test_long_text_is_kept_in_pieces",
    "test_of_a_longer_repeat_the_rest_is_kept",
    "test_it_does_what_the_model_does",
)
class CountsCharacters(AcmeStore):
    def append_output(
        self, process_id: str, chunks: Sequence[Chunk], offset: int | None = None
    ) -> int:
        super().append_output(process_id, chunks, offset)
        return super().read_output(process_id).end - self._more(process_id)

    def read_output(self, process_id: str, after: int = 0, limit: int = READ_LIMIT) -> OutputBatch:
        place, chunks = 0, []
        batch = super().read_output(process_id, 0, 2**30)
        for chunk in batch.chunks:
            chunks.append(replace(chunk, offset=place, length=len(chunk.content)))
            place += len(chunk.content)
        kept = tuple(chunk for chunk in chunks if chunk.end > after)
        return replace(batch, chunks=kept, end=place)

    def _more(self, process_id: str) -> int:
        batch = AcmeStore.read_output(self, process_id, 0, 2**30)
        return sum(chunk.length - len(chunk.content) for chunk in batch.chunks)


@breaks(
    "test_after_the_end_none_is_taken",
    "test_after_the_end_a_longer_repeat_is_refused",
    "test_one_that_was_created_ended_takes_none",
    "test_a_sealed_end_is_final_beside_writers",
    "test_after_the_end_nothing_is_emitted",
)
class TakesOutputAfterTheEnd(AcmeStore):
    def append_output(
        self, process_id: str, chunks: Sequence[Chunk], offset: int | None = None
    ) -> int:
        try:
            return super().append_output(process_id, chunks, offset)
        except TerminalState:
            return force(self, process_id, chunks)


@breaks("test_a_sealed_end_is_final_beside_writers")
class ChecksTheEndTooEarly(AcmeStore):
    """One whose first writer looks whether the process has ended, and writes once it has."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._first = threading.Lock()
        self._told = threading.Event()

    def read_output(self, process_id: str, after: int = 0, limit: int = READ_LIMIT) -> OutputBatch:
        batch = super().read_output(process_id, after, limit)
        if batch.sealed:
            self._told.set()
        return batch

    def append_output(
        self, process_id: str, chunks: Sequence[Chunk], offset: int | None = None
    ) -> int:
        process = self.get(process_id)
        if process.terminal:
            raise TerminalState(process.status)
        if self._first.acquire(blocking=False):
            self._told.wait(5)
        return force(self, process_id, chunks)


@breaks("test_after_the_end_a_repeat_is_taken")
class RefusesRepeatsAfterTheEnd(AcmeStore):
    def append_output(
        self, process_id: str, chunks: Sequence[Chunk], offset: int | None = None
    ) -> int:
        process = self.get(process_id)
        if process.terminal:
            raise TerminalState(process.status)
        return super().append_output(process_id, chunks, offset)


@breaks("test_a_queued_process_takes_output")
class WaitsForTheStart(AcmeStore):
    def append_output(
        self, process_id: str, chunks: Sequence[Chunk], offset: int | None = None
    ) -> int:
        if self.get(process_id).status == "queued":
            raise TerminalState("queued")
        return super().append_output(process_id, chunks, offset)


@breaks(
    "test_a_read_knows_whether_the_end_is_final",
    "test_a_reader_beside_a_writer_misses_nothing",
    "test_an_ended_process_is_told_whole",
)
class NeverSealed(Rereads):
    def reread(self, batch: OutputBatch) -> OutputBatch:
        return replace(batch, sealed=False)


@breaks(
    "test_a_new_process_has_no_output",
    "test_a_read_knows_whether_the_end_is_final",
)
class AlwaysSealed(Rereads):
    def reread(self, batch: OutputBatch) -> OutputBatch:
        return replace(batch, sealed=True)


@breaks("test_stream_names_are_kept", "test_concurrent_writers_lose_nothing", "test_output_is_kept")
class LosesStreams(AcmeStore):
    """One that forgets streams when it is opened again, and all but the usual ones at once."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with self._database.writing() as db:
            db.execute("UPDATE chunk SET json = json_remove(json, '$.stream')")

    def append_output(
        self, process_id: str, chunks: Sequence[Chunk], offset: int | None = None
    ) -> int:
        usual = [
            chunk if chunk.stream in ("stdout", "stderr") else replace(chunk, stream=None)
            for chunk in chunks
        ]
        return super().append_output(process_id, usual, offset)


@breaks(
    "test_each_chunk_is_read_as_it_was_written",
    "test_a_limit_counts_bytes",
    "test_chunks_are_told_as_they_were_written",
)
class MergesChunks(Rereads):
    def reread(self, batch: OutputBatch) -> OutputBatch:
        if not batch.chunks:
            return batch
        content = "".join(chunk.content for chunk in batch.chunks)
        length = sum(chunk.length for chunk in batch.chunks)
        merged = Chunk(content=content, offset=batch.chunks[0].offset, length=length)
        return replace(batch, chunks=(merged,))


@breaks("test_text_is_kept_exactly", "test_a_process_of_any_size_is_kept")
class TidiesText(AcmeStore):
    """One that ends lines as it likes, and texts where C does."""

    def append_output(
        self, process_id: str, chunks: Sequence[Chunk], offset: int | None = None
    ) -> int:
        tidy = [replace(c, content=c.content.replace("\r\n", "\n")) for c in chunks]
        return super().append_output(process_id, tidy, offset)

    def get(self, process_id: str) -> Process:
        process = super().get(process_id)
        return replace(process, full_prompt=process.full_prompt.rstrip())


@breaks("test_the_store_says_when_and_where")
class BelievesTheClientsTime(AcmeStore):
    def append_output(
        self, process_id: str, chunks: Sequence[Chunk], offset: int | None = None
    ) -> int:
        length = super().append_output(process_id, chunks, offset)
        with self._database.writing() as db:
            db.execute("UPDATE chunk SET json = json_set(json, '$.time', ?)", (chunks[0].time,))
        return length


@breaks("test_empty_chunks_are_left_out")
class KeepsEmptyChunks(Rereads):
    def reread(self, batch: OutputBatch) -> OutputBatch:
        return replace(batch, chunks=(Chunk(content=""), *batch.chunks) if batch.chunks else ())


@breaks("test_long_text_is_kept_in_pieces")
class KeepsAnySize(MergesChunks):
    pass


@breaks("test_each_process_has_its_own")
class HasOneOutputForAll(AcmeStore):
    first: str | None = None

    def append_output(
        self, process_id: str, chunks: Sequence[Chunk], offset: int | None = None
    ) -> int:
        self.first = self.first or process_id
        return super().append_output(self.first, chunks, offset)

    def read_output(self, process_id: str, after: int = 0, limit: int = READ_LIMIT) -> OutputBatch:
        return super().read_output(self.first or process_id, after, limit)


@breaks("test_without_a_process_there_is_no_output", "test_output_of_nobody_is_not_found")
class HasOutputOfNobody(AcmeStore):
    def append_output(
        self, process_id: str, chunks: Sequence[Chunk], offset: int | None = None
    ) -> int:
        try:
            return super().append_output(process_id, chunks, offset)
        except NotFound:
            return 0


@breaks(
    "test_at_the_end_it_goes_on",
)
class TakesOutputOnce(AcmeStore):
    def append_output(
        self, process_id: str, chunks: Sequence[Chunk], offset: int | None = None
    ) -> int:
        end = self.read_output(process_id).end
        return end if end else super().append_output(process_id, chunks, offset)


@breaks(
    "test_a_repeat_changes_nothing",
    "test_of_a_longer_repeat_the_rest_is_kept",
    "test_a_gap_is_refused",
    "test_all_chunks_or_none",
    "test_of_racing_repeats_one_is_kept",
)
class IgnoresOffsets(AcmeStore):
    def append_output(
        self, process_id: str, chunks: Sequence[Chunk], offset: int | None = None
    ) -> int:
        return super().append_output(process_id, chunks)


@breaks("test_a_repeat_changes_nothing", "test_of_a_longer_repeat_the_rest_is_kept")
class RefusesRepeats(AcmeStore):
    def append_output(
        self, process_id: str, chunks: Sequence[Chunk], offset: int | None = None
    ) -> int:
        end = self.read_output(process_id).end
        if offset is not None and offset != end:
            raise OffsetMismatch(offset, end)
        return super().append_output(process_id, chunks, offset)


@breaks("test_what_another_one_stored_is_no_repeat", "test_all_chunks_or_none")
class TakesAnythingForARepeat(AcmeStore):
    def append_output(
        self, process_id: str, chunks: Sequence[Chunk], offset: int | None = None
    ) -> int:
        end = self.read_output(process_id, 2**62).end
        if offset is None or offset > end:
            return super().append_output(process_id, chunks, offset)
        new = place(chunks, offset, end, lambda after, size: ())
        return super().append_output(process_id, new) if new else end


@breaks("test_of_a_longer_repeat_the_rest_is_kept")
class TakesAnyRepeatForAWholeOne(AcmeStore):
    def append_output(
        self, process_id: str, chunks: Sequence[Chunk], offset: int | None = None
    ) -> int:
        end = self.read_output(process_id).end
        if offset is not None and offset < end:
            return end
        return super().append_output(process_id, chunks, offset)


@breaks("test_concurrent_writers_lose_nothing")
class WritesChunkByChunk(AcmeStore):
    def append_output(
        self, process_id: str, chunks: Sequence[Chunk], offset: int | None = None
    ) -> int:
        length = 0
        for chunk in chunks:
            length = super().append_output(process_id, [chunk], offset)
            offset = None if offset is None else offset + len(chunk.content.encode())
            time.sleep(0.001)
        return length


@breaks("test_inside_a_chunk_it_begins_with_that_chunk")
class BeginsWithTheNextChunk(AcmeStore):
    def read_output(self, process_id: str, after: int = 0, limit: int = READ_LIMIT) -> OutputBatch:
        batch = super().read_output(process_id, after, limit)
        return replace(batch, chunks=tuple(c for c in batch.chunks if c.offset >= after))


@breaks("test_it_begins_where_it_is_asked_to", "test_at_or_above_the_end_there_is_nothing")
class ReadsFromTheStart(AcmeStore):
    def read_output(self, process_id: str, after: int = 0, limit: int = READ_LIMIT) -> OutputBatch:
        return super().read_output(process_id, 0, limit)


@breaks("test_a_limit_counts_bytes")
class IgnoresTheLimit(AcmeStore):
    def read_output(self, process_id: str, after: int = 0, limit: int = READ_LIMIT) -> OutputBatch:
        return super().read_output(process_id, after)


@breaks("test_a_limit_counts_bytes", "test_reading_on_loses_nothing")
class LimitsStrictly(AcmeStore):
    """One that reads nothing where not even one chunk is within the limit."""

    def read_output(self, process_id: str, after: int = 0, limit: int = READ_LIMIT) -> OutputBatch:
        batch = super().read_output(process_id, after, limit)
        within = tuple(chunk for chunk in batch.chunks if chunk.length <= limit)
        return replace(batch, chunks=within)


@breaks(
    "test_output_goes_with_remove",
    "test_a_recreated_process_is_told_apart",
    "test_incarnations_are_never_used_again",
)
class KeepsOutputOfTheRemoved(AcmeStore):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.old: dict[str, OutputBatch] = {}

    def remove(self, process_id: str) -> Process:
        self.old[process_id] = super().read_output(process_id)
        return super().remove(process_id)

    def add(self, process: Process) -> Added:
        added = super().add(process)
        if process.id in self.old:
            super().append_output(process.id, self.old[process.id].chunks)
        return added

    def read_output(self, process_id: str, after: int = 0, limit: int = READ_LIMIT) -> OutputBatch:
        return replace(super().read_output(process_id, after, limit), incarnation=1)


@breaks(
    "test_output_is_told_from_the_start_to_the_end",
    "test_output_is_told_from_now_on",
    "test_chunks_are_told_as_they_were_written",
    "test_an_ended_process_is_told_whole",
    "test_a_removed_process_ends_its_output",
    "test_concurrent_output_is_told_in_its_order",
    "test_emitted_output_is_stored",
)
class ReadsNothing(Rereads):
    def reread(self, batch: OutputBatch) -> OutputBatch:
        return replace(batch, chunks=())


@breaks("test_who_left_an_output_is_told_no_more")
class NeverEnds(NeverSealed):
    pass
