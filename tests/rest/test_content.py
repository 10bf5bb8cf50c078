"""A download has exactly the bytes that were promised, whatever the store lost meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_host.errors import NotFound
from pipeline_host.models import Chunk, OutputBatch
from pipeline_host_rest.content import pieces
from pipeline_host_rest.ranges import Span


def chunks_of(*texts: str | int) -> list[Chunk]:
    """Chunks one after the other; a number stands for that many lost bytes."""
    chunks, position = [], 0
    for text in texts:
        if isinstance(text, int):
            position += text
            continue
        size = len(text.encode())
        chunks.append(Chunk(content=text, offset=position, length=size))
        position += size
    return chunks


def reader(chunks: list[Chunk], end: int, many: int = 2) -> Callable[[int], OutputBatch]:
    """Reads as a store does: whole chunks, from the one that holds ``after`` on."""

    def read(after: int) -> OutputBatch:
        found = [chunk for chunk in chunks if chunk.end > after][:many]
        return OutputBatch(chunks=tuple(found), start=0, end=end, sealed=False, incarnation=1)

    return read


def send(read: Callable[[int], OutputBatch], span: Span) -> bytes:
    return b"".join(pieces(read, read(span.first), span))


def test_the_whole_is_sent_batch_by_batch() -> None:
    read = reader(chunks_of("one ", "two ", "three ", "fo€r ", "five"), 25)
    parts = list(pieces(read, read(0), Span(0, 25)))
    assert parts == [b"one two ", "three fo€r ".encode(), b"five"]


def test_a_span_may_cut_chunks_and_characters() -> None:
    read = reader(chunks_of("a€b", "cd"), 7)
    assert send(read, Span(2, 6)) == "a€bcd".encode()[2:6]
    assert send(read, Span(1, 2)) == b"\xe2"


def test_nothing_is_sent_of_an_empty_span() -> None:
    assert send(reader([], 0), Span(0, 0)) == b""


def test_output_that_is_added_meanwhile_is_not_sent() -> None:
    assert send(reader(chunks_of("now", "later"), 8), Span(0, 3)) == b"now"


def test_lost_bytes_are_filled_so_that_all_that_follows_keeps_its_place() -> None:
    read = reader(chunks_of("abc", 8, "xyz"), 14)
    assert send(read, Span(0, 14)) == b"abc" + "\ufffd\ufffd??".encode() + b"xyz"
    assert send(read, Span(9, 13)) == b"??xy"


def test_a_lost_head_a_lost_end_and_a_loss_of_everything_are_filled() -> None:
    assert send(reader(chunks_of(4, "x"), 5), Span(0, 5)) == "\ufffd?x".encode()
    assert send(reader(chunks_of("x"), 5), Span(0, 5)) == "x\ufffd?".encode()
    assert send(reader([], 3), Span(0, 3)) == "\ufffd".encode()


def test_a_great_loss_is_filled_in_pieces() -> None:
    size = 10_000_000
    read = reader(chunks_of("a", size - 2, "z"), size)
    parts = list(pieces(read, read(0), Span(0, size)))
    assert sum(map(len, parts)) == size
    assert max(map(len, parts)) <= 64 * 1024
    assert parts[-1] == b"z"


def test_when_another_process_has_the_id_the_download_breaks_off() -> None:
    first = OutputBatch(chunks=tuple(chunks_of("old")), start=0, end=6, sealed=False, incarnation=1)
    second = OutputBatch(
        chunks=tuple(chunks_of("newest")), start=0, end=6, sealed=False, incarnation=2
    )
    sending = pieces(lambda _: second, first, Span(0, 6))
    assert next(sending) == b"old"
    with pytest.raises(NotFound):
        next(sending)


@given(
    st.lists(st.one_of(st.text(min_size=1, max_size=6), st.integers(1, 9)), max_size=12),
    st.integers(0, 80),
    st.integers(0, 80),
    st.integers(1, 4),
)
def test_every_kept_byte_is_sent_in_its_place(
    texts: list[str | int], first: int, length: int, many: int
) -> None:
    chunks = chunks_of(*texts)
    end = sum(t if isinstance(t, int) else len(t.encode()) for t in texts)
    first = min(first, end)
    span = Span(first, min(first + length, end))
    sent = send(reader(chunks, end, many), span)
    assert len(sent) == span.end - span.first
    for chunk in chunks:
        low, high = max(chunk.offset, span.first), min(chunk.end, span.end)
        if low < high:
            kept = chunk.content.encode()[low - chunk.offset : high - chunk.offset]
            assert sent[low - span.first : high - span.first] == kept
