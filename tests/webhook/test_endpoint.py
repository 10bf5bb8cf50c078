"""One endpoint: what it is sent, what its answers mean, and what becomes a dead letter."""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pipeline_host.dead_letters import DeadLetterBox, read_dead_letters
from pipeline_host.hookspecs import RetryLater
from pipeline_host.models import Change, ProcessSummary, Timestamp
from pipeline_host_webhook.endpoint import Endpoint
from pipeline_host_webhook.options import WebhookOptions

from .receiver import Receiver

Make = Callable[..., Endpoint]


def change(seq: int, kind: Any = "process-updated") -> Change:
    process = ProcessSummary(
        id="日本",
        prompt_preview="p",
        status="running",
        type="test",
        start_time=Timestamp("2026-11-22T07:00:00.000Z"),
    )
    return Change(seq=seq, kind=kind, timestamp=1, process=process)


@pytest.fixture
def make(receiver: Receiver, tmp_path: Path) -> Iterator[Make]:
    with ExitStack() as closing:

        def endpoint(url: str = f"{receiver.url}/hook?token=t", **options: Any) -> Endpoint:
            one = Endpoint("webhook.x", url, WebhookOptions(**options), box(tmp_path))
            closing.callback(one.close)
            return one

        yield endpoint


def box(data_dir: Path) -> DeadLetterBox:
    return DeadLetterBox(data_dir, "webhook.x")


def test_a_change_is_posted_as_the_message_that_tells_it(make: Make, receiver: Receiver) -> None:
    make().on_change(change(7))
    (one,) = receiver.received
    assert one.path == "/hook?token=t"
    assert one.headers["Content-Type"] == "application/json"
    assert one.seq == 7
    assert one.message["type"] == "process-updated"
    assert one.message["process"]["id"] == "日本"
    assert one.message["seq"] == 7
    assert "X-Pipeline-Host-Signature" not in one.headers


def test_a_secret_signs_the_time_and_the_body(make: Make, receiver: Receiver) -> None:
    make(secret="s3crét").on_change(change(7))
    (one,) = receiver.received
    timestamp = one.headers["X-Pipeline-Host-Timestamp"]
    assert abs(int(timestamp) - time.time()) < 60
    signed = hmac.new("s3crét".encode(), f"{timestamp}.".encode() + one.body, hashlib.sha256)
    assert one.headers["X-Pipeline-Host-Signature"] == f"sha256={signed.hexdigest()}"


def test_only_wanted_events_are_posted(make: Make, receiver: Receiver) -> None:
    endpoint = make(events=("process-added",))
    endpoint.on_change(change(1))
    endpoint.on_change(change(2, "process-added"))
    assert receiver.seqs == [2]


@pytest.mark.parametrize("status", [500, 502, 503, 599, 408, 429])
def test_what_may_pass_is_tried_again(
    status: int, make: Make, receiver: Receiver, tmp_path: Path
) -> None:
    endpoint = make()
    receiver.answers += [status, status]
    waits = []
    for _ in range(2):
        with pytest.raises(RetryLater, match=rf"/hook\?…: it answered {status}$") as later:
            endpoint.on_change(change(1))
        waits.append(later.value.seconds)
    endpoint.on_change(change(1))
    assert receiver.seqs == [1, 1, 1]
    assert 0.5 <= waits[0] <= 1.0 <= waits[1] <= 2.0
    assert list(read_dead_letters(tmp_path)) == []


@pytest.mark.parametrize("value", ["17", "Sun, 22 Nov 2099 07:00:00 GMT", "soon", "-3"])
def test_an_endpoint_may_say_when(value: str, make: Make, receiver: Receiver) -> None:
    receiver.answers.append((429, {"Retry-After": value}))
    with pytest.raises(RetryLater) as later:
        make().on_change(change(1))
    expected = {"17": 17.0, "S": 3600.0}.get(value if value == "17" else value[0])
    assert later.value.seconds == expected if expected else later.value.seconds <= 1.0


@pytest.mark.parametrize("status", [400, 401, 404, 410, 422, 301, 302, 307])
def test_what_is_refused_is_a_dead_letter_at_once(
    status: int, make: Make, receiver: Receiver, tmp_path: Path
) -> None:
    """A redirect, too: nothing is sent to where the settings don't say."""
    endpoint = make()
    receiver.answers.append((status, {"Location": f"{receiver.url}/elsewhere"}))
    endpoint.on_change(change(1))
    endpoint.on_change(change(2))
    assert [one.path for one in receiver.received] == ["/hook?token=t"] * 2
    (letter,) = read_dead_letters(tmp_path)
    assert (letter.sink, letter.seq, letter.attempts) == ("webhook.x", 1, 1)
    assert letter.target == f"{receiver.url}/hook?…"
    assert letter.reason == f"it answered {status}"
    assert letter.message == receiver.received[0].body.decode()


def test_what_was_tried_often_enough_is_a_dead_letter(
    make: Make, receiver: Receiver, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint = make(max_attempts=3)
    receiver.answers += [500] * 6
    with caplog.at_level(logging.WARNING):
        for seq in (1, 2):
            for _ in range(2):
                with pytest.raises(RetryLater):
                    endpoint.on_change(change(seq))
            endpoint.on_change(change(seq))
    assert [(one.seq, one.attempts) for one in read_dead_letters(tmp_path)] == [(1, 3), (2, 3)]
    assert caplog.text.count("is a dead letter: it answered 500") == 1


def test_an_endpoint_that_isnt_there_is_tried_again(make: Make, receiver: Receiver) -> None:
    with pytest.raises(RetryLater, match=r"^http://127\.0\.0\.1:1: it can't be reached$"):
        make("http://127.0.0.1:1").on_change(change(1))


def test_changes_that_were_forgotten_are_a_dead_letter(make: Make, tmp_path: Path) -> None:
    make().on_resync()
    (letter,) = read_dead_letters(tmp_path)
    assert letter.reason == "changes were forgotten before they could be delivered"
