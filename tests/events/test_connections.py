"""The life of a connection to ``/api/events``."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from itertools import islice
from pathlib import Path
from typing import Final

import pytest

from pipeline_host.testing.pytest_plugin import StartServer
from pipeline_host.testing.server import LiveServer
from pipeline_host.testing.waiting import wait_until

from .conftest import Client
from .reading import Event, Events, subject_of

PORT: Final = re.compile(r"Listening at: http://127\.0\.0\.1:(\d+)")


def half_close(events: Events) -> None:
    events.socket.shutdown(socket.SHUT_WR)


WAYS: dict[str, Callable[[Events], None]] = {
    "closed": Events.close,
    "half-closed": half_close,
    "reset": Events.reset,
}


def sockets(server: LiveServer) -> int:
    """How many sockets the workers hold."""
    count = 0
    for pid in server.worker_pids():
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                count += descriptor.readlink().name.startswith("socket:")
    return count


class TestEnding:
    @pytest.mark.parametrize("way", WAYS)
    def test_of_a_client_that_went_away_nothing_stays(
        self, live_server: StartServer, way: str
    ) -> None:
        server = live_server("--heartbeat", "3600")
        client = Client(server.port)
        with client.events() as staying, ExitStack() as closing:
            next(staying)
            before = sockets(server)
            streams = [closing.enter_context(client.events()) for _ in range(10)]
            for events in streams:
                next(events)
            assert sockets(server) == before + 10
            for events in streams:
                WAYS[way](events)
            wait_until(lambda: sockets(server) == before)
            client.add("p")
            assert subject_of(next(staying)) == "added p"

    def test_stopping_the_server_ends_streams_at_once_and_a_restart_takes_them_up(
        self, live_server: StartServer
    ) -> None:
        server = live_server("--heartbeat", "3600", "--graceful-timeout", "30", workers=2)
        client = Client(server.port)
        with client.events() as events:
            next(events)
            client.add("before")
            first = next(events)
            client.add("meanwhile")
            second = next(events)
            began = time.monotonic()
            assert server.stop(timeout=20) == 0
            assert list(events.all()) == []
            assert time.monotonic() - began < 10
        server.start()
        client.patch("before", status="completed")
        with client.events(first.id) as events:
            assert next(events) == second
            assert subject_of(next(events)) == "updated before completed"

    def test_after_a_kill_nothing_is_missed(self, live_server: StartServer) -> None:
        server = live_server()
        client = Client(server.port)
        with client.events() as events:
            welcome = next(events)
            client.add("before")
            server.kill()
        server.start()
        client.add("after")
        with client.events(welcome.id) as events:
            assert [subject_of(event) for event in events.take(2)] == [
                "added before",
                "added after",
            ]

    def test_clients_of_a_worker_that_is_killed_go_on_with_another(
        self, live_server: StartServer
    ) -> None:
        server = live_server(workers=2)
        client = Client(server.port)
        with ExitStack() as closing:
            streams = [closing.enter_context(client.events()) for _ in range(12)]
            seen = [[next(events)] for events in streams]
            client.add("before")
            for events, told in zip(streams, seen, strict=True):
                told.append(next(events))
            os.kill(server.worker_pids()[0], signal.SIGKILL)
            wait_until(lambda: len(server.worker_pids()) == 2, timeout=10)
            client.add("after")
            for events, told in zip(streams, seen, strict=True):
                told += events.take_if_open()
                if len(told) < 3:
                    resumed = closing.enter_context(client.events(told[-1].id))
                    told.append(next(resumed))
        for told in seen:
            subjects = [subject_of(event) for event in told]
            assert subjects == ["welcome", "added before", "added after"]

    def test_with_another_data_directory_clients_are_told_to_resync(
        self, live_server: StartServer, tmp_path: Path
    ) -> None:
        with Client(live_server().port).events() as events:
            welcome = next(events)
        other = live_server(data_dir=tmp_path / "other")
        with Client(other.port).events(welcome.id) as events:
            assert next(events).name == "resync"

    def test_a_client_that_does_not_read_costs_others_nothing(
        self, live_server: StartServer
    ) -> None:
        client = Client(live_server().port)
        with client.events() as idle, client.events() as events:
            next(events)
            for number in range(12):
                client.add(f"p{number}", promptPreview="x" * 1_000_000)
            expected = [f"added p{number}" for number in range(12)]
            assert [subject_of(event) for event in events.take(12)] == expected
            assert [subject_of(event) for event in idle.take(13)][1:] == expected

    def test_a_client_that_falls_too_far_behind_is_told_to_resync_and_goes_on(
        self, live_server: StartServer
    ) -> None:
        client = Client(live_server().port)
        with client.events() as events:
            next(events)
            for number in range(40):
                client.add(f"p{number}", promptPreview="x" * 1_000_000)
            told = [next(events)]
            while told[-1].name != "resync":
                told.append(next(events))
            assert len(told) < 40
            assert [subject_of(event) for event in told[:-1]] == [
                f"added p{number}" for number in range(len(told) - 1)
            ]
            client.add("last")
            while (subject := subject_of(next(events))) != "added last":
                assert subject.startswith("added p")

    def test_more_than_the_server_takes_are_refused_and_the_others_go_on(
        self, live_server: StartServer
    ) -> None:
        client = Client(live_server("--max-streams", "2").port)
        with client.events() as one, client.events() as other:
            with client.events() as refused:
                assert refused.status == 503
                assert b"error" in refused.read()
            for events in (one, other):
                assert next(events).name == "welcome"
            client.add("p")
            for events in (one, other):
                assert subject_of(next(events)) == "added p"

        def is_taken() -> bool:
            with client.events() as events:
                return events.status == 200

        wait_until(is_taken)

    def test_head_is_answered_without_a_stream(self, live_server: StartServer) -> None:
        port = live_server().port
        with Events(port, method="HEAD") as events:
            assert events.status == 200
            assert events.headers["content-type"] == "text/event-stream"
            assert events.read() == b""


WORKERS: Final = {
    "pipeline_host": "pipeline_host.worker.Worker",
    "gevent": "gevent",
    "gthread": "gthread",
}


@pytest.fixture(scope="module", params=WORKERS)
def port(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The application under gunicorn with some worker, telling heartbeats often."""
    folder = tmp_path_factory.mktemp("events")
    command = [sys.executable, "-m", "gunicorn", "-k", WORKERS[request.param], "--threads", "8"]
    command += ["-b", "127.0.0.1:0", "--graceful-timeout", "2", "--no-control-socket"]
    settings = {
        "PIPELINE_HOST_DATA_DIR": str(folder / "data"),
        "PIPELINE_HOST_HEARTBEAT": "0.1",
    }
    log = folder / "server.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*command, "pipeline_host.wsgi:app"], stderr=file, env=os.environ | settings
        )
    try:
        found = wait_until(lambda: PORT.search(log.read_text()), timeout=30, message=log.read_text)
        assert found
        yield int(found[1])
    finally:
        process.terminate()
        try:
            process.wait(10)
        finally:
            process.kill()


class TestUnderAnyServer:
    def test_changes_are_told_and_taken_up_again(self, port: int) -> None:
        client = Client(port)
        with client.events() as events:
            welcome = next(events)
            client.add("p")
            added = next(events)
            client.remove("p")
            removed = next(events)
        with client.events(welcome.id) as events:
            assert events.take(2) == [added, removed]
        with client.events("nonsense") as events:
            assert next(events) == Event(removed.id, "resync", {})

    def test_silence_is_broken_by_heartbeats_though_others_are_told_much(self, port: int) -> None:
        client = Client(port)
        with client.events(workspace="quiet") as events:
            told = events.all()
            assert next(told).name == "welcome"
            began = time.monotonic()
            while time.monotonic() - began < 0.3:
                client.add("noise", workspace="loud")
                client.remove("noise")
            for event in islice(told, 3):
                assert event == Event("", "heartbeat", {})
