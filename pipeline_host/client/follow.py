"""Following a server's event streams for as long as they last, through every interruption."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Final

from pipeline_host.client.api import ApiClient
from pipeline_host.client.backoff import LONGEST, Backoff
from pipeline_host.client.errors import ApiError, ClientError
from pipeline_host.client.sse import Event, EventParser
from pipeline_host.client.transport import Answer

HEARTBEAT: Final = "heartbeat"
DONE: Final = "done"


class Interrupt:
    """Lets another thread end a follower, or have it connect again at once."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._answer: Answer | None = None
        self._hurry = False
        self.stopped = False

    def stop(self) -> None:
        """End the follower: what it reads ends now, and it makes no further connection."""
        with self._changed:
            self.stopped = True
            if self._answer is not None:
                self._answer.abort()
            self._changed.notify_all()

    def hurry(self) -> None:
        """Let its pause between two connections be over, or its next one be none."""
        with self._changed:
            self._hurry = True
            self._changed.notify_all()

    def pause(self, seconds: float) -> None:
        """Wait so long, or until it is to hurry or to stop."""
        with self._changed:
            self._changed.wait_for(lambda: self._hurry or self.stopped, seconds)
            self._hurry = False

    def reads(self, answer: Answer | None) -> None:
        """Say what is read from now on; nothing that lasts when it is to stop."""
        with self._changed:
            self._answer = answer
            if answer is not None and self.stopped:
                answer.abort()


def follow(
    api: ApiClient,
    process_id: str,
    last_event_id: str | None = None,
    replay: bool = True,
    *,
    start: int | None = None,
    interrupt: Interrupt | None = None,
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
        start: begin at this byte of the output instead, unless after an event.
        interrupt: lets another thread end this.

    Raises:
        ApiError: the server refuses this for good, with another status than 404.
    """

    def connect(resume: str) -> Answer:
        if resume:
            return api.open_stream(process_id, resume)
        return api.open_stream(process_id, None, replay, start)

    for event in _resumed(connect, last_event_id or "", interrupt or Interrupt()):
        yield event
        if event.type == DONE:
            return


def changes(
    api: ApiClient,
    workspace: str | None = None,
    last_event_id: str | None = None,
    *,
    interrupt: Interrupt | None = None,
    longest: float = LONGEST,
) -> Iterator[Event]:
    """What happens to processes, without an end: ``process-added``, ``process-updated`` ….

    ``welcome`` comes first, unless this begins after an event; ``resync`` says that some changes
    can't be told any more. It connects again as :func:`follow` does, and misses nothing meanwhile.

    Args:
        api: the server.
        workspace: only of this one.
        last_event_id: begin after this event, instead of now.
        interrupt: lets another thread end this.
        longest: the longest pause between two attempts to connect, in seconds.

    Raises:
        ApiError: the server refuses this for good, with another status than 404 (where it has
            no such stream; then this ends).
    """

    def connect(resume: str) -> Answer:
        return api.open_events(workspace, resume or None)

    yield from _resumed(connect, last_event_id or "", interrupt or Interrupt(), longest)


def _resumed(
    connect: Callable[[str], Answer], resume: str, interrupt: Interrupt, longest: float = LONGEST
) -> Iterator[Event]:
    """The events of one connection after the other, each made to go on after the last event."""
    backoff = Backoff()
    while not interrupt.stopped:
        parser = EventParser(resume)
        asked: float | None = None
        try:
            for event in _connection(connect, parser, interrupt):
                backoff.reset()
                if event.type != HEARTBEAT:
                    yield event
        except _NothingMore:
            return
        except ClientError as error:
            if not error.retryable:
                raise
            asked = error.retry_after
        resume = parser.last_event_id
        asked = asked or parser.retry
        interrupt.pause(max(asked or 0.0, min(backoff.next(), longest)))


def _connection(
    connect: Callable[[str], Answer], parser: EventParser, interrupt: Interrupt
) -> Iterator[Event]:
    """The events of one connection."""
    try:
        answer = connect(parser.last_event_id)
    except ApiError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            raise _NothingMore from error
        raise
    with answer:
        if answer.status == HTTPStatus.NO_CONTENT:
            raise _NothingMore
        interrupt.reads(answer)
        try:
            for data in answer.parts():
                yield from parser.feed(data)
        finally:
            interrupt.reads(None)


class _NothingMore(Exception):
    """The server says that there is nothing to follow, or nothing more."""
