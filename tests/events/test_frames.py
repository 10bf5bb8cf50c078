"""The bytes of the events, and their ids."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_host.models import Change, ProcessSummary, Timestamp
from pipeline_host_events.frames import HEARTBEAT, OPENING, Frames

FRAMES = Frames("Zk3")


def change(seq: int, preview: str = "") -> Change:
    summary = ProcessSummary(
        id="p",
        prompt_preview=preview,
        status="running",
        type="clarification",
        start_time=Timestamp("2026-11-22T07:00:00.000Z"),
    )
    return Change(seq=seq, kind="process-added", timestamp=1, process=summary)


def test_a_change_is_an_event_of_its_kind_with_the_message_as_data() -> None:
    assert FRAMES.change(change(7)) == (
        b"id: Zk3.7\n"
        b"event: process-added\n"
        b'data: {"type":"process-added","process":{"id":"p","promptPreview":"",'
        b'"status":"running","type":"clarification","startTime":"2026-11-22T07:00:00.000Z"},'
        b'"timestamp":1,"seq":7}\n'
        b"\n"
    )


def test_where_a_stream_begins_and_what_is_lost_have_an_id_and_a_heartbeat_has_none() -> None:
    assert FRAMES.welcome(5) == b"id: Zk3.5\nevent: welcome\ndata: {}\n\n"
    assert FRAMES.resync(5) == b"id: Zk3.5\nevent: resync\ndata: {}\n\n"
    assert HEARTBEAT == b"event: heartbeat\ndata: {}\n\n"
    assert OPENING.startswith(b":")
    assert OPENING.endswith(b"\n\n")


@given(st.text())
def test_no_text_starts_a_line_of_its_own(text: str) -> None:
    frame = FRAMES.change(change(1, text))
    lines = frame.split(b"\n")
    assert b"\r" not in frame
    assert len(lines) == 5
    told = json.loads(lines[2].removeprefix(b"data: "))
    assert told["process"]["promptPreview"] == text


@given(st.integers(0, 2**63 - 1))
def test_an_id_is_read_as_it_was_given_out(seq: int) -> None:
    first = FRAMES.welcome(seq).split(b"\n")[0].decode()
    assert FRAMES.parse(first.removeprefix("id: ")) == seq


@pytest.mark.parametrize(
    "cursor",
    [
        *(
            "",
            "Zk3",
            "Zk3.",
            ".1",
            "1",
            "Zk3.01",
            "Zk3.-1",
            "Zk3.+1",
            "Zk3.1 ",
            " Zk3.1",
            "Zk3.1.2",
        ),
        *("Zk4.1", "zk3.1", "Zk3.\u0661", "Zk3.1\n", "Zk3.9223372036854775808", "Zk3." + "9" * 400),
        "Zk3.1.c5",
    ],
)
def test_any_other_text_is_no_id(cursor: str) -> None:
    assert FRAMES.parse(cursor) is None
