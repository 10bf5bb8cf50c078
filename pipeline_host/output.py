"""Placing pieces of text in a process's output: offsets, repeats, sizes. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeAlias

from msgspec.structs import replace

from pipeline_host.errors import InvalidInput, OffsetMismatch
from pipeline_host.models import Chunk
from pipeline_host.times import now_ms

MAX_PIECE: Final = 16 * 1024
"""The most UTF-8 bytes of content that one chunk event holds."""

ReadStored: TypeAlias = Callable[[int, int], Iterable[Chunk]]
"""Gives the stored chunks from a byte on, in order, for at least so many bytes if there are any."""


def split(content: str, limit: int = MAX_PIECE) -> Iterator[str]:
    """Cut text into pieces of at most ``limit`` (at least 4) UTF-8 bytes, between characters."""
    if len(content) * 4 <= limit:
        if content:
            yield content
        return
    data = content.encode()
    start = 0
    while start < len(data):
        end = min(start + limit, len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80:
            end -= 1
        yield data[start:end].decode()
        start = end


def place(
    chunks: Iterable[Chunk], offset: int | None, length: int, read: ReadStored
) -> Sequence[Chunk]:
    """The chunks that are new to an output of ``length`` bytes, each with its place and time.

    Args:
        chunks: what is written; their offsets and lengths are not looked at.
        offset: where the first of them begins, in bytes; ``None`` for the end of the output.
        length: the output's length now, in bytes.
        read: gives what is stored; called only where ``offset`` lies before ``length``.

    Returns:
        The chunks, without empty ones and without what lies before ``length``, cut in pieces of
        at most :data:`MAX_PIECE` bytes. Empty where all of it is a repeat.

    Raises:
        OffsetMismatch: ``offset`` lies beyond ``length``, or what is stored there is not the same.
        InvalidInput: ``length`` falls inside a character, so this is no repeat of what is stored.
    """
    position = length if offset is None else offset
    if position > length:
        raise OffsetMismatch(position, length)
    if position < length:
        chunks = tuple(chunks)
        _check_repeat(chunks, position, length, read)
    moment = now_ms()
    placed = []
    for chunk in chunks:
        for piece in split(chunk.content):
            size = len(piece.encode())
            end = position + size
            if end > length:
                fresh = piece if position >= length else _after(piece, length - position)
                start = max(position, length)
                placed.append(
                    replace(chunk, content=fresh, offset=start, length=end - start, time=moment)
                )
            position = end
    return placed


def rest_of(chunk: Chunk, offset: int) -> Chunk:
    """What of a stored chunk lies at or after the byte ``offset``, from a whole character on."""
    if offset <= chunk.offset:
        return chunk
    content = chunk.content.encode()[offset - chunk.offset :].decode(errors="ignore")
    size = len(content.encode())
    return replace(chunk, content=content, offset=chunk.end - size, length=size)


def _check_repeat(chunks: Sequence[Chunk], position: int, length: int, read: ReadStored) -> None:
    """Two who write one output would otherwise lose what the other one stored first."""
    data = "".join(chunk.content for chunk in chunks).encode()
    end = position + len(data)
    for stored in read(position, len(data)):
        if stored.offset >= end:
            break
        content = stored.content.encode()
        start, stop = max(position, stored.offset), min(end, stored.end)
        there = content[start - stored.offset : stop - stored.offset]
        if start < stop and there != data[start - position : stop - position]:
            raise OffsetMismatch(position, length, differs=True)


def _after(piece: str, stored: int) -> str:
    try:
        return piece.encode()[stored:].decode()
    except UnicodeDecodeError:
        raise InvalidInput.field(
            "offset", "a repeat of the stored output, but it ends inside a character of this one"
        ) from None
