"""Framing: whatever the values hold, a reader that follows the standard gets exactly them."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline_host.cursors import Cursor, Kind, parse
from pipeline_host.models import Chunk, Process, Timestamp
from pipeline_host.output import MAX_PIECE
from pipeline_host_sse.frames import HEARTBEAT, OPENING, Frames, StatusData

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
NASTY = st.sampled_from(["\r", "\n", "\r\n", "\n\n", "\0", "\u2028", "\ufeff", "data: x\n\n", "日"])
CONTENT = st.lists(TEXT | NASTY, min_size=1).map("".join)


class Event(NamedTuple):
    id: str | None
    name: str
    data: Any


def read(frames: bytes) -> list[Event]:
    """What a reader makes of a stream, by the HTML standard, 9.2.6, and with no leniency."""
    assert not frames or frames.endswith(b"\n\n")
    events = []
    for block in frames.decode().split("\n\n")[:-1]:
        fields = [line.split(": ", 1) for line in block.split("\n") if not line.startswith(":")]
        if not fields:
            continue
        names = [name for name, _ in fields]
        assert names in (["id", "event", "data"], ["event", "data"]), names
        values = dict(fields)
        events.append(Event(values.get("id"), values["event"], json.loads(values["data"])))
    return events


def chunk(content: str, offset: int = 0, stream: str | None = None) -> Chunk:
    return Chunk(content=content, stream=stream, offset=offset, length=len(content.encode()))


frames = Frames("epoch", 7)


@given(CONTENT, st.integers(0, 2**40))
def test_a_chunk_is_one_event_whatever_it_holds(content: str, offset: int) -> None:
    piece = chunk(content, offset)
    assert read(frames.chunk(piece)) == [
        Event(str(Cursor("epoch", 7, piece.end)), "chunk", {"content": content})
    ]


@given(CONTENT)
def test_nothing_but_line_feeds_ends_a_line(content: str) -> None:
    sent = frames.chunk(chunk(content, stream=content)) + frames.done(content, 5)
    assert b"\r" not in sent
    assert b"\0" not in sent
    assert sent.count(b"\n") == 8


def test_the_stream_a_chunk_came_from_is_told() -> None:
    (event,) = read(frames.chunk(chunk("x", stream="stderr")))
    assert event.data == {"content": "x", "stream": "stderr"}


def test_a_chunk_tells_its_time_where_that_is_wanted_and_known() -> None:
    timed = Frames("epoch", 7, times=True)
    for content in ("x", "x" * (MAX_PIECE + 1)):
        piece = replace(chunk(content), time=1_763_794_800_000)
        assert {event.data["time"] for event in read(timed.chunk(piece))} == {piece.time}
        assert all("time" not in event.data for event in read(frames.chunk(piece)))
        assert all("time" not in event.data for event in read(timed.chunk(chunk(content))))


@given(st.sampled_from("a日😀"), st.integers(1, MAX_PIECE), st.integers(0, 2**40))
def test_a_large_chunk_comes_in_events_of_16_kib_with_cursors_of_their_own(
    letter: str, more: int, offset: int
) -> None:
    content = letter * (MAX_PIECE + more)
    events = read(frames.chunk(chunk(content, offset)))
    assert len(events) > 1
    assert "".join(event.data["content"] for event in events) == content
    for event in events:
        size = len(event.data["content"].encode())
        assert 0 < size <= MAX_PIECE
        offset += size
        assert parse(event.id or "") == Cursor("epoch", 7, offset)


@given(st.lists(CONTENT))
def test_events_written_one_after_the_other_stay_apart(contents: list[str]) -> None:
    sent, offset = OPENING, 0
    for content in contents:
        piece = chunk(content, offset)
        sent += frames.chunk(piece) + HEARTBEAT
        offset = piece.end
    chunks = [event for event in read(sent) if event.name == "chunk"]
    assert [event.data["content"] for event in chunks] == contents


def test_a_heartbeat_has_no_id() -> None:
    assert read(HEARTBEAT) == [Event(None, "heartbeat", {})]


def test_the_opening_is_a_comment() -> None:
    assert OPENING.startswith(b":")
    assert read(OPENING) == []


def test_a_gap_tells_what_is_missing_even_if_that_is_nothing() -> None:
    assert read(frames.gap(0, 0)) == [Event("epoch.7.c0", "gap", {"missingBytes": 0})]
    assert read(frames.gap(10, 30)) == [Event("epoch.7.c30", "gap", {"missingBytes": 10})]


def test_the_ids_of_status_and_done_are_of_a_kind_of_their_own() -> None:
    (status,) = read(frames.status(StatusData(status="completed"), 9))
    (done,) = read(frames.done("p", 9))
    assert parse(status.id or "") == Cursor("epoch", 7, 9, Kind.STATUS)
    assert parse(done.id or "") == Cursor("epoch", 7, 9, Kind.END)
    assert done.data == {"processId": "p"}


def test_status_tells_how_a_process_ended() -> None:
    process = Process(
        id="p",
        type="clarification",
        prompt_preview="",
        full_prompt="",
        status="failed",
        start_time=Timestamp("2026-11-22T07:00:00.000Z"),
        end_time=Timestamp("2026-11-22T07:02:34.000Z"),
        result="half\nof it",
        error="no more",
        exit_code=3,
    )
    (event,) = read(frames.status(StatusData.of(process), 0))
    assert event.data == {
        "status": "failed",
        "duration": "2m 34s",
        "result": "half\nof it",
        "error": "no more",
        "exitCode": 3,
    }


def test_status_leaves_out_what_there_is_not() -> None:
    (event,) = read(frames.status(StatusData(status="completed", exit_code=0), 0))
    assert event.data == {"status": "completed", "exitCode": 0}


def test_the_status_of_a_removed_process_says_so() -> None:
    (event,) = read(frames.status(StatusData(status="running", removed=True), 0))
    assert event.data == {"status": "running", "removed": True}
