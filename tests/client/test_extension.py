"""What an extension reports arrives, in order and once, whatever the server does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from pipeline_host.client import ApiError, Drop, ExtensionClient
from pipeline_host.client.batch import MAX_BATCH, MAX_PIECE
from pipeline_host.client.items import Cancel, Create, Output, Update
from pipeline_host.client.untold import MOST
from pipeline_host.testing.waiting import wait_until

from .scripted import ScriptedServer


class Told:
    """What a client told its owner."""

    def __init__(self) -> None:
        self.drops: list[Drop] = []
        self.connections: list[bool] = []
        self.ends: list[tuple[str, str]] = []

    @property
    def options(self) -> dict[str, Any]:
        return {
            "on_drop": self.drops.append,
            "on_connection_change": self.connections.append,
            "on_terminal": lambda process_id, status: self.ends.append((process_id, status)),
        }

    @property
    def reasons(self) -> list[str]:
        return [drop.reason for drop in self.drops]


@pytest.fixture
def told() -> Told:
    return Told()


Make = Callable[..., ExtensionClient]


@pytest.fixture
def make(server: ScriptedServer, told: Told) -> Iterator[Make]:
    """Makes clients of the scripted server; ends them."""
    with ExitStack() as ending:

        def make(**options: Any) -> ExtensionClient:
            options = {"timeout": (5, 20), **told.options, **options}
            client = ExtensionClient(server.url, **options)
            ending.callback(client.close, 0)
            return client

        yield make


@pytest.fixture
def client(make: Make) -> ExtensionClient:
    return make()


def submit(client: ExtensionClient, name: str, **fields: Any) -> str:
    return client.submit({"id": name, "promptPreview": "p", **fields})


def status(server: ScriptedServer, name: str) -> Any:
    return server.processes[name].process["status"]


def lines(server: ScriptedServer) -> list[str]:
    """The requests that arrived, but for questions about its health."""
    seen = [f"{each.method} {each.target}" for each in server.seen]
    return [line for line in seen if line != "GET /api/health"]


def test_what_is_told_arrives_in_order(server: ScriptedServer, client: ExtensionClient) -> None:
    client.register_workspace({"id": "w", "name": "w", "rootPath": "/w"})
    submit(client, "a")
    client.output("a", "hello ", "stdout")
    client.output("a", "world", "stderr")
    client.update("a", {"metadata": {"step": 2}})
    client.complete("a", result="fine", exitCode=0)
    assert client.flush(10)
    assert list(server.workspaces) == ["w"]
    stored = server.processes["a"]
    assert stored.output == b"hello world"
    assert [chunk["stream"] for chunk in stored.chunks] == ["stdout", "stderr"]
    process = stored.process
    assert (process["status"], process["result"], process["exitCode"]) == ("completed", "fine", 0)
    assert (process["metadata"], "endTime" in process) == ({"step": 2}, True)


def test_an_id_a_status_and_a_time_are_filled_in(
    server: ScriptedServer, client: ExtensionClient
) -> None:
    name = client.submit({"promptPreview": "p"})
    assert client.flush(10)
    process = server.processes[name].process
    assert process["status"] == "running"
    assert process["startTime"].endswith("Z")


def test_a_token_and_the_workspace_go_with_every_request(
    server: ScriptedServer, make: Make
) -> None:
    client = make(token="secret", workspace={"id": "w1", "name": "mine", "rootPath": "/w"})
    client.register_workspace()
    submit(client, "a")
    submit(client, "b", metadata={"workspaceId": "other"})
    assert client.flush(10)
    assert {seen.headers["Authorization"] for seen in server.seen} == {"Bearer secret"}
    assert {seen.headers["X-Workspace-Id"] for seen in server.seen} == {"w1"}
    mine, other = (server.processes[name].process for name in "ab")
    assert (mine["workspaceId"], mine["metadata"]) == ("w1", {"workspaceName": "mine"})
    assert ("workspaceId" in other, other["metadata"]) == (False, {"workspaceId": "other"})


def test_a_workspace_whose_id_no_header_can_hold_is_told_in_the_body_alone(
    server: ScriptedServer, make: Make
) -> None:
    client = make(workspace={"id": "日本", "name": "x", "rootPath": "/w"})
    submit(client, "a")
    assert client.flush(10)
    assert "X-Workspace-Id" not in server.seen[0].headers
    assert server.processes["a"].process["workspaceId"] == "日本"


def test_a_token_that_cannot_be_sent_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="token"):
        ExtensionClient(token="two\nlines")


def test_a_workspace_is_known_by_its_folder(
    server: ScriptedServer, make: Make, tmp_path: Any
) -> None:
    client = make(workspace=tmp_path)
    client.register_workspace()
    assert client.flush(10)
    (workspace,) = server.workspaces.values()
    assert workspace["rootPath"] == str(tmp_path)
    assert workspace["color"].startswith("#")


@pytest.mark.parametrize("name", ["a/b", "..", "50%", "日本", "a b", "."])
def test_any_id_can_be_told(server: ScriptedServer, client: ExtensionClient, name: str) -> None:
    submit(client, name)
    client.output(name, "x")
    client.complete(name)
    assert client.flush(10)
    assert server.output(name) == b"x"
    client.remove(name)
    assert client.flush(10)
    assert not server.processes


def test_only_what_changed_is_sent(server: ScriptedServer, client: ExtensionClient) -> None:
    whole = {"id": "a", "promptPreview": "p", "status": "queued", "startTime": "t", "metadata": {}}
    client.submit(whole)
    for step in ({}, {"status": "running"}, {"metadata": {"n": 1}}, {}):
        whole = whole | step
        client.update("a", whole)
        assert client.flush(10)
    assert [seen.body for seen in server.seen if seen.method == "PATCH"] == [
        {"status": "running"},
        {"metadata": {"n": 1}},
    ]


def test_what_was_refused_counts_as_not_told(
    server: ScriptedServer, client: ExtensionClient, told: Told
) -> None:
    submit(client, "a")
    server.fault("answer", status=400, only="PATCH")
    client.update("a", {"result": "r"})
    wait_until(lambda: told.drops)
    client.update("a", {"result": "r"})
    assert client.flush(10)
    assert server.processes["a"].process["result"] == "r"


def test_a_thousand_updates_and_writes_offline_take_few_requests(
    server: ScriptedServer, make: Make, told: Told
) -> None:
    client = make(offline=True)
    names = ["a", "b", "c"]
    for name in names:
        submit(client, name)
    for number in range(1000):
        client.update(names[number % 3], {"result": str(number), "metadata": {f"k{number}": 1}})
    for number in range(10_000):
        client.output("a", f"line {number}\n", "stdout")
    assert not client.flush(5)
    assert not server.seen
    client.offline = False
    assert client.flush(20)
    assert len(lines(server)) <= 20
    assert server.processes["c"].process["result"] == "998"
    assert sum(len(server.processes[name].process["metadata"]) for name in names) == 1000
    assert server.output("a") == b"".join(b"line %d\n" % number for number in range(10_000))
    assert max(len(chunk["content"]) for chunk in server.processes["a"].chunks) <= MAX_PIECE
    assert not told.drops


def test_a_flood_is_cut_into_requests_of_a_bounded_size(
    server: ScriptedServer, client: ExtensionClient
) -> None:
    content = "日" * MAX_BATCH
    submit(client, "a")
    client.output("a", content)
    assert client.flush(30)
    assert server.output("a") == content.encode()
    bodies = [seen.body["chunks"] for seen in server.requests("/output")]
    sizes = [sum(len(chunk["content"].encode()) for chunk in chunks) for chunks in bodies]
    assert max(sizes) <= MAX_BATCH


@pytest.mark.parametrize("kind", ["truncate", "drop", "hang"])
@pytest.mark.parametrize("where", ["POST /api/processes", "/output", "PATCH", "DELETE"])
def test_a_lost_answer_loses_and_doubles_nothing(
    server: ScriptedServer, make: Make, told: Told, kind: str, where: str
) -> None:
    client = make(timeout=(2, 0.5))
    submit(client, "b")
    client.remove("b")
    server.fault(kind, only=where)
    submit(client, "a")
    client.output("a", "one€")
    client.output("b", "nothing")
    client.output("a", "two")
    client.update("a", {"status": "failed"})
    assert client.flush(20)
    assert server.output("a") == "one€two".encode()
    assert status(server, "a") == "failed"
    assert list(server.processes) == ["a"]
    assert {drop.process_id for drop in told.drops} <= {"b"}


TROUBLES: dict[str, dict[str, Any]] = {
    "500": {"kind": "answer", "status": 500},
    "408": {"kind": "answer", "status": 408},
    "429": {"kind": "answer", "status": 429, "headers": {"Retry-After": "0.2"}},
    "503 in HTML": {"kind": "answer", "status": 503, "body": b"<html>"},
    "200 in HTML": {"kind": "answer", "status": 200, "body": b"<html>"},
    "a truncated answer": {"kind": "truncate"},
    "nothing at all": {"kind": "drop"},
}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES.keys())
def test_trouble_is_waited_out(
    server: ScriptedServer, client: ExtensionClient, told: Told, trouble: dict[str, Any]
) -> None:
    server.fault(**trouble, only="/output")
    submit(client, "a")
    client.output("a", "text")
    client.complete("a")
    assert client.flush(20)
    assert server.output("a") == b"text"
    assert status(server, "a") == "completed"
    assert not told.drops


def test_a_server_that_answers_one_trouble_after_the_other(
    server: ScriptedServer, client: ExtensionClient, told: Told
) -> None:
    for trouble in TROUBLES.values():
        server.fault(**trouble, only="/processes")
    server.fault("answer", status=400, only="PATCH")
    submit(client, "a")
    client.output("a", "text")
    client.update("a", {"result": "refused"})
    client.output("a", " and more")
    assert client.flush(60)
    assert not server.faults
    assert server.output("a") == b"text and more"
    assert [(drop.item, drop.reason) for drop in told.drops] == [
        (Update("a", {"result": "refused"}), "as told")
    ]
    assert isinstance(told.drops[0].error, ApiError)


def test_retry_after_is_obeyed(server: ScriptedServer, client: ExtensionClient) -> None:
    server.fault("answer", status=429, headers={"Retry-After": "1"}, only="POST")
    before = time.monotonic()
    submit(client, "a")
    assert client.flush(20)
    assert time.monotonic() - before >= 1


@pytest.mark.parametrize("refusal", [400, 401, 403, 404, 409, 413, 415, 422])
def test_a_poisoned_call_is_reported_and_the_others_go_on(
    server: ScriptedServer, client: ExtensionClient, told: Told, refusal: int
) -> None:
    server.fault("answer", status=refusal, only="POST /api/processes/a/cancel")
    submit(client, "a")
    client.cancel("a")
    submit(client, "b")
    assert client.flush(10)
    assert [(drop.item, drop.process_id, drop.reason) for drop in told.drops] == [
        (Cancel("a"), "a", "as told")
    ]
    assert client.dropped == 1
    assert set(server.processes) == {"a", "b"}


def test_a_request_that_the_server_always_fails_at_holds_up_only_its_own_process(
    server: ScriptedServer, client: ExtensionClient, told: Told
) -> None:
    server.fault("answer", times=1000, status=500, only="processes/a/output")
    submit(client, "a")
    client.output("a", "never")
    client.complete("a")
    for number in range(20):
        submit(client, f"b{number}")
        client.output(f"b{number}", "x")
        client.complete(f"b{number}")
    wait_until(lambda: client.pending == 2)
    assert all(status(server, f"b{number}") == "completed" for number in range(20))
    assert status(server, "a") == "running"
    server.faults.clear()
    assert client.flush(20)
    assert server.output("a") == b"never"
    assert told.connections == [True]


def test_of_501_with_500_allowed_the_oldest_is_dropped_and_reported(
    server: ScriptedServer, make: Make, told: Told
) -> None:
    client = make(offline=True)
    for number in range(501):
        submit(client, f"p{number}")
    client.offline = False
    assert client.flush(30)
    assert client.dropped == 1
    assert [(type(drop.item), drop.process_id) for drop in told.drops] == [(Create, "p0")]
    assert len(server.processes) == 500


def test_offline_nothing_is_asked_either(server: ScriptedServer, make: Make) -> None:
    client = make(offline=True)
    process = client.process("p").start()
    client.watch("a", lambda status, error: None)
    assert client._engine.watches.of(None)._thread is None
    assert not server.seen
    client.offline = False
    assert client.flush(10)
    server.set_status(process.id, "cancelled")
    assert process.cancelled.wait(20)
    client.offline = True
    assert client._engine.watches.of(None)._thread is None
    client.offline = False
    wait_until(lambda: client._engine.watches.of(None)._thread)


def test_what_is_on_its_way_is_never_the_one_dropped(
    server: ScriptedServer, make: Make, told: Told
) -> None:
    client = make(max_queue=3)
    server.fault("hang", only="POST /api/processes")
    submit(client, "first")
    wait_until(lambda: server.seen)
    for number in range(5):
        submit(client, f"p{number}")
    server.released.set()
    assert client.flush(20)
    assert list(server.processes) == ["first", "p3", "p4"]
    assert [drop.process_id for drop in told.drops] == ["p0", "p1", "p2"]


def test_an_hour_of_output_and_updates_in_turn_takes_few_requests(
    server: ScriptedServer, make: Make, told: Told
) -> None:
    client = make(offline=True)
    submit(client, "a")
    for number in range(3000):
        client.output("a", f"line {number}\n")
        client.update("a", {"metadata": {"n": number}})
    client.complete("a")
    client.offline = False
    assert client.flush(10)
    assert len(lines(server)) == 3
    assert server.output("a") == "".join(f"line {n}\n" for n in range(3000)).encode()
    assert server.processes["a"].process["metadata"] == {"n": 2999}
    assert status(server, "a") == "completed"
    assert not told.drops


def test_a_process_keeps_its_creation_for_as_long_as_anything_else_of_it_can_go(
    server: ScriptedServer, make: Make, told: Told
) -> None:
    client = make(offline=True, max_queue=3)
    submit(client, "a")
    client.output("a", "x")
    submit(client, "b")
    submit(client, "c")
    client.offline = False
    assert client.flush(10)
    assert [type(drop.item) for drop in told.drops] == [Output]
    assert list(server.processes) == ["a", "b", "c"]


def test_a_process_whose_creation_was_dropped_is_dropped_as_a_whole(
    server: ScriptedServer, make: Make, told: Told
) -> None:
    client = make(offline=True, max_queue=2)
    submit(client, "a")
    client.output("a", "x")
    submit(client, "b")
    submit(client, "c")
    client.update("a", {"result": "r"})
    client.complete("a")
    client.offline = False
    assert client.flush(10)
    assert {drop.process_id for drop in told.drops} == {"a"}
    assert client.dropped == 4
    assert list(server.processes) == ["b", "c"]
    assert lines(server) == ["POST /api/processes"] * 2


def test_a_removed_process_takes_what_waits_for_it_along(
    server: ScriptedServer, make: Make, told: Told
) -> None:
    submit(known := make(), "a")
    assert known.flush(10)
    client = make(offline=True)
    client.output("a", "x")
    client.complete("a")
    client.remove("a")
    fresh = client.submit({"promptPreview": "p"})
    client.output(fresh, "x")
    client.remove(fresh)
    client.offline = False
    assert client.flush(10)
    assert lines(server)[1:] == ["DELETE /api/processes/a"]
    assert not told.drops


def test_a_process_that_the_server_may_know_is_removed_there(
    server: ScriptedServer, make: Make
) -> None:
    submit(known := make(), "a")
    assert known.flush(10)
    client = make(offline=True)
    submit(client, "a")
    client.output("a", "x")
    client.remove("a")
    client.offline = False
    assert client.flush(10)
    assert lines(server)[1:] == ["DELETE /api/processes/a"]


def test_a_cancel_is_told_before_the_removal(server: ScriptedServer, make: Make) -> None:
    submit(known := make(), "a")
    assert known.flush(10)
    client = make(offline=True)
    client.cancel("a")
    client.remove("a")
    client.offline = False
    assert client.flush(10)
    assert lines(server)[1:] == ["POST /api/processes/a/cancel", "DELETE /api/processes/a"]


def test_removing_what_is_not_there_is_a_success(
    server: ScriptedServer, client: ExtensionClient, told: Told
) -> None:
    client.remove("nobody")
    assert client.flush(10)
    assert lines(server) == ["DELETE /api/processes/nobody"]
    assert not told.drops


def test_an_id_may_be_used_again_after_its_removal(
    server: ScriptedServer, client: ExtensionClient
) -> None:
    for content in ("first", "2nd"):
        submit(client, "a", fullPrompt=content)
        client.output("a", content)
        client.complete("a")
        assert client.flush(10)
        assert server.output("a") == content.encode()
        client.remove("a")
    assert client.flush(10)
    assert not server.processes


def test_a_process_that_is_submitted_again_goes_on(
    server: ScriptedServer, client: ExtensionClient, told: Told
) -> None:
    submit(client, "a")
    client.output("a", "one ")
    assert client.flush(10)
    submit(client, "a", fullPrompt="said otherwise")
    client.output("a", "two")
    client.update("a", {"result": "r"})
    client.complete("a")
    assert client.flush(10)
    stored = server.processes["a"]
    assert (stored.output, stored.process["result"]) == (b"one two", "r")
    assert status(server, "a") == "completed"
    assert [(type(drop.item), drop.reason) for drop in told.drops] == [(Create, "id: is known")]


def test_what_the_server_knows_already_is_reported_on(
    server: ScriptedServer, client: ExtensionClient, told: Told
) -> None:
    server.create({"id": "a", "promptPreview": "by an earlier start", "status": "running"})
    server.processes["a"].chunks.append({"content": "before, "})
    submit(client, "a")
    client.output("a", "after")
    assert client.wait_registered("a", 10)
    client.complete("a")
    assert client.flush(10)
    assert (server.output("a"), status(server, "a")) == (b"before, after", "completed")
    assert told.reasons == ["id: is known"]


def test_a_process_that_was_refused_can_be_one_that_is_there_later(
    server: ScriptedServer, client: ExtensionClient, told: Told
) -> None:
    server.fault("answer", status=400, only="POST")
    submit(client, "a")
    client.output("a", "lost")
    assert client.flush(10)
    assert told.reasons == ["as told"] * 2
    server.create({"id": "a", "promptPreview": "another", "status": "running"})
    submit(client, "a")
    client.output("a", "kept")
    assert client.flush(10)
    assert server.output("a") == b"kept"


def test_an_id_that_is_somebody_elses_gets_nothing_where_that_is_wanted(
    server: ScriptedServer, client: ExtensionClient, told: Told
) -> None:
    server.create({"id": "a", "promptPreview": "another", "status": "running"})
    client.submit({"id": "a", "promptPreview": "p"}, exclusive=True)
    client.output("a", "text")
    client.complete("a")
    assert client.flush(10)
    client.output("a", "text")
    assert client.flush(10)
    assert server.output("a") == b""
    assert status(server, "a") == "running"
    assert told.reasons == ["id: is known"] * 4


def test_output_goes_on_where_that_of_a_known_process_ends(
    server: ScriptedServer, make: Make
) -> None:
    process = {"id": "a", "promptPreview": "p", "startTime": "2026-11-22T07:00:00.000Z"}
    for content in ("one ", "two ", "three"):
        client = make()
        client.submit(process)
        client.output("a", content)
        assert client.flush(10)
    client.output("a", "!")
    assert client.flush(10)
    assert server.output("a") == b"one two three!"


def test_output_for_a_process_of_another_reporter_is_added(
    server: ScriptedServer, make: Make
) -> None:
    first, second = make(), make()
    submit(first, "a")
    first.output("a", "one ")
    assert first.flush(10)
    second.output("a", "two")
    assert second.flush(10)
    assert server.output("a") == b"one two"


def test_output_after_the_end_is_dropped_and_the_end_told_once(
    server: ScriptedServer, client: ExtensionClient, told: Told
) -> None:
    submit(client, "a")
    client.output("a", "one")
    assert client.flush(10)
    server.set_status("a", "cancelled")
    client.output("a", "two")
    wait_until(lambda: told.ends)
    client.output("a", "three")
    client.complete("a", exitCode=3)
    assert client.flush(10)
    assert told.ends == [("a", "cancelled")]
    assert len(server.requests("/output")) == 2
    stored = server.processes["a"]
    assert stored.output == b"one"
    assert (stored.process["status"], stored.process["exitCode"]) == ("cancelled", 3)
    assert [type(drop.item) for drop in told.drops] == [Output, Output, Update]


def test_what_is_told_of_the_next_process_of_an_ended_ones_id_arrives(
    server: ScriptedServer, client: ExtensionClient, told: Told
) -> None:
    submit(client, "a")
    assert client.flush(10)
    server.set_status("a", "failed")
    client.output("a", "late")
    wait_until(lambda: told.drops)
    client.offline = True
    client.remove("a")
    submit(client, "a", fullPrompt="another")
    client.output("a", "new")
    client.offline = False
    assert client.flush(10)
    assert server.output("a") == b"new"
    assert len(told.drops) == 1


def test_a_cancel_of_a_cancelled_process_is_a_success(
    server: ScriptedServer, client: ExtensionClient, told: Told
) -> None:
    submit(client, "a")
    client.cancel("a")
    client.cancel("a")
    assert client.flush(10)
    client.cancel("a")
    assert client.flush(10)
    assert status(server, "a") == "cancelled"
    assert not told.drops


def test_a_deleted_process_gets_no_more(
    server: ScriptedServer, client: ExtensionClient, told: Told
) -> None:
    submit(client, "a")
    assert client.flush(10)
    del server.processes["a"]
    for _ in range(3):
        client.output("a", "text")
        assert client.flush(10)
    assert told.reasons == ["Process not found"] * 3
    assert len(server.requests("/output")) == 1


def test_a_server_that_lost_output_gets_what_there_still_is(
    server: ScriptedServer, client: ExtensionClient, told: Told
) -> None:
    submit(client, "a")
    client.output("a", "lost")
    assert client.flush(10)
    server.processes["a"].chunks.clear()
    client.output("a", "kept")
    assert client.flush(10)
    assert server.output("a") == b"kept"
    assert told.reasons == ["the server lost 4 bytes of output that it had acknowledged"]
    assert [drop.output_bytes for drop in told.drops] == [4]


def test_two_who_write_one_output_lose_nothing_of_it(server: ScriptedServer, make: Make) -> None:
    one, other = make(), make()
    written: list[str] = []
    for turn in range(5):
        for client, mark in ((one, "a"), (other, "b"), (other, "c")):
            if turn == 0:
                submit(client, "p")
            written.append(f"{mark}{turn}\n" * (turn + 1))
            client.output("p", written[-1])
            assert client.flush(10)
    assert server.output("p").decode() == "".join(written)


def test_two_who_write_at_once_lose_nothing_of_either(
    server: ScriptedServer, make: Make, told: Told
) -> None:
    clients = [make(), make()]
    for client in clients:
        submit(client, "p")
        assert client.flush(10)
    told.drops.clear()  # of the second creation
    for number, client in enumerate(clients):
        for turn in range(100):
            client.output("p", f"{number}:{turn}\n")
    assert all(client.flush(20) for client in clients)
    for number in range(2):
        mine = [line for line in server.output("p").split() if line.startswith(b"%d:" % number)]
        assert mine == [b"%d:%d" % (number, turn) for turn in range(100)]
    assert told.drops == []


NONSENSE: dict[str, Callable[[ExtensionClient], object]] = {
    "a number that JSON has not": lambda c: c.update("a", {"metadata": {"x": float("nan")}}),
    "an object": lambda c: c.update("a", {"result": object()}),
    "a loop": lambda c: c.update("a", loop()),
    "no changes": lambda c: c.update("a", None),  # type: ignore[arg-type]
    "no process": lambda c: c.submit(None),  # type: ignore[arg-type]
    "no text": lambda c: c.output("a", 5),  # type: ignore[arg-type]
    "no id": lambda c: c.output("", "x"),
    "an id that is no text": lambda c: c.remove(7),  # type: ignore[arg-type]
    "no workspace": lambda c: c.register_workspace(),
    "a key that is no text": lambda c: c.complete("a", metadata={1: 2}),
}


def loop() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["self"] = value
    return value


@pytest.mark.parametrize("call", NONSENSE.values(), ids=NONSENSE.keys())
def test_nonsense_is_reported_and_never_raised(
    client: ExtensionClient, told: Told, call: Callable[[ExtensionClient], object]
) -> None:
    call(client)
    wait_until(lambda: told.drops)
    (drop,) = told.drops
    assert drop.item is None
    assert drop.reason.startswith("it can't be sent: ")
    assert drop.error is not None


def test_text_that_utf8_cannot_hold_is_mended(
    server: ScriptedServer, client: ExtensionClient
) -> None:
    submit(client, "a", fullPrompt="x\udcff")
    client.output("a", "a\udcffb")
    assert client.flush(10)
    assert server.output("a") == "a\ufffdb".encode()
    assert server.processes["a"].process["fullPrompt"] == "x\ufffd"


def test_what_was_given_may_be_changed_afterwards(server: ScriptedServer, make: Make) -> None:
    client = make(offline=True)
    process = {"id": "a", "promptPreview": "p", "metadata": {"n": [1]}}
    client.submit(process)
    process["metadata"]["n"].append(2)  # type: ignore[index]
    client.offline = False
    assert client.flush(10)
    assert server.processes["a"].process["metadata"] == {"n": [1]}


def test_what_is_dropped_while_a_request_hangs_takes_no_memory(
    server: ScriptedServer, make: Make, told: Told
) -> None:
    client = make(max_queue=3)
    server.fault("hang", only="POST /api/processes")
    submit(client, "a")
    wait_until(lambda: server.seen)
    for number in range(1000):
        client.output("a", f"{number:10}" * 10_000)
    waiting = client._engine.desk.teller
    assert len(waiting._calls) < 20
    server.released.set()
    assert client.flush(20)
    assert client.dropped == sum(drop.count for drop in told.drops)
    lost = sum(drop.output_bytes for drop in told.drops)
    assert lost + len(server.output("a")) == 1000 * 100_000


def test_what_is_lost_with_many_others_is_told_again(
    server: ScriptedServer, client: ExtensionClient
) -> None:
    submit(client, "a")
    client.update("a", {"result": "r"})
    assert client.flush(10)
    with client._engine.desk.changed:  # nothing is told meanwhile
        for number in range(MOST):
            client._engine.office.refuse(Drop(None, f"p{number}", "full"))
        client._engine.office.refuse(Drop(None, "a", "gone"))
    assert client.flush(10)
    before = len(server.seen)
    client.update("a", {"result": "r"})
    assert client.flush(10)
    assert len(server.seen) == before + 1


def test_after_a_summary_of_losses_everything_is_told_again(
    server: ScriptedServer, client: ExtensionClient
) -> None:
    submit(client, "a")
    client.update("a", {"result": "r"})
    assert client.flush(10)
    drop = Drop(None, None, "several", count=2)
    client._engine.office.refuse(drop)
    assert client.flush(10)
    client.update("a", {"result": "r"})
    assert client.flush(10)
    assert lines(server).count("PATCH /api/processes/a") == 2


def test_the_owners_mistakes_do_no_harm(server: ScriptedServer, make: Make) -> None:
    def fail(*args: object) -> None:
        raise RuntimeError

    client = make(on_drop=fail, on_connection_change=fail, on_terminal=fail)
    client.update("nobody", {"result": "x"})
    submit(client, "a")
    assert client.flush(10)
    server.set_status("a", "failed")
    client.complete("a")
    assert client.flush(10)
    submit(client, "b")
    assert client.flush(10)
    assert set(server.processes) == {"a", "b"}


def test_a_server_that_comes_back_gets_everything_and_the_owner_is_told(
    server: ScriptedServer, client: ExtensionClient, told: Told
) -> None:
    submit(client, "a")
    client.output("a", "before ")
    assert client.flush(10)
    server.stop()
    client.output("a", "meanwhile ")
    wait_until(lambda: told.connections == [True, False])
    assert not client.connected
    assert not client.health_check()
    assert "Connection refused" in str(client.trouble)
    server.start()
    client.output("a", "after")
    wait_until(lambda: told.connections == [True, False, True])
    assert client.flush(20)
    assert client.connected
    assert client.health_check()
    assert client.trouble is None
    assert server.output("a") == b"before meanwhile after"


def test_an_absence_as_short_as_a_restart_is_not_told(
    server: ScriptedServer, client: ExtensionClient, told: Told
) -> None:
    def fail(times: int) -> None:
        server.fault("drop", only="/output")
        server.fault("answer", times=times, status=503, only="/health")
        client.output("a", "x")
        assert client.flush(20)
        assert not server.faults

    submit(client, "a")
    for times in (2, 4, 2, 2):
        fail(times)
    assert told.connections == [True, False, True]


def test_a_server_that_was_never_there_is_told_at_once(
    server: ScriptedServer, client: ExtensionClient, told: Told
) -> None:
    server.stop()
    submit(client, "a")
    assert client.wait_attempted("a", 10)
    wait_until(lambda: told.connections == [False])


def test_only_a_healthy_server_is_sent_anything(
    server: ScriptedServer, client: ExtensionClient
) -> None:
    server.fault("answer", times=3, status=503, only="/health")
    server.fault("drop", only="POST /api/processes")
    submit(client, "a")
    assert client.flush(20)
    assert not server.faults
    first, *between, last = [f"{each.method} {each.target}" for each in server.seen]
    assert first == last == "POST /api/processes"
    assert between == ["GET /api/health"] * 4


def test_another_program_on_that_port_gets_nothing(
    server: ScriptedServer, client: ExtensionClient, told: Told
) -> None:
    server.fault("answer", status=200, body=b"<html>", only="POST")
    server.fault("answer", times=3, status=404, body=b"<html>", only="/health")
    submit(client, "a")
    assert client.flush(20)
    assert list(server.processes) == ["a"]
    assert len(lines(server)) == 2
    assert not server.faults
    assert not told.drops


def test_closing_gives_up_in_time_and_reports_what_is_left(
    server: ScriptedServer, client: ExtensionClient, told: Told
) -> None:
    server.stop()
    submit(client, "a")
    client.output("a", "12345")
    before = time.monotonic()
    assert client.pending_output == 5
    assert not client.close(0.3)
    assert time.monotonic() - before < 20
    wait_until(lambda: told.reasons == ["the client was closed before it could be sent"] * 2)
    submit(client, "b")
    wait_until(lambda: told.reasons[2:] == ["the client is closed"])


def test_a_flush_from_within_a_callback_does_not_wait(server: ScriptedServer, make: Make) -> None:
    flushed: list[bool] = []
    client = make(on_drop=lambda drop: flushed.append(client.flush()))
    client.update("nobody", {"result": "x"})
    assert client.flush(10)
    assert flushed == [True]


def test_memory_stays_bounded_without_a_limit_to_the_queue(
    server: ScriptedServer, make: Make, monkeypatch: pytest.MonkeyPatch, told: Told
) -> None:
    monkeypatch.setattr("pipeline_host.client.outbox.MEMORY_LIMIT", 1_000_000)
    client = make(max_queue=None, offline=True)
    submit(client, "a")
    text = "".join(f"{number:015}\n" for number in range(20_000))
    for _ in range(20):
        client.output("a", text)
    assert client.pending_output == 20 * len(text)
    assert client._engine.desk.outbox.in_memory < 2_000_000
    client.offline = False
    assert client.flush(60)
    assert server.output("a") == text.encode() * 20
    assert not told.drops


def test_memory_may_be_short_while_there_is_sending(
    server: ScriptedServer, make: Make, monkeypatch: pytest.MonkeyPatch, told: Told
) -> None:
    monkeypatch.setattr("pipeline_host.client.outbox.MEMORY_LIMIT", 0)
    client = make(max_queue=None)
    submit(client, "a")
    texts = [f"{number} {'x' * 150_000}" for number in range(100)]
    for text in texts:
        client.output("a", text)
    assert client.flush(60)
    assert server.output("a") == "".join(texts).encode()
    assert not told.drops


def test_calls_from_many_threads_keep_their_order(
    server: ScriptedServer, client: ExtensionClient, told: Told
) -> None:
    def report(name: str) -> None:
        submit(client, name)
        for number in range(200):
            client.output(name, f"{number} ")
        client.complete(name)

    threads = [threading.Thread(target=report, args=(f"p{n}",)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.flush(30)
    expected = "".join(f"{number} " for number in range(200)).encode()
    assert all(server.output(f"p{n}") == expected for n in range(5))
    assert not told.drops
