"""Sends what waits, one request after the other, and sees to what comes of each."""

from __future__ import annotations

import logging
import time
from functools import partial
from http import HTTPStatus
from typing import Final

from pipeline_host.client.backoff import LONGEST
from pipeline_host.client.courier import Courier, LostOutput
from pipeline_host.client.desk import Desk
from pipeline_host.client.entry import Entry
from pipeline_host.client.errors import ApiError, ClientError
from pipeline_host.client.items import ENDS, Create, Item, Output, Register, Remove, Update
from pipeline_host.client.waiting import PROBES

_ENDING: Final = ("status", "endTime")

log = logging.getLogger("pipeline_host.client")


class Postman:
    """Makes one step at a time; used by one thread.

    Args:
        desk: where items wait, and outcomes are written down.
        courier: makes the requests.
    """

    def __init__(self, desk: Desk, courier: Courier) -> None:
        self._desk = desk
        self._courier = courier
        self._failures = 0

    def send(self, entry: Entry) -> None:
        """Send what was taken from the outbox; it is settled afterwards, or tried again later."""
        item = entry.item
        reason = self._desk.hopeless(entry)
        if reason is not None:
            self._desk.settle(entry)
            self._desk.drop(item, reason)
            return
        self._desk.sending(entry)
        began = time.monotonic()
        try:
            self._courier.deliver(item, entry.offset, partial(self._desk.sending, entry))
        except LostOutput as error:
            entry.offset = None
            lost = Output(str(item.process_id), ())
            self._desk.drop(lost, str(error), error, error.missing)
        except ClientError as error:
            if error.retryable:
                self._failed(entry.lane, error)
            else:
                self._refused(entry, item, error)
        except Exception as error:
            log.exception("%s can't be sent", item.kind)
            self._desk.settle(entry)
            self._desk.drop(item, f"it can't be sent: {error}", error)
        else:
            self._delivered(entry, item, began)

    def probe(self) -> None:
        """Ask the server how it is, and begin again if it is well."""
        self._reached(self._trouble())

    def heartbeat(self, process_id: str) -> None:
        """Renew a process's lease."""
        known = self._desk.known[process_id]
        known.heard = time.monotonic()
        try:
            self._courier.heartbeat(process_id)
        except ClientError as error:
            if error.retryable:
                self._failed(None, error)
            else:
                self._refusal(process_id, error)
        else:
            self._reached()

    def _delivered(self, entry: Entry, item: Item, began: float) -> None:
        desk = self._desk
        match item:
            case Register():
                pass
            case Remove(process_id):
                desk.known.forget(process_id)
            case _:
                known = desk.known[item.process_id]
                known.heard = began
                if isinstance(item, Create):
                    known.ended = known.refused = None
                if isinstance(item, Update) and item.changes.get("status") in ENDS:
                    desk.known.silence(item.process_id)
        desk.settle(entry)
        self._reached()

    def _failed(self, lane: str | None, error: ClientError) -> None:
        """It may succeed later: find out whether what isn't in its lane can be sent meanwhile."""
        desk = self._desk
        with desk.changed:
            go_on = lane is None or desk.waiting.pause(lane, time.monotonic())
            desk.trouble = error
            desk.changed.notify_all()
        if error.retry_after is not None or not go_on:
            with desk.changed:
                desk.waiting.stop(time.monotonic(), error.retry_after)
        elif (trouble := self._trouble()) is not None:
            self._reached(trouble)

    def _refused(self, entry: Entry, item: Item, error: ClientError) -> None:
        """It will never succeed: say so, and go on with the next."""
        self._desk.settle(entry)
        self._reached()
        if isinstance(item, Create):
            if item.exclusive or not _conflict(error):
                self._desk.give_up(item.process_id, str(error))
        elif item.process_id is not None:
            self._refusal(item.process_id, error)
            if isinstance(item, Update) and _conflict(error):
                ending = {name: item.changes[name] for name in _ENDING if name in item.changes}
                item = Update(item.process_id, ending or item.changes)
        self._desk.drop(item, str(error), error)

    def _refusal(self, process_id: str, error: ClientError) -> None:
        """Learn from a refusal whether there is any use in sending more."""
        known = self._desk.known[process_id]
        gone = isinstance(error, ApiError) and error.status == HTTPStatus.NOT_FOUND
        if gone and known.created:
            self._desk.give_up(process_id, str(error))
        if (status := _terminal(error)) is not None:
            self._desk.ended(process_id, status)

    def _trouble(self) -> ClientError | None:
        """Why nothing can be sent now, if so."""
        try:
            self._courier.probe()
        except ClientError as error:
            return error
        return None

    def _reached(self, trouble: ClientError | None = None) -> None:
        """The server answered, or couldn't be reached; a short absence isn't told."""
        desk = self._desk
        with desk.changed:
            now = time.monotonic()
            desk.trouble = trouble
            if trouble is None:
                self._failures = 0
                desk.waiting.resume(now)
            else:
                self._failures += 1
                desk.waiting.stop(now, trouble.retry_after)
                beats = [known.beat for _, known in desk.known.beating() if known.beat]
                desk.waiting.shorten(now, min(beats, default=LONGEST))
            connected = trouble is None
            short = self._failures <= len(PROBES) and desk.connected is not None
            if connected is not desk.connected and (connected or not short):
                desk.connected = connected
                desk.teller.connection(connected)
            desk.changed.notify_all()


def _conflict(error: ClientError) -> bool:
    return isinstance(error, ApiError) and error.status == HTTPStatus.CONFLICT


def _terminal(error: ClientError) -> str | None:
    return error.terminal_status if isinstance(error, ApiError) else None
