"""The store contract on reading output, on its end, and on when it is gone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event

import pytest

from pipeline_host.errors import Conflict, NotFound, TerminalState
from pipeline_host.models import Chunk, Status
from pipeline_host.store import ProcessStore
from pipeline_host.testing.store_base import (
    chunks,
    chunks_of,
    new_process,
    race,
    set_fields,
    text_of,
)
from pipeline_host.testing.store_output import OutputContractBase

PAUSE = 0.001
"""Between two chunks of a writer, in seconds: a lock need not be fair; others get it then."""


class SealContract(OutputContractBase):
    @pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
    def test_after_the_end_none_is_taken(self, running: ProcessStore, status: Status) -> None:
        running.append_output("p", chunks("text"))
        running.update("p", set_fields(status=status))
        for offset in (None, 4):
            with pytest.raises(TerminalState, match=f"terminal state: {status}"):
                running.append_output("p", chunks("more"), offset)
        with pytest.raises(Conflict):
            running.append_output("p", chunks("gap"), 9)
        assert text_of(running, "p") == "text"

    def test_after_the_end_a_repeat_is_taken(self, running: ProcessStore) -> None:
        running.append_output("p", chunks("text"))
        running.update("p", set_fields(status="completed"))
        assert running.append_output("p", chunks("te", "xt"), 0) == 4
        assert running.append_output("p", chunks("xt"), 2) == 4
        assert text_of(running, "p") == "text"

    def test_after_the_end_a_longer_repeat_is_refused(self, running: ProcessStore) -> None:
        running.append_output("p", chunks("text"))
        running.update("p", set_fields(status="completed"))
        with pytest.raises(TerminalState):
            running.append_output("p", chunks("text", "!"), 0)
        assert text_of(running, "p") == "text"

    def test_one_that_was_created_ended_takes_none(self, store: ProcessStore) -> None:
        store.add(new_process(status="completed"))
        with pytest.raises(TerminalState):
            store.append_output("p", chunks("x"))
        assert store.read_output("p").sealed

    def test_a_queued_process_takes_output(self, store: ProcessStore) -> None:
        store.add(new_process(status="queued"))
        assert store.append_output("p", chunks("x")) == 1

    def test_a_read_knows_whether_the_end_is_final(self, running: ProcessStore) -> None:
        running.append_output("p", chunks("text"))
        assert not running.read_output("p").sealed
        running.update("p", set_fields(status="completed"))
        for after in (0, 4):
            batch = running.read_output("p", after)
            assert (batch.sealed, batch.end) == (True, 4)

    def test_a_sealed_end_is_final_beside_writers(self, running: ProcessStore) -> None:
        """Writers race the end: what was taken is there, and nothing comes after it."""

        over = Event()

        def write() -> int:
            taken = 0
            while True:
                told = over.wait(PAUSE)
                try:
                    running.append_output("p", chunks("x"))
                except TerminalState:
                    return taken
                assert not told, "a chunk was taken after the end"
                taken += 1

        with ThreadPoolExecutor(3) as threads:
            writing = [threads.submit(write) for _ in range(3)]
            try:
                self.wait_for(lambda: running.read_output("p").end >= 10, "the first output")
                running.update("p", set_fields(status="completed"))
                end = running.read_output("p")
            finally:
                over.set()
            taken = sum(future.result() for future in writing)
        assert end.sealed
        assert end.end == taken == len(text_of(running, "p"))


class ReadContract(OutputContractBase):
    @pytest.fixture
    def ten(self, running: ProcessStore) -> ProcessStore:
        """A store whose process ``p`` has ten chunks of ten bytes."""
        running.append_output("p", chunks(*[f"é-line-{number}\n" for number in range(10)]))
        return running

    @pytest.mark.parametrize("after", [0, 10, 50, 90])
    def test_it_begins_where_it_is_asked_to(self, ten: ProcessStore, after: int) -> None:
        found = ten.read_output("p", after).chunks
        assert [chunk.offset for chunk in found] == list(range(after, 100, 10))

    @pytest.mark.parametrize(("after", "first"), [(1, 0), (9, 0), (11, 10), (99, 90)])
    def test_inside_a_chunk_it_begins_with_that_chunk(
        self, ten: ProcessStore, after: int, first: int
    ) -> None:
        batch = ten.read_output("p", after)
        assert batch.chunks[0].offset == first
        assert batch.chunks[0].content == f"é-line-{first // 10}\n"
        assert len(batch.chunks) == 10 - first // 10

    @pytest.mark.parametrize("after", [100, 101, 10_000])
    def test_at_or_above_the_end_there_is_nothing(self, ten: ProcessStore, after: int) -> None:
        batch = ten.read_output("p", after)
        assert (batch.chunks, batch.end) == ((), 100)

    @pytest.mark.parametrize(("limit", "count"), [(100, 10), (35, 3), (30, 3), (10, 1), (1, 1)])
    def test_a_limit_counts_bytes(self, ten: ProcessStore, limit: int, count: int) -> None:
        batch = ten.read_output("p", 20, limit)
        assert len(batch.chunks) == min(count, 8)
        assert (batch.chunks[0].offset, batch.end) == (20, 100)

    def test_reading_on_loses_nothing(self, ten: ProcessStore) -> None:
        for limit in (1, 25, 70):
            found: list[str] = []
            after = 0
            while batch := ten.read_output("p", after, limit).chunks:
                assert batch[-1].end > after, "reading on must lead on"
                found += [chunk.content for chunk in batch]
                after = batch[-1].end
            assert found == [f"é-line-{number}\n" for number in range(10)]

    def test_concurrent_writers_lose_nothing(self, running: ProcessStore) -> None:
        def write(writer: str) -> None:
            for turn in range(6):
                first, second = f"{writer}é{turn}", f"{writer}日{turn}\n"
                running.append_output("p", chunks(first, second, stream=writer))

        race(*[partial(write, writer) for writer in "abcd"])
        found = chunks_of(running, "p")
        place = 0
        for chunk in found:
            assert chunk.offset == place
            assert chunk.length == len(chunk.content.encode())
            place = chunk.end
        for writer in "abcd":
            text = "".join(chunk.content for chunk in found if chunk.stream == writer)
            assert text == "".join(f"{writer}é{n}{writer}日{n}\n" for n in range(6))
        pairs = [chunk.stream for chunk in found]
        assert pairs[::2] == pairs[1::2], "the chunks of one append belong together"

    def test_a_reader_beside_a_writer_misses_nothing(self, running: ProcessStore) -> None:
        def write() -> None:
            for number in range(30):
                running.append_output("p", chunks(f"{number} "))
            running.update("p", set_fields(status="completed"))

        with ThreadPoolExecutor(1) as threads:
            writing = threads.submit(write)
            found = list[Chunk]()

            def read_on() -> bool:
                after = found[-1].end if found else 0
                batch = running.read_output("p", after)
                found.extend(batch.chunks)
                return batch.sealed and after == batch.end

            self.wait_for(read_on, "the end of the output")
            writing.result()
        assert "".join(chunk.content for chunk in found) == "".join(
            f"{number} " for number in range(30)
        )


class ForgottenOutputContract(OutputContractBase):
    def forgotten(self, store: ProcessStore) -> None:
        with pytest.raises(NotFound):
            store.read_output("p")
        store.add(new_process())
        batch = store.read_output("p")
        assert (batch.chunks, batch.end) == ((), 0)
        assert store.append_output("p", chunks("new"), 0) == 3
        assert text_of(store, "p") == "new"

    def test_output_goes_with_remove(self, running: ProcessStore) -> None:
        running.append_output("p", chunks("old"))
        running.remove("p")
        self.forgotten(running)

    def test_output_goes_with_clear(self, running: ProcessStore) -> None:
        running.append_output("p", chunks("old"))
        running.clear(["running"])
        self.forgotten(running)

    def test_a_recreated_process_is_told_apart(self, running: ProcessStore) -> None:
        running.append_output("p", chunks("x"))
        seen = {running.read_output("p").incarnation}
        running.update("p", set_fields(result="r"))
        assert running.read_output("p").incarnation in seen
        for turn in range(3):
            running.remove("p")
            running.add(new_process())
            seen.add(running.read_output("p").incarnation)
            assert len(seen) == turn + 2
