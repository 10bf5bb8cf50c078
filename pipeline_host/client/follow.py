"""Following a process's event stream for as long as it lasts, through every interruption."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

from pipeline_host.client.api import ApiClient
from pipeline_host.client.backoff import Backoff
from pipeline_host.client.errors import ApiError, ClientError
from pipeline_host.client.sse import Event, EventParser

HEARTBEAT: Final = "heartbeat"
DONE: Final = "done"


def follow(
    api: ApiClient,
    process_id: str,
    last_event_id: str | None = None,
    replay: bool = True,
    *,
    stop: threading.Event | None = None,
) -> Iterator[Event]:
    """The events of a process (``chunk``, ``status``, ``gap``, ``done``), each once, in order.

    Where the connection breaks or the server is away, it connects again after 1, 2, 4 … 30 s
    (anew from 1 s once something came) and goes on after the last event. It ends after ``done``,
    and where the server says that there is nothing (more) to follow: 204 or 404.

    Args:
        api: the server.
        process_id: the process.
        last_event_id: begin after this event, instead of at the start of the output.
        replay: False leaves out what is already there at the first connection.
        stop: when it is set, no further connection is made.

    Raises:
        ApiError: the server refuses this for good, with another status than 404.
    """
    backoff = Backoff()
    stop = stop or threading.Event()
    resume = last_event_id or ""
    while not stop.is_set():
        parser = EventParser(resume)
        asked: float | None = None
        try:
            for event in _connection(api, process_id, parser, replay or bool(resume)):
                backoff.reset()
                if event.type != HEARTBEAT:
                    yield event
                if event.type == DONE:
                    return
        except _NothingMore:
            return
        except ClientError as error:
            if not error.retryable:
                raise
            asked = error.retry_after
        resume = parser.last_event_id
        stop.wait(backoff.next(asked or parser.retry))


def _connection(
    api: ApiClient, process_id: str, parser: EventParser, replay: bool
) -> Iterator[Event]:
    """The events of one connection."""
    try:
        answer = api.open_stream(process_id, parser.last_event_id or None, replay)
    except ApiError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            raise _NothingMore from error
        raise
    with answer:
        if answer.status == HTTPStatus.NO_CONTENT:
            raise _NothingMore
        for data in answer.parts():
            yield from parser.feed(data)


class _NothingMore(Exception):
    """The server says that there is nothing to follow, or nothing more."""
