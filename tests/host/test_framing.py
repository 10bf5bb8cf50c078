"""Where a body ends, however it is cut on its way."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from pipeline_host.serving.framing import Chunked, InvalidBody, Sized


def test_a_body_of_known_length_ends_there() -> None:
    buffer = bytearray(b"abcdef")
    body = Sized(4)
    assert [body.take(buffer, 3), body.done] == [b"abc", False]
    assert [body.take(buffer, 3), body.done] == [b"d", True]
    assert buffer == b"ef"


@given(
    st.lists(st.binary(min_size=1, max_size=20), max_size=5),
    st.lists(st.integers(0, 200), max_size=8),
    st.integers(1, 30),
)
def test_chunks_are_put_together_wherever_they_are_cut(
    chunks: list[bytes], cuts: list[int], limit: int
) -> None:
    coded = b"".join(b"%x;a=b\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    coded += b"0\r\nA: b\r\n\r\nnext"
    body, buffer, taken = Chunked(), bytearray(), b""
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(coded)], strict=True):
        buffer += coded[start:end]
        while data := body.take(buffer, limit):
            assert len(data) <= limit
            taken += data
    assert taken == b"".join(chunks)
    assert body.done
    assert buffer == b"next"


@given(st.binary(max_size=100))
def test_any_bytes_are_chunks_or_refused(data: bytes) -> None:
    buffer, body, length = bytearray(data), Chunked(), 0
    with contextlib.suppress(InvalidBody):
        while piece := body.take(buffer, 10):
            length += len(piece)
    assert length + len(buffer) <= len(data)
