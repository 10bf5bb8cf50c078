"""Where a stream begins and how it goes on, for every cursor and every kept part of an output."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_host.cursors import Cursor, Kind
from pipeline_host.following import Start, advance, begin, is_end, read_from
from pipeline_host.models import Chunk, OutputBatch
from pipeline_host_sse.frames import Frames

EPOCH, INCARNATION = "here", 3
frames = Frames(EPOCH, INCARNATION)


@dataclass(frozen=True)
class Output:
    """The output of a process, as a store keeps it; ``start`` is a chunk's, ``lost`` are gone."""

    contents: list[str]
    first: int = 0
    lost: frozenset[int] = frozenset()
    sealed: bool = False

    @property
    def data(self) -> bytes:
        return "".join(self.contents).encode()

    @property
    def chunks(self) -> list[Chunk]:
        chunks, offset = [], 0
        for content in self.contents:
            length = len(content.encode())
            chunks.append(Chunk(content=content, offset=offset, length=length))
            offset += length
        return chunks

    @property
    def start(self) -> int:
        return sum(chunk.length for chunk in self.chunks[: self.first])

    def kept(self) -> list[Chunk]:
        return [
            chunk
            for number, chunk in enumerate(self.chunks)
            if number >= self.first and number not in self.lost
        ]

    def read(self, after: int, count: int = 1000) -> OutputBatch:
        chunks = [chunk for chunk in self.kept() if chunk.end > after][:count]
        return OutputBatch(
            chunks=tuple(chunks),
            start=self.start,
            end=len(self.data),
            sealed=self.sealed,
            incarnation=INCARNATION,
        )


@st.composite
def outputs(draw: st.DrawFn) -> Output:
    letters = st.text("aé日😀\n", min_size=1, max_size=5)
    contents = draw(st.lists(letters, max_size=8))
    first = draw(st.integers(0, len(contents)))
    lost = draw(st.frozensets(st.integers(0, 8), max_size=2))
    return Output(contents, first, lost, sealed=draw(st.booleans()))


def follow(output: Output, offset: int, count: int) -> tuple[bytes, int, list[int]]:
    """Follow to the end: the text, the bytes told as missing, and the offset of each event."""
    text, missing = b"", 0
    offsets: list[int] = []
    while True:
        events, after = advance(frames, offset, output.read(offset, count))
        if not events:
            return text, missing, offsets
        assert after > offset
        offset = after
        for event in events.decode().split("\n\n")[:-1]:
            given_id, name, data = (line.split(": ", 1)[1] for line in event.split("\n"))
            offsets.append(read_from(given_id))
            if name == "gap":
                missing += json.loads(data)["missingBytes"]
            else:
                text += json.loads(data)["content"].encode()


@given(outputs(), st.integers(1, 4))
def test_from_the_start_all_that_is_kept_is_told_and_the_rest_as_missing(
    output: Output, count: int
) -> None:
    text, missing, _ = follow(output, 0, count)
    assert text == "".join(chunk.content for chunk in output.kept()).encode()
    assert len(text) + missing == len(output.data)


@given(outputs(), st.integers(1, 4), st.data())
def test_from_any_event_on_the_rest_is_told_exactly_once(
    output: Output, count: int, data: st.DataObject
) -> None:
    text, missing, offsets = follow(output, 0, count)
    seen = data.draw(st.sampled_from([0, *offsets]))
    rest, missing_then, offsets_then = follow(output, seen, count)
    assert text.endswith(rest)
    assert offsets_then == [offset for offset in offsets if offset > seen]
    assert len(rest) + missing_then == len(output.data) - seen
    assert missing_then <= missing


@given(outputs(), st.data())
def test_from_inside_a_chunk_its_rest_is_told(output: Output, data: st.DataObject) -> None:
    whole = Output(output.contents)
    text = "".join(output.contents)
    seen = len(text[: data.draw(st.integers(0, len(text)))].encode())
    rest, missing, _ = follow(whole, seen, 2)
    assert rest == whole.data[seen:]
    assert missing == 0


@given(outputs(), st.data())
def test_a_good_cursor_goes_on_where_it_is(output: Output, data: st.DataObject) -> None:
    _, _, offsets = follow(output, 0, 2)
    seen = data.draw(st.sampled_from([0, *offsets]))
    start = begin(str(Cursor(EPOCH, INCARNATION, seen)), EPOCH, output.read(seen, 1))
    assert start == Start(seen)


