"""The life of a stream's connection, under each WSGI server that it is promised to work with."""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import requests

from pipeline_host.testing.pytest_plugin import StartServer
from pipeline_host.testing.waiting import wait_until

from .conftest import WORKERS, CountedServer, Reporter
from .reading import Event, Stream, names_of, text_of

NOTHING = {"channels": 0, "watches": 0, "draining": 0, "streams": 0}
GEVENT = ["pipeline_host", "gevent"]
NEVER = 3600.0


def hang_up(stream: Stream) -> None:
    stream.socket.shutdown(socket.SHUT_WR)


WAYS: dict[str, Callable[[Stream], None]] = {
    "closed": Stream.close,
    "half-closed": hang_up,
    "reset": Stream.reset,
}


def start(worker: str, tmp_path: Path, heartbeat: float) -> Iterator[CountedServer]:
    server = CountedServer(worker, tmp_path, heartbeat)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="module", params=GEVENT)
def gevent_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CountedServer]:
    yield from start(request.param, tmp_path_factory.mktemp("sse"), NEVER)


class TestUnderGevent:
    @pytest.mark.parametrize("way", WAYS)
    def test_of_a_client_that_went_away_nothing_stays(
        self, gevent_server: CountedServer, way: str
    ) -> None:
        reporter = Reporter(gevent_server.port)
        reporter.write("x")
        streams = [reporter.stream() for _ in range(5)]
        for stream in streams:
            assert next(stream.events()).name == "chunk"
        waiting = 0 if gevent_server.worker == "pipeline_host" else 5
        counts = {"channels": 1, "watches": 1, "draining": waiting, "streams": 5}
        assert gevent_server.counts() == counts
        for stream in streams:
            WAYS[way](stream)
        wait_until(
            lambda: gevent_server.counts() == NOTHING, timeout=5, message=lambda: str(counts)
        )
        for stream in streams:
            stream.close()

    def test_a_client_that_does_not_read_is_let_go_when_it_breaks(
        self, gevent_server: CountedServer
    ) -> None:
        reporter = Reporter(gevent_server.port)
        for _ in range(20):
            reporter.write("x" * 1_000_000)
        stream = reporter.stream()
        wait_until(lambda: gevent_server.counts()["watches"] == 1)
        stream.reset()
        wait_until(lambda: gevent_server.counts() == NOTHING, timeout=5)

    def test_descriptors_are_given_back(self, gevent_server: CountedServer) -> None:
        reporter = Reporter(gevent_server.port)
        with reporter.stream() as stream:
            assert next(stream.lines())  # what a worker opens once, it has opened now
        wait_until(lambda: gevent_server.counts() == NOTHING, timeout=5)
        descriptors = Path(f"/proc/{gevent_server.pid}/fd")
        before = len(list(descriptors.iterdir()))
        for _ in range(30):
            with reporter.stream() as stream:
                assert next(stream.lines())
        wait_until(lambda: len(list(descriptors.iterdir())) <= before)


@pytest.fixture(scope="module", params=WORKERS)
def any_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CountedServer]:
    yield from start(request.param, tmp_path_factory.mktemp("sse"), 0.1)


class TestUnderAnyServer:
    def test_a_process_is_followed_to_its_end_and_nothing_stays(
        self, any_server: CountedServer
    ) -> None:
        reporter = Reporter(any_server.port)
        reporter.write("before")
        with reporter.stream() as stream:
            events = stream.events()
            assert next(events).data == {"content": "before"}
            reporter.write("live")
            assert next(events).data == {"content": "live"}
            reporter.complete()
            assert names_of(list(events)) == ["status", "done"]
        wait_until(lambda: any_server.counts() == NOTHING, timeout=5)

    def test_a_client_that_broke_is_noticed_at_a_heartbeat_at_the_latest(
        self, any_server: CountedServer
    ) -> None:
        reporter = Reporter(any_server.port)
        reporter.stream().reset()
        stream = reporter.stream()
        assert next(stream.lines())
        stream.reset()
        wait_until(lambda: any_server.counts() == NOTHING, timeout=5)

    def test_silence_is_broken_by_heartbeats_though_the_process_is_patched(
        self, any_server: CountedServer
    ) -> None:
        reporter = Reporter(any_server.port)
        stop = threading.Event()

        def patch() -> None:
            while not stop.wait(0.02):
                reporter.patch(result=str(time.monotonic()))

        patching = threading.Thread(target=patch)
        patching.start()
        try:
            with reporter.stream() as stream:
                for event in islice(stream.events(heartbeats=True), 3):
                    assert event == Event("", "heartbeat", {})
        finally:
            stop.set()
            patching.join()


