"""What a client of ``/api/events`` is told, over real servers with one worker and with two."""

from __future__ import annotations

import itertools
import random
import threading
from itertools import islice, pairwise
from typing import Final

import pytest
import requests

from pipeline_host.testing.server import LiveServer

from .conftest import Client
from .reading import Event, Events, subject_of

_numbers: Final = itertools.count(1)


@pytest.fixture
def name() -> str:
    """An id that no other test uses."""
    return f"n{next(_numbers)}"


def started(client: Client, **query: str) -> Events:
    """A stream that is known to have begun."""
    events = client.events(**query)
    assert next(events).name == "welcome"
    return events


def subjects(events: list[Event]) -> list[str]:
    return [subject_of(event) for event in events]


class TestTelling:
    def test_it_is_an_event_stream_that_nobody_buffers(self, client: Client) -> None:
        with client.events() as events:
            assert events.status == 200
            assert events.headers["content-type"] == "text/event-stream"
            assert events.headers["cache-control"] == "no-cache"
            assert events.headers["x-accel-buffering"] == "no"
            assert next(events.lines()).startswith(":")

    def test_each_change_is_told_in_order_as_it_is_made(self, client: Client, name: str) -> None:
        with started(client) as events:
            client.register(f"{name}-w")
            client.add(name, workspace=f"{name}-w")
            client.patch(name, status="completed", result="not told")
            client.remove(name)
            client.add(f"{name}-2", status="failed")
            client.clear("failed")
            told = events.take(6)
        assert subjects(told) == [
            f"registered {name}-w",
            f"added {name}",
            f"updated {name} completed",
            f"removed {name}",
            f"added {name}-2",
            f"cleared {name}-2",
        ]
        for event in told:
            assert event.data["type"] == event.name
            assert event.data["timestamp"] > 1_600_000_000_000
        assert told[2].data["process"]["workspaceId"] == f"{name}-w"
        assert "result" not in told[2].data["process"]
        assert told[5].data["count"] == 1

    def test_it_begins_with_what_comes(self, client: Client, name: str) -> None:
        client.add(f"{name}-before")
        with started(client) as events:
            client.add(f"{name}-after")
            assert subject_of(next(events)) == f"added {name}-after"

    def test_output_is_not_told(self, client: Client, server: LiveServer, name: str) -> None:
        client.add(name)
        with started(client) as events:
            requests.post(
                f"{client.url}/processes/{name}/output", json={"content": "x"}, timeout=20
            ).raise_for_status()
            client.patch(name, status="completed")
            assert subject_of(next(events)) == f"updated {name} completed"

    def test_many_changes_through_all_workers_are_told_alike_and_without_a_gap(
        self, client: Client, server: LiveServer, name: str
    ) -> None:
        streams = [started(client) for _ in range(12)]

        def report(worker: int) -> None:
            for turn in range(10):
                client.add(f"{name}-{worker}-{turn}")
                client.patch(f"{name}-{worker}-{turn}", status="completed")

        reporting = [threading.Thread(target=report, args=(worker,)) for worker in range(4)]
        for thread in reporting:
            thread.start()
        told = [events.take(80) for events in streams]
        for thread in reporting:
            thread.join()
        for stream, events in zip(streams, told, strict=True):
            assert events == told[0]
            stream.close()
        numbers = [event.data["seq"] for event in told[0]]
        assert all(later == earlier + 1 for earlier, later in pairwise(numbers))
        assert len({subject_of(event) for event in told[0]}) == 80


class TestResuming:
    def test_from_each_event_on_there_is_what_came_after_it(
        self, client: Client, name: str
    ) -> None:
        with started(client) as events:
            for number in range(4):
                client.add(f"{name}-{number}")
                client.patch(f"{name}-{number}", status="completed")
            client.remove(f"{name}-0")
            told = events.take(9)
        for place, event in enumerate(told[:-1]):
            rest = told[place + 1 :]
            with client.events(event.id) as resumed:
                assert resumed.take(len(rest)) == rest
            with client.events(lastEventId=event.id) as resumed:
                assert resumed.take(len(rest)) == rest

    def test_what_was_made_while_nobody_was_connected_is_not_missed(
        self, client: Client, name: str
    ) -> None:
        with client.events() as events:
            welcome = next(events)
        client.add(name)
        with client.events(welcome.id) as events:
            assert subject_of(next(events)) == f"added {name}"
            client.patch(name, status="failed")
            assert subject_of(next(events)) == f"updated {name} failed"

    def test_the_header_counts_for_more_than_the_query(self, client: Client, name: str) -> None:
        with started(client) as events:
            client.add(f"{name}-1")
            client.add(f"{name}-2")
            first, second = events.take(2)
        with client.events(first.id, lastEventId=second.id) as events:
            assert next(events) == second

    def test_reconnecting_at_random_nothing_is_missed_and_nothing_told_twice(
        self, client: Client, name: str
    ) -> None:
        chance = random.Random(11)
        with client.events() as events:
            last = next(events).id

        def report() -> None:
            for number in range(60):
                client.add(f"{name}-{number}")

        reporting = threading.Thread(target=report)
        reporting.start()
        seen: list[Event] = []
        while len(seen) < 60:
            with client.events(last) as events:
                seen += islice(events, min(chance.randrange(1, 10), 60 - len(seen)))
            last = seen[-1].id
        reporting.join()
        assert subjects(seen) == [f"added {name}-{number}" for number in range(60)]


