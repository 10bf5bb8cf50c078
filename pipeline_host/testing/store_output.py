"""The store contract on output: text in order, counted in bytes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pytest

from pipeline_host.errors import NotFound, OffsetMismatch
from pipeline_host.models import Chunk
from pipeline_host.output import MAX_PIECE
from pipeline_host.store import ProcessStore
from pipeline_host.testing.store_base import (
    StoreContractBase,
    chunks,
    chunks_of,
    new_process,
    race,
    text_of,
)
from pipeline_host.testing.store_changes import CLOCK_STEP
from pipeline_host.testing.store_state import AWKWARD_TEXT, UNKNOWN
from pipeline_host.times import now_ms

MULTIBYTE = "aé日🧪"
"""Four characters of 1, 2, 3 and 4 bytes."""


class OutputContractBase(StoreContractBase):
    @pytest.fixture
    def running(self, store: ProcessStore) -> ProcessStore:
        """A store with one running process, ``p``."""
        store.add(new_process())
        return store


class AppendContract(OutputContractBase):
    def test_a_new_process_has_no_output(self, running: ProcessStore) -> None:
        batch = running.read_output("p")
        assert (batch.chunks, batch.start, batch.end, batch.sealed) == ((), 0, 0, False)

    def test_each_chunk_is_read_as_it_was_written(self, running: ProcessStore) -> None:
        assert running.append_output("p", chunks("one", "two\n")) == 7
        assert running.append_output("p", chunks("three")) == 12
        found = [(chunk.content, chunk.offset, chunk.length) for chunk in chunks_of(running, "p")]
        assert found == [("one", 0, 3), ("two\n", 3, 4), ("three", 7, 5)]

    def test_places_are_counted_in_utf8_bytes(self, running: ProcessStore) -> None:
        assert running.append_output("p", chunks(MULTIBYTE, "é")) == 12
        assert running.append_output("p", chunks("x")) == 13
        found = [(chunk.offset, chunk.length) for chunk in chunks_of(running, "p")]
        assert found == [(0, 10), (10, 2), (12, 1)]
        assert running.read_output("p").end == 13

    def test_text_is_kept_exactly(self, running: ProcessStore) -> None:
        running.append_output("p", chunks(AWKWARD_TEXT, "\r", "\n", "\ufeff", "\0"))
        assert text_of(running, "p") == AWKWARD_TEXT + "\r\n\ufeff\0"

    def test_stream_names_are_kept(self, running: ProcessStore) -> None:
        streams = ["stdout", "stderr", None, "日本"]
        running.append_output("p", [Chunk(content="x", stream=stream) for stream in streams])
        assert [chunk.stream for chunk in chunks_of(running, "p")] == streams

    def test_the_store_says_when_and_where(self, running: ProcessStore) -> None:
        before = now_ms()
        running.append_output("p", [Chunk(content="x", offset=99, length=99, time=99)])
        (chunk,) = chunks_of(running, "p")
        assert (chunk.offset, chunk.length) == (0, 1)
        assert before - CLOCK_STEP <= chunk.time <= now_ms() + CLOCK_STEP

    def test_empty_chunks_are_left_out(self, running: ProcessStore) -> None:
        assert running.append_output("p", chunks("", "x", "")) == 1
        assert running.append_output("p", chunks("")) == 1
        assert running.append_output("p", ()) == 1
        assert [chunk.content for chunk in chunks_of(running, "p")] == ["x"]

    def test_long_text_is_kept_in_pieces(self, running: ProcessStore) -> None:
        text = "日本語 " * 20_000
        assert running.append_output("p", chunks(text)) == 200_000
        found = chunks_of(running, "p")
        assert max(chunk.length for chunk in found) <= MAX_PIECE
        assert "".join(chunk.content for chunk in found) == text

    def test_each_process_has_its_own(self, running: ProcessStore) -> None:
        running.add(new_process("q"))
        running.append_output("p", chunks("of p"))
        assert running.append_output("q", chunks("q's")) == 3
        running.append_output("p", chunks(", too"))
        assert (text_of(running, "p"), text_of(running, "q")) == ("of p, too", "q's")

    def test_without_a_process_there_is_no_output(self, running: ProcessStore) -> None:
        with pytest.raises(NotFound, match="Process not found"):
            running.append_output(UNKNOWN, chunks("x"))
        with pytest.raises(NotFound, match="Process not found"):
            running.read_output(UNKNOWN)

    def test_output_leaves_the_process_as_it_is(self, running: ProcessStore) -> None:
        before = running.get("p")
        running.append_output("p", chunks("x"))
        assert running.get("p") == before


class OffsetContract(OutputContractBase):
    @pytest.fixture
    def stored(self, running: ProcessStore) -> ProcessStore:
        """A store whose process ``p`` has ten bytes of output, ``aé日🧪``, in two chunks."""
        running.append_output("p", chunks("aé", "日🧪"), 0)
        return running

    def test_at_the_end_it_goes_on(self, stored: ProcessStore) -> None:
        assert stored.append_output("p", chunks("b"), 10) == 11
        assert text_of(stored, "p") == MULTIBYTE + "b"

    @pytest.mark.parametrize(
        ("repeat", "offset"),
        [
            (("aé", "日🧪"), 0),
            (("日🧪",), 3),
            ((MULTIBYTE,), 0),
            (("a", "é", "日", "🧪"), 0),
            (("é日",), 1),
            (("a",), 0),
        ],
    )
    def test_a_repeat_changes_nothing(
        self, stored: ProcessStore, repeat: Sequence[str], offset: int
    ) -> None:
        before = chunks_of(stored, "p")
        assert stored.append_output("p", chunks(*repeat), offset) == 10
        assert chunks_of(stored, "p") == before

    @pytest.mark.parametrize(
        ("repeat", "offset"),
        [((MULTIBYTE + "bé",), 0), (("日", "🧪b", "é"), 3), (("🧪", "bé"), 6), (("é日🧪bé",), 1)],
    )
    def test_of_a_longer_repeat_the_rest_is_kept(
        self, stored: ProcessStore, repeat: Sequence[str], offset: int
    ) -> None:
        assert stored.append_output("p", chunks(*repeat), offset) == 13
        assert text_of(stored, "p") == MULTIBYTE + "bé"

    def test_a_gap_is_refused(self, stored: ProcessStore) -> None:
        with pytest.raises(OffsetMismatch) as refused:
            stored.append_output("p", chunks("x"), 11)
        assert refused.value.expected == 10
        assert text_of(stored, "p") == MULTIBYTE

    @pytest.mark.parametrize(
        ("other", "offset"),
        [
            (("aé", "日🧫"), 0),
            (("x",), 9),
            (("éx", "🧪bé"), 1),
            (("日🧪", "x"), 0),
            (("aé日🧫 more",), 0),
        ],
    )
    def test_what_another_one_stored_is_no_repeat(
        self, stored: ProcessStore, other: Sequence[str], offset: int
    ) -> None:
        with pytest.raises(OffsetMismatch) as refused:
            stored.append_output("p", chunks(*other), offset)
        assert refused.value.expected == 10
        assert text_of(stored, "p") == MULTIBYTE

    def test_all_chunks_or_none(self, running: ProcessStore) -> None:
        running.append_output("p", chunks("ab"))
        with pytest.raises(OffsetMismatch):
            running.append_output("p", chunks("a", "é", "c"), 0)
        assert text_of(running, "p") == "ab"
        assert running.append_output("p", chunks("c"), 2) == 3

    def test_of_racing_repeats_one_is_kept(self, running: ProcessStore) -> None:
        for turn in range(5):
            race(*[partial(running.append_output, "p", chunks("once"), 4 * turn)] * 4)
        assert text_of(running, "p") == "once" * 5