class TestServing:
    def test_stopping_the_server_ends_streams_at_once_without_an_end_that_is_none(
        self, live_server: StartServer
    ) -> None:
        server = live_server("--heartbeat", "3600", "--graceful-timeout", "30")
        reporter = Reporter(server.port)
        reporter.write("before")
        with reporter.stream() as stream:
            events = stream.events()
            first = next(events)
            began = time.monotonic()
            assert server.stop(timeout=20) == 0
            assert list(events) == []
            assert time.monotonic() - began < 10
        server.start()
        reporter = Reporter(server.port, reporter.id)
        reporter.write("after")
        reporter.complete()
        with reporter.stream(first.id) as stream:
            rest = list(stream.events())
        assert names_of(rest) == ["chunk", "status", "done"]
        assert text_of(rest) == "after"

    def test_more_streams_than_may_be_are_refused_as_json(self, live_server: StartServer) -> None:
        server = live_server("--max-streams", "2")
        reporter = Reporter(server.port)
        with reporter.stream(), reporter.stream(), reporter.stream() as refused:
            assert refused.status == 503
            assert refused.headers["retry-after"].isdigit()
            assert "error" in json.loads(refused.read())
        wait_until(lambda: _status(reporter) == 200, timeout=5)

    def test_a_thousand_followers_are_told_the_end(self, live_server: StartServer) -> None:
        server = live_server()
        reporter = Reporter(server.port)
        streams = [reporter.stream() for _ in range(1000)]
        reporter.write("text")
        reporter.complete()
        for stream in streams:
            assert names_of(list(stream.events())) == ["chunk", "status", "done"]
            stream.close()

    def test_on_every_worker_each_of_many_clients_is_told_everything_in_order(
        self, live_server: StartServer
    ) -> None:
        server = live_server(workers=2)
        reporter = Reporter(server.port)
        streams = [reporter.stream() for _ in range(40)]
        texts = [f"line {number}\n" for number in range(200)]

        def write() -> None:
            for text in texts:
                requests.post(
                    f"{reporter.url}/{reporter.id}/output", json={"content": text}, timeout=20
                ).raise_for_status()
            reporter.complete()

        writer = threading.Thread(target=write)
        writer.start()
        told = [list(stream.events()) for stream in streams]
        writer.join()
        for events in told:
            assert events == told[0]
        assert [event.data["content"] for event in told[0][:-2]] == texts
        assert names_of(told[0][-2:]) == ["status", "done"]
        for stream in streams:
            stream.close()

    def test_disconnecting_at_random_a_client_gets_the_output_byte_for_byte(
        self, live_server: StartServer
    ) -> None:
        server = live_server(workers=2)
        reporter = Reporter(server.port)
        chance = random.Random(7)
        sizes = [1, 10, 100, 20_000]
        texts = [chance.choice("aé日😀\n") * chance.choice(sizes) for _ in range(150)]

        def write() -> None:
            for text in texts:
                reporter.write(text)
            reporter.complete()

        writer = threading.Thread(target=write)
        writer.start()
        seen: list[Event] = []
        connections = 0
        while not seen or seen[-1].name != "done":
            with Stream(server.port, reporter.id, seen[-1].id if seen else "") as stream:
                seen += islice(stream.events(), chance.randrange(1, 12))
            connections += 1
        writer.join()
        assert connections > 5
        assert text_of(seen) == "".join(texts)
        assert "gap" not in names_of(seen)

    def test_a_slow_client_costs_no_memory_and_gets_everything(
        self, live_server: StartServer
    ) -> None:
        server = live_server()
        reporter = Reporter(server.port)
        line = "x" * 99 + "\n"
        with reporter.stream() as stream:
            reporter.write(line)
            before = _memory(server.worker_pids())
            for _ in range(40):
                reporter.write(line * 10_000)
            assert _memory(server.worker_pids()) - before < 24 * 1024
            reporter.complete()
            events = list(stream.events())
        assert len(text_of(events)) == 100 + 40 * 1_000_000


def _status(reporter: Reporter) -> int:
    with reporter.stream() as stream:
        return stream.status


def _memory(pids: list[int]) -> int:
    """The resident memory of processes, in KiB."""

    def of(pid: int) -> int:
        status: dict[str, Any] = dict(
            line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        )
        return int(status["VmRSS"].split()[0])

    return sum(of(pid) for pid in pids)