@given(
    outputs(),
    st.sampled_from(
        [
            "42",
            "garbage\n",
            str(Cursor("elsewhere", INCARNATION, 0)),
            str(Cursor("elsewhere", INCARNATION, 0, Kind.END)),
            str(Cursor(EPOCH, INCARNATION - 1, 0)),
            str(Cursor(EPOCH, INCARNATION - 1, 0, Kind.STATUS)),
            str(Cursor(EPOCH, INCARNATION, 10_000)),
            str(Cursor(EPOCH, INCARNATION, 10_000, Kind.END)),
            str(Cursor(EPOCH, INCARNATION, 2**63 - 1)),
        ]
    ),
    st.booleans(),
)
def test_any_other_cursor_is_told_a_gap_and_everything_from_the_start(
    output: Output, given_id: str, replay: bool
) -> None:
    batch = output.read(read_from(given_id), 1)
    start = begin(given_id, EPOCH, batch, replay=replay)
    assert start == Start(output.start, missing=output.start)


def test_a_cursor_inside_a_character_was_never_given_out() -> None:
    output = Output(["日本"])
    given_id = str(Cursor(EPOCH, INCARNATION, 1))
    assert begin(given_id, EPOCH, output.read(1)) == Start(0, missing=0)


def test_a_cursor_inside_a_chunk_is_good() -> None:
    output = Output(["日本"])
    given_id = str(Cursor(EPOCH, INCARNATION, 3))
    assert begin(given_id, EPOCH, output.read(3)) == Start(3)


@pytest.mark.parametrize("kind", [Kind.STATUS, Kind.END])
def test_after_the_status_of_an_ended_process_only_the_rest_is_to_tell(kind: Kind) -> None:
    output = Output(["out"], sealed=True)
    given_id = str(Cursor(EPOCH, INCARNATION, 3, kind))
    assert begin(given_id, EPOCH, output.read(3)) == Start(3, after=kind)


@pytest.mark.parametrize("kind", [Kind.STATUS, Kind.END])
def test_a_process_that_runs_can_have_told_no_status(kind: Kind) -> None:
    output = Output(["out"], sealed=False)
    given_id = str(Cursor(EPOCH, INCARNATION, 3, kind))
    assert begin(given_id, EPOCH, output.read(3)) == Start(0, missing=0)


def test_the_end_of_an_earlier_process_of_the_same_id_is_an_end() -> None:
    given_id = str(Cursor(EPOCH, INCARNATION - 1, 3, Kind.END))
    assert begin(given_id, EPOCH, Output(["out"]).read(3)).after is Kind.END


def test_without_a_cursor_a_dropped_head_is_told_first() -> None:
    output = Output(["dropped", "kept"], first=1)
    assert begin("", EPOCH, output.read(0)) == Start(7, missing=7)
    assert begin("", EPOCH, Output(["kept"]).read(0)) == Start(0)


def test_without_replay_it_begins_at_the_end() -> None:
    output = Output(["dropped", "kept"], first=1)
    assert begin("", EPOCH, output.read(0, 1), replay=False) == Start(11)


def test_a_cursor_counts_for_more_than_no_replay() -> None:
    given_id = str(Cursor(EPOCH, INCARNATION, 1))
    assert begin(given_id, EPOCH, Output(["out"]).read(1), replay=False) == Start(1)


def test_a_head_dropped_meanwhile_is_told_as_a_gap() -> None:
    output = Output(["dropped", "kept"], first=1)
    events, offset = advance(frames, 3, output.read(3))
    assert (b'event: gap\ndata: {"missingBytes":4}' in events, offset) == (True, 11)


def test_only_the_end_of_these_data_counts_when_the_process_is_gone() -> None:
    assert is_end(str(Cursor(EPOCH, 1, 5, Kind.END)), EPOCH)
    assert not is_end(str(Cursor(EPOCH, 1, 5, Kind.STATUS)), EPOCH)
    assert not is_end(str(Cursor(EPOCH, 1, 5)), EPOCH)
    assert not is_end(str(Cursor("elsewhere", 1, 5, Kind.END)), EPOCH)
    assert not is_end("garbage", EPOCH)
    assert not is_end("", EPOCH)
