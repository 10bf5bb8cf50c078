"""Following a stream through interruptions."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator

import pytest

from pipeline_host.client import ApiClient, ApiError, Event, follow
from pipeline_host.client.follow import Interrupt
from pipeline_host.testing.waiting import wait_until

from .scripted import ScriptedServer

Make = Callable[..., dict[str, str]]


@pytest.fixture
def running(server: ScriptedServer, api: ApiClient, process: Make) -> ApiClient:
    api.create(process(id="a"))
    return api


def write(api: ApiClient, *texts: str) -> None:
    for text in texts:
        api.append_output("a", [{"content": text}])


def contents(events: list[Event]) -> list[str]:
    return [json.loads(event.data)["content"] for event in events if event.type == "chunk"]


class Following:
    """Follows in a thread."""

    def __init__(self, events: Iterator[Event]) -> None:
        self.events: list[Event] = []
        self._source = events
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        for event in self._source:
            self.events.append(event)

    def join(self) -> list[Event]:
        self._thread.join(20)
        assert not self._thread.is_alive()
        return self.events


def test_output_then_status_then_done(server: ScriptedServer, running: ApiClient) -> None:
    write(running, "one", "two")
    following = Following(follow(running, "a"))
    wait_until(lambda: len(following.events) == 2)
    write(running, "three")
    server.set_status("a", "completed")
    events = following.join()
    assert contents(events) == ["one", "two", "three"]
    assert [event.type for event in events[3:]] == ["status", "done"]
    assert len(server.requests("/stream")) == 1


def test_a_broken_connection_is_resumed_where_it_broke(
    server: ScriptedServer, running: ApiClient
) -> None:
    write(running, "one", "two")
    following = Following(follow(running, "a"))
    wait_until(lambda: len(following.events) == 2)
    server.cut_streams()
    write(running, "three")
    wait_until(lambda: len(following.events) == 3)
    server.set_status("a", "cancelled")
    assert contents(following.join()) == ["one", "two", "three"]
    sent = [seen.headers.get("Last-Event-ID") for seen in server.requests("/stream")]
    assert sent == [None, "2"]


def test_a_server_that_was_away_is_waited_for(server: ScriptedServer, running: ApiClient) -> None:
    write(running, "one")
    following = Following(follow(running, "a"))
    wait_until(lambda: following.events)
    server.stop()
    server.start()
    write(running, "two")
    server.set_status("a", "completed")
    assert contents(following.join()) == ["one", "two"]


def test_it_begins_after_a_given_event(server: ScriptedServer, running: ApiClient) -> None:
    write(running, "one", "two")
    server.set_status("a", "completed")
    assert contents(list(follow(running, "a", last_event_id="1"))) == ["two"]


def test_what_is_there_already_can_be_left_out_but_nothing_after_that(
    server: ScriptedServer, running: ApiClient
) -> None:
    write(running, "one")
    following = Following(follow(running, "a", replay=False))
    wait_until(lambda: server.requests("/stream"))
    wait_until(lambda: write(running, "more") or following.events)
    server.cut_streams()
    write(running, "last")
    server.set_status("a", "completed")
    texts = contents(following.join())
    assert set(texts) == {"more", "last"}
    assert texts[-1] == "last"
    assert "replay" not in server.requests("/stream")[-1].target


@pytest.mark.parametrize("status", [204, 404])
def test_it_ends_where_there_is_nothing_to_follow(
    server: ScriptedServer, running: ApiClient, status: int
) -> None:
    server.fault("answer", status=status, body=b"")
    assert list(follow(running, "a")) == []


def test_a_refusal_is_raised(server: ScriptedServer, running: ApiClient) -> None:
    server.fault("answer", status=403)
    with pytest.raises(ApiError, match="as told"):
        list(follow(running, "a"))


def test_a_server_in_trouble_is_tried_again(server: ScriptedServer, running: ApiClient) -> None:
    server.fault("answer", status=503, headers={"Retry-After": "0"})
    server.set_status("a", "completed")
    assert [event.type for event in follow(running, "a")] == ["status", "done"]


def test_it_ends_at_once_when_it_is_told_to(server: ScriptedServer, running: ApiClient) -> None:
    interrupt = Interrupt()
    write(running, "one")
    following = Following(follow(running, "a", interrupt=interrupt))
    wait_until(lambda: following.events)
    interrupt.stop()
    assert contents(following.join()) == ["one"]
    assert len(server.requests("/stream")) == 1


def test_it_makes_no_connection_once_it_is_to_end(server: ScriptedServer, api: ApiClient) -> None:
    interrupt = Interrupt()
    interrupt.stop()
    assert list(follow(api, "a", interrupt=interrupt)) == []
    assert server.seen == []


def test_a_pause_is_cut_short_for_who_knows_that_the_server_is_back(
    server: ScriptedServer, running: ApiClient
) -> None:
    interrupt = Interrupt()
    server.fault("answer", times=1, status=503, headers={"Retry-After": "3000"})
    following = Following(follow(running, "a", interrupt=interrupt))
    wait_until(lambda: server.requests("/stream"))
    server.set_status("a", "completed")
    interrupt.hurry()
    assert [event.type for event in following.join()] == ["status", "done"]
