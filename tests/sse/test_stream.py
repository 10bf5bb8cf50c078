"""What a client is told by ``/api/processes/{id}/stream``."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest
import requests

from pipeline_host.cursors import Cursor, Kind, parse
from pipeline_host.output import MAX_PIECE
from pipeline_host.testing.server import LiveServer
from pipeline_host.times import now_ms

from .conftest import Reporter
from .reading import Event, Stream, names_of, text_of


def followed(reporter: Reporter, last_event_id: str = "", query: str = "") -> list[Event]:
    """All events of a stream that ends."""
    with reporter.stream(last_event_id, query) as stream:
        assert stream.status == 200
        return list(stream.events())


def cursor_of(event: Event) -> Cursor:
    cursor = parse(event.id)
    assert cursor is not None
    return cursor


class TestAnswer:
    def test_its_head_is_that_of_an_event_stream(self, reporter: Reporter) -> None:
        with reporter.stream() as stream:
            assert stream.status == 200
            assert stream.headers["content-type"] == "text/event-stream"
            assert stream.headers["cache-control"] == "no-cache"
            assert stream.headers["x-accel-buffering"] == "no"
            assert stream.headers["x-content-type-options"] == "nosniff"
            assert stream.headers["connection"] == "close"
            assert "date" in stream.headers
            assert "transfer-encoding" not in stream.headers
            assert "content-length" not in stream.headers
            assert next(stream.lines()).startswith(":")

    def test_an_unknown_process_is_404_as_json(self, sse_server: LiveServer) -> None:
        with Stream(sse_server.port, "nobody") as stream:
            assert stream.status == 404
            assert stream.headers["content-type"] == "application/json"
            assert json.loads(stream.read()) == {"error": "Process not found"}

    def test_head_is_answered_without_a_stream(self, reporter: Reporter) -> None:
        with Stream(reporter.port, reporter.id, method="HEAD") as stream:
            assert stream.status == 200
            assert stream.headers["content-type"] == "text/event-stream"
            assert "content-length" not in stream.headers
            assert stream.read() == b""

    def test_another_method_is_refused(self, reporter: Reporter) -> None:
        answer = requests.post(f"{reporter.url}/{reporter.id}/stream", timeout=20)
        assert answer.status_code in (405, 415)

    @pytest.mark.parametrize("process_id", ["..", "a/b", "50%", "日本", "a b?c#d", "%2F"])
    def test_any_id_can_be_followed(self, sse_server: LiveServer, process_id: str) -> None:
        reporter = Reporter(sse_server.port, process_id)
        reporter.write("text")
        reporter.complete()
        events = followed(reporter)
        assert text_of(events) == "text"
        assert events[-1].data == {"processId": process_id}
        reporter.delete()

    @pytest.mark.parametrize("flag", ["replay", "times"])
    def test_an_unclear_flag_is_refused(self, reporter: Reporter, flag: str) -> None:
        with reporter.stream(query=f"{flag}=maybe") as stream:
            assert stream.status == 400
            assert flag in json.loads(stream.read())["error"]


class TestOutput:
    def test_first_what_is_there_then_each_chunk_as_it_is_written(self, reporter: Reporter) -> None:
        reporter.write("one", "two")
        with reporter.stream() as stream:
            events = stream.events()
            assert [event.data for event in islice(events, 2)] == [
                {"content": "one"},
                {"content": "two"},
            ]
            for number in range(5):
                reporter.write(f"live {number}\r\n", stream="stderr")
                event = next(events)
                assert event.name == "chunk"
                assert event.data == {"content": f"live {number}\r\n", "stream": "stderr"}
            reporter.complete()
            assert names_of(list(events)) == ["status", "done"]

    def test_each_chunk_tells_its_time_to_whoever_asks_for_it(self, reporter: Reporter) -> None:
        before = now_ms()
        reporter.write("old")
        with reporter.stream() as plain, reporter.stream(query="times=true") as timed:
            events = timed.events()
            old = next(events)
            reporter.write("live")
            live = next(events)
            assert before <= old.data["time"] <= live.data["time"] <= now_ms()
            reporter.complete()
            assert names_of(list(events)) == ["status", "done"]
            assert [event.data for event in islice(plain.events(), 2)] == [
                {"content": "old"},
                {"content": "live"},
            ]

    def test_a_queued_process_is_followed_through_its_whole_life(
        self, sse_server: LiveServer
    ) -> None:
        reporter = Reporter(sse_server.port, status="queued")
        with reporter.stream() as stream:
            events = stream.events()
            reporter.patch(status="running")
            reporter.write("x")
            assert next(events).data == {"content": "x"}
            reporter.complete()
            assert names_of(list(events)) == ["status", "done"]

    def test_a_large_write_comes_in_events_of_16_kib(self, reporter: Reporter) -> None:
        text = "日本語\n" * 20_000
        reporter.write(text)
        reporter.complete()
        events = followed(reporter)
        assert text_of(events) == text
        chunks = [event for event in events if event.name == "chunk"]
        assert len(chunks) > 10
        assert max(len(event.data["content"].encode()) for event in chunks) <= MAX_PIECE

    def test_nothing_in_the_text_can_break_an_event(self, reporter: Reporter) -> None:
        texts = ["\r", "\n\n", "data: x\n\n", "\r\nid: 1\r\n", "\0", "\u2028\u0085", "\ufeff", ": "]
        reporter.write(*texts)
        reporter.complete()
        events = followed(reporter)
        assert [event.data["content"] for event in events if event.name == "chunk"] == texts

    def test_without_replay_only_what_comes_is_told(self, reporter: Reporter) -> None:
        reporter.write("before")
        with reporter.stream(query="replay=false") as stream:
            assert next(stream.lines()).startswith(":")
            reporter.write("after")
            assert next(stream.events()).data == {"content": "after"}

    @pytest.mark.parametrize("offset", range(9))
    def test_it_begins_at_the_byte_that_is_asked_for(self, reporter: Reporter, offset: int) -> None:
        reporter.write("one", "two ", "é")
        with reporter.stream(query=f"from={offset}") as stream:
            if offset == 8:
                assert stream.status == 400
                return
            events = stream.events()
            reporter.complete()
            expected = b"onetwo \xc3\xa9"[offset:]
            assert text_of(list(events)).encode() == expected

    @pytest.mark.parametrize("place", ["10", "-1", "x", "1.5", "", "9" * 30])
    def test_a_byte_that_there_is_not_is_refused(self, reporter: Reporter, place: str) -> None:
        reporter.write("text")
        with reporter.stream(query=f"from={place}") as stream:
            assert stream.status == 400
            assert json.loads(stream.read())["error"].startswith("from: expected ")

    def test_a_cursor_counts_for_more_than_a_byte_and_that_for_more_than_no_replay(
        self, reporter: Reporter
    ) -> None:
        reporter.write("one", "two")
        reporter.complete()
        first = followed(reporter)[0].id
        assert text_of(followed(reporter, first, "from=5")) == "two"
        assert text_of(followed(reporter, query="from=5&replay=false")) == "o"

    def test_without_replay_an_ended_process_just_ends(self, reporter: Reporter) -> None:
        reporter.write("before")
        reporter.complete()
        assert names_of(followed(reporter, query="replay=false")) == ["status", "done"]


def cleared(reporter: Reporter) -> None:
    reporter.patch(metadata={"workspaceId": reporter.id})
    answer = requests.delete(
        reporter.url, params={"status": "running", "workspace": reporter.id}, timeout=20
    )
    assert answer.json() == {"removed": 1}


ENDS: dict[str, tuple[Callable[[Reporter], None], dict[str, Any]]] = {
    "completed": (lambda it: it.complete(), {"status": "completed", "duration": "2m 34s"}),
    "failed": (lambda it: it.complete("failed"), {"status": "failed", "duration": "2m 34s"}),
    "cancelled": (lambda it: it.cancel(), {"status": "cancelled"}),
    "deleted": (lambda it: it.delete(), {"status": "running", "removed": True}),
    "cleared": (cleared, {"status": "running", "removed": True}),
}


class TestEnd:
    @pytest.mark.parametrize("way", ENDS)
    def test_an_open_stream_ends_with_status_and_done(self, reporter: Reporter, way: str) -> None:
        end, expected = ENDS[way]
        reporter.write("output")
        with reporter.stream() as stream:
            events = stream.events()
            assert next(events).name == "chunk"
            end(reporter)
            status, done = list(events)
        assert status.name == "status"
        assert status.data | expected == status.data
        assert ("removed" in status.data) == ("removed" in expected)
        assert (done.name, done.data) == ("done", {"processId": reporter.id})

    @pytest.mark.parametrize("way", ["completed", "failed", "cancelled"])
    def test_an_ended_process_is_told_completely_and_the_stream_ends(
        self, reporter: Reporter, way: str
    ) -> None:
        reporter.write("one", "two")
        ENDS[way][0](reporter)
        events = followed(reporter)
        assert names_of(events) == ["chunk", "chunk", "status", "done"]
        assert events[2].data["status"] == way

    def test_status_tells_result_error_and_exit_code(self, reporter: Reporter) -> None:
        reporter.patch(
            status="failed",
            endTime="2026-11-22T07:00:45.000Z",
            result="some",
            error="line one\nline two",
            exitCode=3,
        )
        status, _ = followed(reporter)
        assert status.data == {
            "status": "failed",
            "duration": "45s",
            "result": "some",
            "error": "line one\nline two",
            "exitCode": 3,
        }

    def test_deleted_just_after_its_end_it_is_told_with_that_status(
        self, reporter: Reporter
    ) -> None:
        with reporter.stream() as stream:
            assert next(stream.lines()).startswith(":")
            reporter.complete("failed")
            reporter.delete()
            status, done = list(stream.events())
        assert status.data["status"] == "failed"
        assert done.name == "done"

    def test_made_again_under_its_id_it_is_another_process(self, reporter: Reporter) -> None:
        reporter.write("first")
        with reporter.stream() as stream:
            events = stream.events()
            first = next(events)
            reporter.delete()
            reporter.create()
            reporter.write("second")
            status, done = list(events)
        assert status.data == {"status": "running", "removed": True}
        assert done.name == "done"
        with reporter.stream(first.id) as stream:
            gap, chunk = islice(stream.events(), 2)
        assert (gap.name, gap.data) == ("gap", {"missingBytes": 0})
        assert chunk.data == {"content": "second"}


class TestResume:
    def test_after_each_event_exactly_the_rest_is_told(self, reporter: Reporter) -> None:
        reporter.write("one", "two", "é" * MAX_PIECE, "four")
        reporter.complete()
        events = followed(reporter)
        assert len(events) == 7
        for number, event in enumerate(events[:-1]):
            assert followed(reporter, event.id) == events[number + 1 :]
            assert followed(reporter, query=f"lastEventId={event.id}") == events[number + 1 :]

    def test_while_it_runs_nothing_comes_twice_and_nothing_is_missing(
        self, reporter: Reporter
    ) -> None:
        seen: list[Event] = []
        for number in range(10):
            reporter.write(f"{number},", "x")
            with reporter.stream(seen[-1].id if seen else "") as stream:
                seen.append(next(stream.events()))
        reporter.complete()
        seen += followed(reporter, seen[-1].id)
        assert text_of(seen) == "".join(f"{number},x" for number in range(10))

    def test_the_header_counts_for_more_than_the_query_and_both_for_more_than_no_replay(
        self, reporter: Reporter
    ) -> None:
        reporter.write("one", "two", "three")
        reporter.complete()
        events = followed(reporter)
        query = f"lastEventId={events[0].id}&replay=false"
        assert followed(reporter, query=query) == events[1:]
        assert followed(reporter, events[1].id, query) == events[2:]

    def test_the_end_is_answered_204_and_stays_the_end(self, reporter: Reporter) -> None:
        reporter.write("one")
        reporter.complete()
        end = followed(reporter)[-1].id
        for _ in range(2):
            with reporter.stream(end) as stream:
                assert (stream.status, stream.read()) == (204, b"")
            with reporter.stream(query=f"lastEventId={end}") as stream:
                assert stream.status == 204
            reporter.patch(result="late")
        reporter.delete()
        with reporter.stream(end) as stream:
            assert stream.status == 204

    def test_the_end_of_a_deleted_process_is_the_end(self, reporter: Reporter) -> None:
        with reporter.stream() as stream:
            events = stream.events()
            reporter.delete()
            done = list(events)[-1]
        with reporter.stream(done.id) as stream:
            assert stream.status == 204
        elsewhere = str(Cursor("elsewhere", 1, 0, Kind.END))
        for cursor in (elsewhere, "garbage", str(Cursor(cursor_of(done).epoch, 1, 0))):
            with reporter.stream(cursor) as stream:
                assert stream.status == 404

    @pytest.mark.parametrize("live", [False, True], ids=["ended", "running"])
    @pytest.mark.parametrize(
        "wrong",
        [
            lambda cursor: "garbage",
            lambda cursor: "42",
            lambda cursor: "é".encode().decode("latin-1"),
            lambda cursor: str(Cursor("elsewhere", cursor.incarnation, cursor.offset)),
            lambda cursor: str(Cursor(cursor.epoch, cursor.incarnation + 1, cursor.offset)),
            lambda cursor: str(Cursor(cursor.epoch, cursor.incarnation, 10**6)),
            lambda cursor: str(Cursor(cursor.epoch, cursor.incarnation, 2**63 - 1)),
            lambda cursor: str(Cursor(cursor.epoch, cursor.incarnation, 1)),
            lambda cursor: str(Cursor(cursor.epoch, cursor.incarnation, 1, Kind.END)),
            lambda cursor: str(Cursor("elsewhere", cursor.incarnation, 6, Kind.END)),
        ],
    )
    def test_a_cursor_that_is_not_ours_gets_a_gap_and_everything(
        self, reporter: Reporter, wrong: Callable[[Cursor], str], live: bool
    ) -> None:
        reporter.write("日", "本")
        with reporter.stream() as stream:
            chunks = list(islice(stream.events(), 2))
        if not live:
            reporter.complete()
        with reporter.stream(wrong(cursor_of(chunks[0]))) as stream:
            assert stream.status == 200
            gap, *replayed = islice(stream.events(), 3)
        assert (gap.name, gap.data) == ("gap", {"missingBytes": 0})
        assert replayed == chunks
        with reporter.stream(gap.id) as stream:
            assert list(islice(stream.events(), 2)) == chunks
