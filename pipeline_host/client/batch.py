"""Cutting and joining pieces of output for requests. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

Chunk = dict[str, Any]
"""``{content, stream?}``, as the server takes it."""

MAX_PIECE: Final = 16 * 1024
"""The most characters of one chunk; the server would cut longer ones itself."""

MAX_BATCH: Final = 256 * 1024
"""The most UTF-8 bytes of content in one request, about."""


def clean(text: str) -> str:
    """``text`` with U+FFFD for halves of surrogate pairs, which UTF-8 has no bytes for."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def pieces(content: str) -> Iterator[str]:
    """Cut ``content`` into pieces of at most :data:`MAX_PIECE` characters."""
    for start in range(0, len(content), MAX_PIECE):
        yield content[start : start + MAX_PIECE]


def size(chunk: Chunk) -> int:
    """The length of a chunk's content, in UTF-8 bytes."""
    return len(chunk["content"].encode())


def joined(chunks: Iterable[Chunk]) -> list[Chunk]:
    """The same output in fewer chunks: neighbours of one stream joined while they are small."""
    result: list[Chunk] = []
    parts: list[str] = []
    length = 0
    for chunk in chunks:
        content = chunk["content"]
        fits = length + len(content) <= MAX_PIECE
        if result and fits and result[-1].get("stream") == chunk.get("stream"):
            parts.append(content)
            length += len(content)
        else:
            if result:
                result[-1]["content"] = "".join(parts)
            result.append(dict(chunk))
            parts, length = [content], len(content)
    if result:
        result[-1]["content"] = "".join(parts)
    return result
