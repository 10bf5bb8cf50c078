"""Following a process's output over ``/ws``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline_host.cursors import Kind, parse
from pipeline_host.testing.server import LiveServer
from pipeline_host.times import now_ms

from .raw_client import RawClient
from .reporting import Reporter

KINDS = ("chunk", "gap", "done")


def following(
    server: LiveServer, process_id: str, after: str | None = None, **wishes: Any
) -> RawClient:
    """A client that follows one process, and is told of no changes."""
    client = RawClient(server.port)
    client.say(type="subscribe", workspaceId="nobody's")
    client.say(
        type="follow", processId=process_id, **({} if after is None else {"after": after}), **wishes
    )
    return client


def hear(client: RawClient) -> Any:
    """The next message about output."""
    for message in client.messages():
        if message["type"] in KINDS:
            return message
    raise AssertionError("the server closed the connection")


def hear_all(client: RawClient) -> list[Any]:
    heard = [hear(client)]
    while heard[-1]["type"] != "done":
        heard.append(hear(client))
    return heard


def text_of(messages: list[Any]) -> str:
    return "".join(one["content"] for one in messages if one["type"] == "chunk")


def test_all_output_so_far_then_each_chunk_then_the_end(
    ws_server: LiveServer, reporter: Reporter
) -> None:
    reporter.write("one ", "two ")
    reporter.write("err ", stream="stderr")
    with following(ws_server, reporter.id) as client:
        replayed = [hear(client) for _ in range(3)]
        reporter.write("live")
        live = hear(client)
        reporter.complete(result="fine", exitCode=0)
        done = hear(client)
    assert [one["content"] for one in (*replayed, live)] == ["one ", "two ", "err ", "live"]
    assert set(live) == {"type", "processId", "content", "cursor"}
    assert replayed[2]["stream"] == "stderr"
    cursor = parse(done.pop("cursor"))
    assert cursor is not None
    assert cursor.kind is Kind.END
    assert done == {
        "type": "done",
        "processId": reporter.id,
        "status": "completed",
        "duration": "2m 34s",
        "result": "fine",
        "exitCode": 0,
    }


def test_a_process_that_has_ended_is_told_whole(ws_server: LiveServer, reporter: Reporter) -> None:
    reporter.write("all of it")
    reporter.patch(status="failed", error="it broke", exitCode=3)
    with following(ws_server, reporter.id) as client:
        chunk, done = hear_all(client)
    assert chunk["content"] == "all of it"
    assert (done["status"], done["error"], done["exitCode"]) == ("failed", "it broke", 3)


def test_an_unknown_process_is_told_as_done_with_an_error(ws_server: LiveServer) -> None:
    with following(ws_server, "nobody") as client:
        assert hear(client) == {
            "type": "done",
            "processId": "nobody",
            "error": "Process not found",
        }


def test_any_cursor_of_a_chunk_resumes_after_it(ws_server: LiveServer, reporter: Reporter) -> None:
    pieces = ["erstens ", "zweitens é日 ", "x" * 40_000, " \N{GRINNING FACE} last"]
    reporter.write(*pieces)
    reporter.complete()
    with following(ws_server, reporter.id) as client:
        whole = hear_all(client)
    assert text_of(whole) == "".join(pieces)
    assert all(len(one["content"].encode()) <= 16 * 1024 for one in whole[:-1])
    for place, one in enumerate(whole[:-1]):
        with following(ws_server, reporter.id, one["cursor"]) as client:
            assert hear_all(client) == whole[place + 1 :]


def test_the_end_is_told_again_to_whoever_has_seen_it(
    ws_server: LiveServer, reporter: Reporter
) -> None:
    reporter.write("text")
    reporter.complete()
    with following(ws_server, reporter.id) as client:
        *_, done = hear_all(client)
    with following(ws_server, reporter.id, done["cursor"]) as client:
        assert hear(client) == done


def test_a_cursor_that_means_nothing_is_told_as_a_gap_and_a_replay(
    ws_server: LiveServer, reporter: Reporter
) -> None:
    reporter.write("text")
    reporter.complete()
    for cursor in ("nonsense", "x.1.c2", "x" * 5000):
        with following(ws_server, reporter.id, cursor) as client:
            gap, chunk, done = hear_all(client)
            assert (gap["type"], gap["missingBytes"]) == ("gap", 0)
            assert chunk["content"] == "text"
            assert done["type"] == "done"


def test_following_twice_begins_anew_and_doubles_nothing(
    ws_server: LiveServer, reporter: Reporter
) -> None:
    reporter.write("one ")
    with following(ws_server, reporter.id) as client:
        first = hear(client)
        client.say(type="follow", processId=reporter.id)
        again = hear(client)
        client.say(type="follow", processId=reporter.id, after=first["cursor"])
        client.say(type="ping")
        client.hear_until(lambda message: message["type"] == "pong")
        reporter.write("two ")
        reporter.complete()
        rest = hear_all(client)
    assert first == again
    assert [one["type"] for one in rest] == ["chunk", "done"]
    assert rest[0]["content"] == "two "


def test_each_chunk_tells_its_time_to_whoever_asks_for_it(
    ws_server: LiveServer, reporter: Reporter
) -> None:
    before = now_ms()
    reporter.write("old")
    with (
        following(ws_server, reporter.id) as plain,
        following(ws_server, reporter.id, times=True) as timed,
    ):
        old = hear(timed)
        reporter.write("live")
        live = hear(timed)
        assert before <= old["time"] <= live["time"] <= now_ms()
        reporter.complete()
        heard = hear_all(plain)
        assert [one["content"] for one in heard[:-1]] == ["old", "live"]
        assert not any("time" in one for one in heard)
        assert hear(timed)["cursor"] == heard[-1]["cursor"]


def test_unfollow_ends_it(ws_server: LiveServer, reporter: Reporter) -> None:
    with following(ws_server, reporter.id) as client:
        reporter.write("one")
        hear(client)
        client.say(type="unfollow", processId=reporter.id)
        client.say(type="ping")
        client.hear_until(lambda message: message["type"] == "pong")
        reporter.write("two")
        reporter.complete()
        other = Reporter(ws_server.port)
        client.say(type="follow", processId=other.id)
        other.write("other")
        assert hear(client)["processId"] == other.id


def test_one_connection_follows_many(ws_server: LiveServer) -> None:
    reporters = [Reporter(ws_server.port) for _ in range(20)]
    with following(ws_server, reporters[0].id) as client:
        for reporter in reporters[1:]:
            client.say(type="follow", processId=reporter.id)
        for reporter in reporters:
            reporter.write(f"of {reporter.id}")
            reporter.complete()
        heard = []
        while sum(one["type"] == "done" for one in heard) < len(reporters):
            heard.append(hear(client))
    for reporter in reporters:
        mine = [one for one in heard if one["processId"] == reporter.id]
        assert [one["type"] for one in mine] == ["chunk", "done"]
        assert mine[0]["content"] == f"of {reporter.id}"


def test_a_process_that_is_deleted_is_done_and_removed(
    ws_server: LiveServer, reporter: Reporter
) -> None:
    reporter.write("text")
    with following(ws_server, reporter.id) as client:
        hear(client)
        reporter.delete()
        done = hear(client)
        assert (done["type"], done["status"], done["removed"]) == ("done", "running", True)
        client.say(type="follow", processId=reporter.id, after=done["cursor"])
        assert hear(client)["error"] == "Process not found"


def test_a_later_process_of_the_same_id_is_another(
    ws_server: LiveServer, reporter: Reporter
) -> None:
    reporter.write("of the first")
    with following(ws_server, reporter.id) as client:
        cursor = hear(client)["cursor"]
        reporter.delete()
        assert hear(client)["removed"] is True
        reporter.create()
        reporter.write("of the second")
        client.say(type="follow", processId=reporter.id, after=cursor)
        assert hear(client)["type"] == "gap"
        assert hear(client)["content"] == "of the second"


def test_much_output_arrives_whole_however_slowly_it_is_read(
    live_server: Callable[..., LiveServer],
) -> None:
    server = live_server()
    reporter = Reporter(server.port)
    with RawClient(server.port, receive_buffer=4096) as slow:
        slow.say(type="follow", processId=reporter.id)
        for number in range(100):
            reporter.write(f"{number:06}" * 10_000)
        reporter.complete()
        heard = hear_all(slow)
    assert text_of(heard) == "".join(f"{number:06}" * 10_000 for number in range(100))
