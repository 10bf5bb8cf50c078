"""``pipeline-host tail``."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from itertools import count

import pytest

from pipeline_host.cli.tail import FIRST_LOOK, _extent, _follow
from pipeline_host.client import ApiClient, Event, new_id
from pipeline_host.testing import LiveServer
from pipeline_host.testing.waiting import wait_until

from .running import START, run, start

_names = count(1)
TEXT = "one\ntwo €\r\nthree\n\x1b[31m日本"


@pytest.fixture
def name(api: ApiClient) -> str:
    """A running process that has written :data:`TEXT`, one of the lines to stderr."""
    process_id = f"tailed-{next(_names)}"
    create(api, process_id)
    first, second, *rest = TEXT.splitlines(keepends=True)
    chunks = [("stdout", first), ("stderr", second), ("stdout", "".join(rest))]
    for stream, content in chunks:
        api.append_output(process_id, [{"content": content, "stream": stream}])
    return process_id


def create(api: ApiClient, process_id: str) -> None:
    api.create({"id": process_id, "promptPreview": "p", "status": "running", "startTime": START})


def tail(api: ApiClient, *args: str) -> bytes:
    done = run("tail", "--server", api.server_url, *args)
    assert done.returncode == 0, done.stderr
    out: bytes = done.stdout
    return out


def test_it_prints_what_there_is_byte_for_byte(api: ApiClient, name: str) -> None:
    assert tail(api, name) == TEXT.encode()


def test_no_output_is_nothing(api: ApiClient) -> None:
    create(api, "silent")
    for option in ((), ("-n", "3"), ("--split",), ("--json",)):
        assert tail(api, *option, "silent") == b""


LINES = TEXT.encode().splitlines(keepends=True)


@pytest.mark.parametrize("lines", [0, 1, 2, 4, 9])
def test_it_begins_with_the_last_lines(api: ApiClient, name: str, lines: int) -> None:
    assert tail(api, "-n", str(lines), name) == b"".join(LINES[max(4 - lines, 0) :])


def test_the_last_lines_are_split_too(api: ApiClient, name: str) -> None:
    done = run("tail", "--server", api.server_url, "--split", "-n", "3", name)
    assert (done.stderr, done.stdout) == (LINES[1], LINES[2] + LINES[3])


def test_lines_longer_than_the_first_look_are_found(api: ApiClient) -> None:
    create(api, "long")
    last = "日" * FIRST_LOOK
    api.append_output("long", [{"content": f"first\nsecond\n{last}\n"}])
    assert tail(api, "-n", "1", "long") == f"{last}\n".encode()
    assert tail(api, "-n", "2", "long") == f"second\n{last}\n".encode()


def test_what_came_from_stderr_can_be_split_off(api: ApiClient, name: str) -> None:
    done = run("tail", "--server", api.server_url, "--split", name)
    assert done.stderr == "two €\r\n".encode()
    assert done.stdout == TEXT.replace("two €\r\n", "").encode()


def test_following_goes_on_until_the_end(api: ApiClient, name: str) -> None:
    with start("tail", "--server", api.server_url, "-f", "-n", "1", name) as popen:
        assert popen.stdout is not None
        seen = popen.stdout.read(3)
        api.append_output(name, [{"content": " and more"}])
        api.patch(name, {"status": "completed"})
        rest, _ = popen.communicate(timeout=30)
    assert seen + rest == "\x1b[31m日本 and more".encode()
    assert popen.returncode == 0


class Events:
    """Keeps the events that it is to print."""

    def __init__(self) -> None:
        self.told: list[tuple[str, bytes]] = []

    def event(self, event: Event, content: bytes) -> None:
        self.told.append((event.type, content))


def test_what_is_not_printed_is_not_read_either(api: ApiClient) -> None:
    create(api, "much")
    for number in range(100):
        api.append_output("much", [{"content": f"line {number}\n" * 100}])
    api.patch("much", {"status": "completed"})
    start, _ = _extent(api, "much", 150)
    events = Events()
    _follow(api, "much", start, None, events)
    assert [kind for kind, _ in events.told] == ["chunk", "chunk", "status", "done"]
    assert b"".join(content for _, content in events.told) == b"line 98\n" * 50 + b"line 99\n" * 100
    assert tail(api, "-f", "-n", "150", "much") == b"".join(content for _, content in events.told)


def test_following_survives_a_restart_of_the_server(
    live_server: Callable[..., LiveServer],
) -> None:
    server = live_server()
    with ApiClient(server.url) as api:
        create(api, "a")
        api.append_output("a", [{"content": "before "}])
        with start("tail", "--server", server.url, "-f", "a") as popen:
            assert popen.stdout is not None
            seen = popen.stdout.read(7)
            server.kill()
            server.start()
            api.append_output("a", [{"content": "after"}])
            api.patch("a", {"status": "completed"})
            rest, _ = popen.communicate(timeout=30)
    assert seen + rest == b"before after"


def test_events_can_be_had_as_json(api: ApiClient, name: str) -> None:
    api.patch(name, {"status": "failed", "exitCode": 3})
    events = [json.loads(line) for line in tail(api, "--json", "-f", name).splitlines()]
    assert [event["event"] for event in events] == ["chunk", "chunk", "chunk", "status", "done"]
    assert events[1] == {"event": "chunk", "content": "two €\r\n", "stream": "stderr"}
    assert (events[3]["status"], events[3]["exitCode"]) == ("failed", 3)
    assert events[4]["processId"] == name
    assert [
        json.loads(line)["content"] for line in tail(api, "--json", "-n", "1", name).splitlines()
    ] == ["\x1b[31m日本"]


def test_the_beginning_or_the_end_of_an_id_is_enough_where_it_is_the_only_one(
    api: ApiClient,
) -> None:
    twins = [f"twin-{letter}-{new_id()}" for letter in "ab"]
    for process_id in twins:
        create(api, process_id)
        api.append_output(process_id, [{"content": process_id}])
    assert tail(api, "twin-a") == twins[0].encode()
    assert tail(api, twins[1][-12:]) == twins[1].encode()
    done = run("tail", "--server", api.server_url, "twin")
    assert done.returncode == 1
    assert done.stderr.startswith(b"Error: twin may be any of 2: twin-")
    for unknown in ("twi", "no-such-id", "\x1b[31m-no-such-id"):
        done = run("tail", "--server", api.server_url, "--", unknown)
        assert done.returncode == 1
        assert b"\x1b" not in done.stderr


def test_an_unknown_id_is_a_sentence(api: ApiClient) -> None:
    done = run("tail", "--server", api.server_url, "nobody-has-it")
    assert (done.returncode, done.stderr) == (1, b"Error: nobody-has-it: Process not found\n")


def test_an_id_may_be_anything(api: ApiClient) -> None:
    for process_id in ("..", "a/b", "50%", "日本", "-f", "a b?c#d"):
        create(api, process_id)
        api.append_output(process_id, [{"content": process_id}])
        assert tail(api, "--", process_id) == process_id.encode()


def test_ctrl_c_ends_it(api: ApiClient, name: str) -> None:
    with start("tail", "--server", api.server_url, "-f", name) as popen:
        assert popen.stdout is not None
        popen.stdout.read(3)
        popen.send_signal(signal.SIGINT)
        _, err = popen.communicate(timeout=30)
    assert popen.returncode == 130
    assert err == b""


def test_a_reader_that_leaves_ends_it(api: ApiClient, name: str) -> None:
    with start("tail", "--server", api.server_url, "-f", name) as popen:
        assert popen.stdout is not None
        popen.stdout.read(3)
        popen.stdout.close()

        def ended() -> bool:
            api.append_output(name, [{"content": "more"}])
            return popen.poll() is not None

        wait_until(ended)
        assert popen.returncode == 141
        assert popen.stderr is not None
        assert popen.stderr.read() == b""
