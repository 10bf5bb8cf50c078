"""A block of a program, reported as a process to a real server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pipeline_host.client import (
    ClientError,
    Drop,
    ExtensionClient,
    ProcessCancelled,
    RemoteProcess,
    workspace_identity,
)
from pipeline_host.testing import LiveServer
from pipeline_host.testing.waiting import wait_until

from .scripted import ScriptedServer

HERE = workspace_identity("/home/me/project")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(tmp_path_factory.mktemp("remote") / "data", workers=2) as server:
        yield server


NONSENSE: dict[str, Callable[[ExtensionClient], object]] = {
    "no text": lambda c: c.process("p").start().write(5),  # type: ignore[arg-type]
    "no text at all": lambda c: c.process("p").start().write(None),  # type: ignore[arg-type]
    "no changes": lambda c: c.process("p").start().update(None),  # type: ignore[arg-type]
    "metadata that is a list": lambda c: c.process("p", metadata=[1]).start(),
    "metadata of a part": lambda c: c.process("p").process("q", metadata=[1]).start(),
    "metadata that is assigned": lambda c: setattr(c.process("p").start(), "metadata", 5),
    "an id": lambda c: c.process("p", process_id=[5]).start(),
    "a result": lambda c: setattr(c.process("p").start(), "result", object()),
    "a lease": lambda c: c.process("p", lease=object()).start(),
}


@pytest.mark.parametrize("call", NONSENSE.values(), ids=NONSENSE.keys())
def test_nonsense_is_told_and_never_raised(
    server: ScriptedServer, call: Callable[[ExtensionClient], object]
) -> None:
    drops: list[Drop] = []
    with ExtensionClient(server.url, on_drop=drops.append) as client:
        call(client)
        wait_until(lambda: drops)
        assert {drop.reason.partition(": ")[0] for drop in drops} == {"it can't be sent"}


def test_what_is_assigned_is_reported(client: ExtensionClient) -> None:
    with client.process("review", metadata={"old": 1, "kept": 2}) as process:
        process.metadata = {"kept": 2, "new": 3}
        process.metadata |= {"more": 4}
        process.error = "no model"
        assert process.error == "no model"
    known = stored(client, process)
    assert known["error"] == "no model"
    assert known["metadata"] == {
        "workspaceId": HERE.id,
        "workspaceName": HERE.name,
        "kept": 2,
        "new": 3,
        "more": 4,
    }


def test_an_attribute_that_there_is_not_is_refused(client: ExtensionClient) -> None:
    process = client.process("review")
    for name in ("status", "structuredResult", "reslut"):
        with pytest.raises(AttributeError):
            setattr(process, name, "x")


@pytest.fixture
def client(shared: LiveServer) -> Iterator[ExtensionClient]:
    with ExtensionClient(shared.url, workspace="/home/me/project") as client:
        yield client


def stored(client: ExtensionClient, process: RemoteProcess) -> Mapping[str, Any]:
    """The process on the server, when all is sent."""
    assert client.flush(20)
    return client.api.get(process.id)


def cancel_by_somebody(client: ExtensionClient, process: RemoteProcess) -> None:
    assert client.flush(20)
    client.api.cancel(process.id)


def test_a_block_that_ends_is_a_process_that_completes(client: ExtensionClient) -> None:
    with client.process("review", prompt="Review it", type="code-review") as process:
        process.write("one\n")
        print("two", file=process)
        process.write("oh", "stderr")
        assert stored(client, process)["status"] == "running"
        process.result = "Fine."
        process.structured_result = {"findings": 0}
        assert process.result == "Fine."
        assert json.loads(process.structured_result or "") == {"findings": 0}
    known = stored(client, process)
    assert (known["status"], known["result"]) == ("completed", "Fine.")
    assert json.loads(known["structuredResult"]) == {"findings": 0}
    assert (known["promptPreview"], known["fullPrompt"]) == ("review", "Review it")
    assert known["type"] == "code-review"
    assert known["metadata"] == {"workspaceId": HERE.id, "workspaceName": HERE.name}
    assert client.api.output(process.id) == b"one\ntwo\noh"
    assert process.status == "completed"


def test_an_exception_fails_it_and_goes_on(client: ExtensionClient) -> None:
    with pytest.raises(KeyError), client.process("review") as process:
        raise KeyError("model")
    known = stored(client, process)
    assert (known["status"], known["error"]) == ("failed", "KeyError: 'model'")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), asyncio.CancelledError()])
def test_an_interrupt_cancels_it(client: ExtensionClient, error: BaseException) -> None:
    with pytest.raises(type(error)), client.process("review") as process:
        raise error
    known = stored(client, process)
    assert known["status"] == "cancelled"
    assert known["cancellation"]["outcome"] == "terminated"
    assert "error" not in known


@pytest.mark.parametrize(
    ("code", "status"), [(None, "completed"), (0, "completed"), (3, "failed"), ("no", "failed")]
)
def test_leaving_the_program_ends_it_by_the_exit_code(
    client: ExtensionClient, code: int | str | None, status: str
) -> None:
    with pytest.raises(SystemExit), client.process("review") as process:
        raise SystemExit(code)
    assert stored(client, process)["status"] == status


def test_a_cancel_on_the_server_is_told_and_the_end_says_that_it_stopped(
    client: ExtensionClient,
) -> None:
    def work(process: RemoteProcess) -> None:
        process.check()
        cancel_by_somebody(client, process)
        assert process.cancelled.wait(10)
        process.check()

    with pytest.raises(ProcessCancelled, match="review"), client.process("review") as process:
        work(process)
    known = stored(client, process)
    assert known["status"] == "cancelled"
    assert known["cancellation"]["outcome"] == "terminated"


def test_a_cancel_that_comes_too_late_was_ignored(client: ExtensionClient) -> None:
    with client.process("review") as process:
        assert client.flush(20)
        client.offline = True
        process.result = "done all the same"
        process.end()
        client.api.cancel(process.id)
    client.offline = False
    assert process.cancelled.wait(20)
    wait_until(lambda: stored(client, process)["cancellation"].get("outcome") == "ignored")
    assert stored(client, process)["result"] == "done all the same"


def test_a_cancel_is_known_soon_after_the_server_was_away(tmp_path: Path) -> None:
    with (
        LiveServer(tmp_path / "data") as server,
        ExtensionClient(server.url) as client,
        client.process("review") as process,
    ):
        assert client.flush(20)
        server.kill()
        server.start()
        cancel_by_somebody(client, process)
        assert process.cancelled.wait(10)


def test_a_cancel_is_learned_from_a_refusal_where_changes_cannot_be_followed(
    server: ScriptedServer,
) -> None:
    server.fault("answer", status=403, only="/events")
    with ExtensionClient(server.url) as client, client.process("review") as process:
        assert client.flush(20)
        wait_until(lambda: server.requests("/events"))
        server.set_status(process.id, "cancelled")
        process.write("more")
        assert process.cancelled.wait(10)


def test_a_process_that_is_removed_is_not_cancelled(client: ExtensionClient) -> None:
    with client.process("review") as process:
        assert client.flush(20)
        client.api.delete(process.id)
        with client.process("another") as other:
            cancel_by_somebody(client, other)
            assert other.cancelled.wait(10)
        assert not process.cancelled.is_set()


def test_parts_of_it_are_its_children(client: ExtensionClient) -> None:
    with client.process("review", metadata={"workspaceId": "elsewhere"}) as process:
        with process.process("one file", type="pipeline-item", metadata={"file": "a"}) as child:
            child.write("ok")
        known = stored(client, child)
    assert known["parentProcessId"] == process.id
    assert known["metadata"] == {
        "workspaceId": "elsewhere",
        "workspaceName": "project",
        "file": "a",
    }


def test_metadata_is_reported_key_by_key(client: ExtensionClient) -> None:
    with client.process("review", metadata={"model": "x", "step": 0}) as process:
        process.metadata["step"] = 1
        process.metadata["tokens"] = 12
        del process.metadata["model"]
        with pytest.raises(KeyError):
            del process.metadata["model"]
        assert set(process.metadata) == {"workspaceId", "workspaceName", "step", "tokens"}
        assert len(process.metadata) == 4
        assert repr(process.metadata).endswith("'step': 1, 'tokens': 12})")
    metadata = stored(client, process)["metadata"]
    assert metadata == dict(process.metadata)
    assert (metadata["step"], metadata["tokens"]) == (1, 12)


def test_what_is_known_before_the_block_is_there_from_the_start(client: ExtensionClient) -> None:
    process = client.process("review", process_id="mine", status="queued", backend="local")
    process.metadata["a"] = 1
    with process:
        known = stored(client, process)
        assert (known["id"], known["status"], known["backend"]) == ("mine", "queued", "local")
        assert known["metadata"]["a"] == 1
        process.update({"status": "running"})
        assert process.status == "running"
        assert stored(client, process)["status"] == "running"


def test_it_can_be_ended_by_hand_and_only_once(client: ExtensionClient) -> None:
    process = client.process("review").start()
    process.end("failed", error="no model")
    process.end()
    known = stored(client, process)
    assert (known["status"], known["error"]) == ("failed", "no model")


def test_a_lease_is_renewed_while_the_block_runs(client: ExtensionClient) -> None:
    with client.process("review", lease=6) as process:
        first = stored(client, process)["lease"]
        assert first["seconds"] == 6
        wait_until(lambda: client.api.get(process.id)["lease"]["expires"] != first["expires"], 30)
    assert stored(client, process)["status"] == "completed"


def test_a_server_that_is_not_there_does_not_matter(tmp_path: Path) -> None:
    with (
        contextlib.closing(ExtensionClient("http://127.0.0.1:1")) as client,
        client.process("review") as process,
    ):
        process.write("one")
        process.check()
        with pytest.raises(ClientError):
            client.api.get(process.id)
        client.close(0)


def test_what_makes_no_sense_harms_nobody(client: ExtensionClient) -> None:
    circular: list[object] = []
    circular.append(circular)
    with client.process("review") as process:
        for value in ({1, 2}, circular, {(1, 2): 3}):
            process.structured_result = value
        process.result = b"bytes"  # type: ignore[assignment]
        process.metadata["thing"] = object()
        process.write(None)  # type: ignore[arg-type]
        process.write(b"bytes")  # type: ignore[arg-type]
        process.write("half \ud800")
    assert stored(client, process)["status"] == "completed"
    assert client.api.output(process.id).decode() == "half \ufffd"


def test_its_events_can_be_followed(client: ExtensionClient) -> None:
    with client.process("review") as process:
        process.write("one")
    assert client.flush(20)
    events = list(client.follow(process.id))
    assert [event.type for event in events] == ["chunk", "status", "done"]
    later = list(client.follow(process.id, events[0].last_event_id))
    assert later == events[1:]


def test_what_is_followed_may_still_wait_to_be_made(client: ExtensionClient) -> None:
    client.offline = True
    name = client.submit({"promptPreview": "p"})
    client.output(name, "one")
    client.complete(name)
    threading.Timer(0.1, lambda: setattr(client, "offline", False)).start()
    assert [event.type for event in client.follow(name)][-2:] == ["status", "done"]


def test_what_happens_to_all_processes_can_be_followed(
    client: ExtensionClient, live_server: Callable[..., LiveServer]
) -> None:
    events = client.changes(HERE.id)
    assert next(events).type == "welcome"
    with client.process("review") as process:
        assert client.flush(20)
        message = json.loads(next(events).data)
    assert (message["type"], message["process"]["id"]) == ("process-added", process.id)
