"""Carries one item to the server: the requests it takes, and what their answers mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, Final

from pipeline_host.client.batch import Chunk
from pipeline_host.client.errors import ApiError, BadAnswer
from pipeline_host.client.items import (
    Cancel,
    Create,
    Item,
    Json,
    Output,
    Register,
    Remove,
    Update,
)
from pipeline_host.client.known import KnownProcesses
from pipeline_host.client.transport import Transport, encode, segment

_ENDING: Final = ("status", "endTime")
_TURNS: Final = 10
"""How often output is moved behind that of another one who writes at the same time."""
_NOT_OURS: Final = (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED)

OnOffset = Callable[[int], None]
"""Told where an output begins, before it is sent."""


class LostOutput(Exception):
    """The server has less output than it acknowledged; ``missing`` is by how many bytes."""

    def __init__(self, missing: int) -> None:
        super().__init__(f"the server lost {missing} bytes of output that it had acknowledged")
        self.missing = missing


class Courier:
    """Makes the requests; blocking, one after the other, and without trying again.

    Each may be repeated: a repeated creation changes nothing, output carries its offset, what is
    to be removed may be gone already.

    Args:
        transport: the way to the server.
        known: what is known of each process; answers are written down in it.
    """

    def __init__(self, transport: Transport, known: KnownProcesses) -> None:
        self._transport = transport
        self._known = known

    def probe(self) -> None:
        """Ask the server how it is.

        Raises:
            ClientError: requests make no sense now.
        """
        try:
            answer = self._json("GET", "/api/health")
        except ApiError as error:
            # Who refuses us otherwise would say so to each request as well, with its reason.
            if error.retryable or error.status in _NOT_OURS:
                raise
            return
        if answer.get("status") != "ok":
            url = self._transport.server_url
            raise BadAnswer(f"{url} answered otherwise than a pipeline_host server that is well")

    def heartbeat(self, process_id: str) -> None:
        """Renew a process's lease.

        Raises:
            ClientError: it wasn't renewed.
        """
        self._json("POST", _path(process_id, "heartbeat"))

    def deliver(self, item: Item, offset: int | None, on_offset: OnOffset) -> None:
        """Carry an item to the server.

        Args:
            item: the item.
            offset: where its output begins, if it may have been sent before.
            on_offset: see :data:`OnOffset`.

        Raises:
            ClientError: it wasn't taken, or that isn't known.
            LostOutput: see there; it was not sent.
        """
        match item:
            case Register(workspace):
                self._json("POST", "/api/workspaces", workspace)
            case Create():
                self._create(item)
            case Update(process_id, changes):
                self._update(process_id, changes)
            case Output(process_id, chunks):
                self._output(process_id, chunks, offset, on_offset)
            case Remove(process_id):
                self._remove(process_id)
            case Cancel(process_id):
                self._cancel(process_id)

    def _create(self, create: Create) -> None:
        body = encode(create.process)
        try:
            status, answer = self._transport.exchange("POST", "/api/processes", body)
        except ApiError as error:
            if error.status == HTTPStatus.CONFLICT and not create.exclusive:
                self._adopt(create)
            raise
        known = self._known[create.process_id]
        known.created = True
        # What was there before this may have output already.
        known.offset = 0 if status == HTTPStatus.CREATED else None
        self._known.granted(create.process_id, answer)

    def _adopt(self, create: Create) -> None:
        """The process is there, created otherwise: what follows is for that one."""
        name = create.process_id
        if "leaseSeconds" in create.process:
            self._known.granted(name, self._json("GET", _path(name)).get("process", {}))
        known = self._known[name]
        known.created = True
        known.offset = known.ended = known.refused = None

    def _update(self, process_id: str, changes: Json) -> None:
        """Change the process; where its status can't become that, without a status."""
        path = _path(process_id)
        try:
            self._json("PATCH", path, changes)
        except ApiError as error:
            rest = {name: value for name, value in changes.items() if name not in _ENDING}
            if error.status == HTTPStatus.CONFLICT and rest and len(rest) < len(changes):
                self._json("PATCH", path, rest)
            raise

    def _output(
        self, process_id: str, chunks: Sequence[Chunk], offset: int | None, on_offset: OnOffset
    ) -> None:
        known = self._known[process_id]
        if offset is None:
            offset = known.offset
        if offset is None:
            offset = self._append(process_id, (), None)
        for turns_left in reversed(range(_TURNS)):
            on_offset(offset)
            try:
                known.offset = self._append(process_id, chunks, offset)
                return
            except ApiError as error:
                expected = error.expected_offset
                if expected is None:
                    raise
                known.offset = expected
                if expected < offset:
                    raise LostOutput(offset - expected) from error
                if expected == offset or not turns_left:
                    raise
                # Another one's output is stored there, so ours never was: it goes behind that.
                offset = expected

    def _append(self, process_id: str, chunks: Sequence[Chunk], offset: int | None) -> int:
        place = {} if offset is None else {"offset": offset}
        answer = self._json("POST", _path(process_id, "output"), {"chunks": chunks, **place})
        length = answer.get("offset")
        if not isinstance(length, int):
            raise BadAnswer(f"{self._transport.server_url} answered without an offset")
        return length

    def _remove(self, process_id: str) -> None:
        try:
            self._json("DELETE", _path(process_id))
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    def _cancel(self, process_id: str) -> None:
        try:
            self._json("POST", _path(process_id, "cancel"))
        except ApiError as error:
            # An earlier try may have done it, with the answer lost.
            if error.terminal_status != "cancelled":
                raise

    def _json(self, method: str, path: str, body: Json | None = None) -> dict[str, Any]:
        content = None if body is None else encode(body)
        return self._transport.json(method, path, content)


def _path(process_id: str, *rest: str) -> str:
    return "/".join(("/api/processes", segment(process_id), *rest))