class TestOneWorkspace:
    def test_only_its_changes_are_told(self, client: Client, name: str) -> None:
        ours, other = f"{name}-ours", f"{name}-other"
        with started(client, workspace=ours) as events:
            client.register(other)
            client.register(ours)
            for place, workspace in enumerate((other, ours, "")):
                client.add(f"{name}-{place}", workspace=workspace)
                client.patch(f"{name}-{place}", status="completed")
                client.remove(f"{name}-{place}")
            client.add(f"{name}-last", workspace=ours)
            assert subjects(events.take(5)) == [
                f"registered {ours}",
                f"added {name}-1",
                f"updated {name}-1 completed",
                f"removed {name}-1",
                f"added {name}-last",
            ]

    def test_of_a_clearing_only_its_processes(self, client: Client, name: str) -> None:
        ours = f"{name}-ours"
        for place, workspace in enumerate((ours, "", "elsewhere", ours)):
            client.add(f"{name}-{place}", workspace=workspace, status="cancelled")
        with started(client) as everything, started(client, workspace=ours) as events:
            client.clear("cancelled")
            told, whole = next(events), next(everything)
        assert subject_of(told) == f"cleared {name}-0 {name}-3"
        assert told.data["count"] == 2
        assert whole.data["count"] == 4
        assert told.id == whole.id

    def test_resuming_skips_what_is_of_others(self, client: Client, name: str) -> None:
        with started(client, workspace=name) as events:
            client.add(f"{name}-first", workspace=name)
            first = next(events)
        for number in range(20):
            client.add(f"{name}-{number}", workspace="elsewhere")
        client.add(f"{name}-last", workspace=name)
        with client.events(first.id, workspace=name) as events:
            assert subject_of(next(events)) == f"added {name}-last"

    def test_an_empty_one_is_none(self, client: Client, name: str) -> None:
        with started(client, workspace="") as events:
            client.add(name)
            assert subject_of(next(events)) == f"added {name}"

    def test_two_are_refused(self, client: Client) -> None:
        answer = requests.get(f"{client.url}/events?workspace=a&workspace=b", timeout=20)
        assert answer.status_code == 400
        assert answer.json()["error"].startswith("workspace: ")


class TestCursorsOfNoUse:
    @pytest.mark.parametrize("cursor", ["nonsense", "0", "Zk3.1.c5", "OtherData.1", "\u00e9"])
    def test_malformed_or_of_other_data_resyncs_then_goes_on_live(
        self, client: Client, name: str, cursor: str
    ) -> None:
        with client.events(cursor) as events:
            resync = next(events)
            assert (resync.name, resync.data) == ("resync", {})
            client.add(name)
            assert subject_of(next(events)) == f"added {name}"
        with client.events(resync.id) as events:
            assert subject_of(next(events)) == f"added {name}"

    def test_from_the_future_resyncs(self, client: Client, name: str) -> None:
        client.add(name)
        with client.events() as events:
            now = next(events).id
        epoch, number = now.split(".")
        with client.events(f"{epoch}.{int(number) + 1}") as events:
            assert next(events) == Event(now, "resync", {})
            client.remove(name)
            assert subject_of(next(events)) == f"removed {name}"

    def test_older_than_what_the_store_remembers_resyncs(self, client: Client, name: str) -> None:
        with client.events() as events:
            old = next(events).id
        for number in range(20):
            client.add(f"{name}-{number}", promptPreview="x" * 1_000_000)
        with client.events() as events:
            now = next(events).id
        with client.events(old) as events:
            assert next(events) == Event(now, "resync", {})
            client.remove(f"{name}-0")
            assert subject_of(next(events)) == f"removed {name}-0"
