"""The queue on disk: what waited when a program ended is sent when it starts again."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pipeline_host.client import Drop, ExtensionClient
from pipeline_host.client import spool_file as files
from pipeline_host.testing.waiting import wait_until

from .scripted import ScriptedServer

Make = Callable[..., ExtensionClient]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def drops() -> list[Drop]:
    return []


@pytest.fixture
def make(server: ScriptedServer, folder: Path, drops: list[Drop]) -> Iterator[Make]:
    """Makes clients that keep their queue in one folder; ends them."""
    with ExitStack() as ending:

        def make(**options: Any) -> ExtensionClient:
            options = {"timeout": (5, 20), "on_drop": drops.append, "spool": folder, **options}
            client = ExtensionClient(options.pop("url", server.url), **options)
            ending.callback(client.close, 0)
            return client

        yield make


def crash(client: ExtensionClient) -> None:
    """Leave things as a kill would: nothing more is sent, written or given back."""
    desk, office = client._engine.desk, client._engine.office
    with desk.changed:
        # Unlike a kill, this would leave a thread that writes to a file that was closed.
        assert desk.changed.wait_for(lambda: not office._tidier.running, 30)
        desk.spool.abandon()
        office._closed = True
        desk.changed.notify_all()


def spool_files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.spool"))


def report(client: ExtensionClient, name: str, *parts: str) -> None:
    client.submit({"id": name, "promptPreview": "p", "startTime": "2026-11-22T07:00:00.000Z"})
    for part in parts:
        client.output(name, part, "stdout")
        client.update(name, {"metadata": {part: 1}})


@pytest.mark.parametrize("end", [crash, lambda client: client.close(0)], ids=["killed", "closed"])
def test_what_waited_is_sent_by_the_next_client(
    server: ScriptedServer, make: Make, end: Callable[[ExtensionClient], object], folder: Path
) -> None:
    first = make(offline=True)
    report(first, "a", "one ", "two")
    first.complete("a", result="r")
    end(first)
    assert len(spool_files(folder)) == 1
    second = make()
    assert second.flush(10)
    stored = server.processes["a"]
    assert stored.output == b"one two"
    assert (stored.process["status"], stored.process["result"]) == ("completed", "r")
    second.close()
    assert spool_files(folder) == []


def test_what_was_left_is_sent_before_what_is_told_now(server: ScriptedServer, make: Make) -> None:
    report(first := make(offline=True), "a", "one ")
    crash(first)
    second = make(offline=True)
    second.output("a", "two ")
    crash(second)
    third = make()
    third.output("a", "three")
    assert third.flush(10)
    assert server.output("a") == b"one two three"


@pytest.mark.parametrize("kind", ["drop", "hang", "answer"])
def test_output_that_may_have_arrived_is_not_doubled_and_not_lost(
    server: ScriptedServer, make: Make, drops: list[Drop], kind: str
) -> None:
    first = make()
    report(first, "a", "one ")
    assert first.flush(10)
    server.fault(kind, times=100, status=503, only="/output")
    first.output("a", "two ")
    wait_until(lambda: len(server.requests("/output")) > 1)
    first.output("a", "three ")
    crash(first)
    server.faults.clear()
    second = make()
    second.output("a", "four")
    assert second.flush(10)
    assert server.output("a") == b"one two three four"
    assert not drops


def test_output_that_may_have_arrived_is_not_dropped_for_want_of_room(
    server: ScriptedServer, make: Make, drops: list[Drop]
) -> None:
    first = make()
    report(first, "a", "one ")
    assert first.flush(10)
    server.fault("hang", only="/output")
    first.output("a", "two ")
    wait_until(lambda: len(server.requests("/output")) > 1)
    first.update("a", {"result": "dropped"})
    first.output("a", "three")
    crash(first)
    second = make(max_queue=2)
    assert second.flush(10)
    assert server.output("a") == b"one two three"
    assert [drop.item.kind for drop in drops if drop.item] == ["update"]


def test_a_creation_that_may_have_arrived_is_removed(server: ScriptedServer, make: Make) -> None:
    server.fault("hang", only="POST")
    first = make()
    name = first.submit({"promptPreview": "p"})
    wait_until(lambda: server.processes)
    crash(first)
    second = make(offline=True)
    second.remove(name)
    second.offline = False
    assert second.flush(10)
    assert not server.processes


def test_several_clients_of_one_folder_do_not_mix(
    server: ScriptedServer, make: Make, folder: Path
) -> None:
    clients = [make(offline=True) for _ in range(3)]
    for number, client in enumerate(clients):
        report(client, f"p{number}", "x")
    assert len(spool_files(folder)) == 3
    crash(clients[0])
    later = make()
    assert later.flush(10)
    assert list(server.processes) == ["p0"]
    clients[1].offline = False
    assert clients[1].flush(10)
    assert list(server.processes) == ["p0", "p1"]


def test_what_waits_for_another_server_is_left_alone(
    server: ScriptedServer, make: Make, folder: Path
) -> None:
    report(other := make(url="http://127.0.0.1:9"), "a", "x")
    crash(other)
    client = make()
    assert client.flush(10)
    client.close()
    assert not server.processes
    assert len(spool_files(folder)) == 1


def test_the_folder_is_for_its_owner_alone(make: Make, folder: Path) -> None:
    report(make(offline=True), "a", "secret")
    assert folder.stat().st_mode & 0o077 == 0
    assert spool_files(folder)[0].stat().st_mode & 0o077 == 0


def test_what_was_settled_takes_no_room(
    server: ScriptedServer, make: Make, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "WORTHWHILE", 20_000)
    client = make()
    server.fault("answer", times=1000, status=500, only="processes/stuck")
    report(client, "stuck", "kept")
    for number in range(30):
        report(client, f"p{number}", "x" * 3000)
        wait_until(lambda: client.pending == 2)
    wait_until(lambda: size(folder) < 30_000)
    crash(client)
    server.faults.clear()
    assert make().flush(10)
    assert server.output("stuck") == b"kept"


def test_what_was_overwritten_takes_no_room_offline_either(
    server: ScriptedServer, make: Make, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "WORTHWHILE", 10_000)
    first = make(offline=True)
    report(first, "a", "one ")
    for number in range(1000):
        first.update("a", {"result": f"{number}" + "x" * 1000})
    wait_until(lambda: size(folder) < 20_000)
    crash(first)
    second = make(offline=True)
    for number in range(1000):
        second.update("a", {"result": f"{number}" + "y" * 1000})
    wait_until(lambda: size(folder) < 20_000)
    second.offline = False
    assert second.flush(10)
    assert server.processes["a"].process["result"] == "999" + "y" * 1000
    assert server.output("a") == b"one "


def test_a_disk_that_is_slow_to_tidy_holds_up_neither_what_is_told_nor_heartbeats(
    server: ScriptedServer, make: Make, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "WORTHWHILE", 10_000)
    begun, released = threading.Event(), threading.Event()
    fsync = os.fsync

    def slow(descriptor: int) -> None:
        begun.set()
        released.wait(60)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    client = make(offline=True)
    client.submit({"id": "a", "promptPreview": "p", "leaseSeconds": 0.3})
    for number in range(100):
        client.update("a", {"result": f"{number}" + "x" * 1000})
    assert begun.wait(30)
    client.offline = False
    assert client.flush(30)
    wait_until(lambda: len(server.requests("/heartbeat")) >= 3)
    client.output("a", "told meanwhile")
    assert client.flush(30)
    assert server.processes["a"].process["result"] == "99" + "x" * 1000
    assert server.output("a") == b"told meanwhile"
    client.offline = True
    client.update("a", {"error": "waits"})
    released.set()
    wait_until(lambda: size(folder) < 10_000)
    crash(client)
    assert make().flush(30)
    assert server.processes["a"].process["error"] == "waits"


def test_a_file_that_cannot_be_written_anew_is_kept_and_not_tried_on_and_on(
    server: ScriptedServer, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "WORTHWHILE", 1000)
    tried: list[object] = []

    def fail(*args: object) -> None:
        tried.append(args)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files, "Rewrite", fail)
    client = make(offline=True)
    report(client, "a", "one ")
    for number in range(100):
        client.update("a", {"result": f"{number}" + "x" * 1000})
    wait_until(lambda: tried)
    client.offline = False
    assert client.flush(10)
    assert server.processes["a"].process["result"] == "99" + "x" * 1000
    assert len(tried) < 10


def test_a_new_file_that_was_never_finished_is_deleted(make: Make, folder: Path) -> None:
    folder.mkdir()
    (folder / "1.new").write_bytes(b"half")
    with (folder / "2.new").open("wb") as being_written:
        fcntl.flock(being_written, fcntl.LOCK_EX)
        make()
        assert [path.name for path in folder.glob("*.new")] == ["2.new"]


def test_what_is_over_the_limit_is_dropped_from_disk_too(
    server: ScriptedServer, make: Make, drops: list[Drop]
) -> None:
    first = make(offline=True, max_queue=2)
    for number in range(5):
        first.submit({"id": f"p{number}", "promptPreview": "p"})
    crash(first)
    assert make().flush(10)
    assert list(server.processes) == ["p3", "p4"]


def test_a_folder_that_cannot_be_used_is_no_obstacle(
    server: ScriptedServer, make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    client = make(spool=tmp_path / "file" / "spool")
    report(client, "a", "x")
    assert client.flush(10)
    assert server.output("a") == b"x"
    assert "can't be used: nothing is kept on disk" in caplog.text


def test_a_full_disk_is_no_obstacle(
    server: ScriptedServer, make: Make, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    client = make(offline=True)
    report(client, "a", "one ")
    with monkeypatch.context() as full:

        def pwrite(descriptor: int, data: bytes, place: int) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        full.setattr(os, "pwrite", pwrite)
        client.output("a", "two ")
    client.update("a", {"result": "r"})
    report(client, "b", "kept")
    client.offline = False
    assert client.flush(10)
    assert server.output("a") == b"one two "
    assert server.output("b") == b"kept"
    client.close()
    assert spool_files(folder) == []


def test_a_damaged_file_is_set_aside_and_what_can_be_read_is_sent(
    server: ScriptedServer, make: Make, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = make(offline=True)
    report(first, "a", "one ")
    end = spool_files(folder)[0].stat().st_size
    report(first, "b", "two ")
    crash(first)
    (path,) = spool_files(folder)
    data = bytearray(path.read_bytes())
    data[end + 20] ^= 1
    path.write_bytes(data)
    second = make()
    assert second.flush(10)
    second.close()
    assert list(server.processes) == ["a"]
    (left,) = spool_files(folder)
    assert left.suffix == ".damaged"
    assert left.read_bytes() == bytes(data)
    assert "damaged" in caplog.text


@pytest.mark.parametrize("zeros", [8, 4096])
def test_zeros_that_a_power_cut_left_take_nothing_that_was_there_before(
    make: Make, server: ScriptedServer, folder: Path, zeros: int
) -> None:
    first = make(offline=True)
    report(first, "a", "one ")
    crash(first)
    (path,) = spool_files(folder)
    with path.open("ab") as out:
        out.write(bytes(zeros))
    second = make()
    assert second.flush(10)
    second.close()
    assert server.output("a") == b"one "
    (left,) = spool_files(folder)
    assert left.suffix == ".damaged"


@pytest.mark.parametrize("content", [b"", bytes(4096), b"\0\0\0\2\0", b"what is this?"])
def test_a_file_of_which_nothing_can_be_read_is_set_aside(
    make: Make,
    server: ScriptedServer,
    folder: Path,
    content: bytes,
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder.mkdir()
    (folder / "0.spool").write_bytes(content)
    client = make()
    report(client, "a", "one ")
    assert client.flush(10)
    client.close()
    assert server.output("a") == b"one "
    (left,) = spool_files(folder)
    assert (left.name, left.read_bytes()) == ("0.damaged", content)
    assert "nothing of it could be read" in caplog.text


REPORTING = """
import sys
from pipeline_host.client import ExtensionClient
url, folder, name = sys.argv[1:]
client = ExtensionClient(url, spool=folder, max_queue=1_000_000)
client.submit({"id": name, "promptPreview": "p", "startTime": "2026-11-22T07:00:00.000Z"})
for number in range(100_000):
    client.output(name, f"{number}\\n")
    if number % 10 == 9:
        client.update(name, {"metadata": {"told": number}})
    print(number, flush=True)
"""


@pytest.mark.parametrize("reachable", [True, False])
def test_no_kill_takes_what_a_call_has_returned_from(
    server: ScriptedServer, make: Make, folder: Path, drops: list[Drop], reachable: bool
) -> None:
    told: dict[str, int] = {}
    if not reachable:
        server.stop()
    for number in range(3):
        name = f"p{number}"
        command = [sys.executable, "-c", REPORTING, server.url, str(folder), name]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for _ in range(30 + 111 * number):
                told[name] = int(child.stdout.readline())
            child.kill()
    if not reachable:
        server.start()
    assert make(max_queue=1_000_000).flush(60)
    assert drops == []
    for name, last in told.items():
        numbers = [int(line) for line in server.output(name).split()]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) > last
        said = server.processes[name].process["metadata"]["told"]
        assert last - 10 < said < len(numbers)
