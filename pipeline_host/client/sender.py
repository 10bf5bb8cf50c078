"""One process's conversation with its server: each step repeated until it is settled."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Final, Protocol, TypeVar

from pipeline_host.client.api import ApiClient, Json
from pipeline_host.client.backoff import Backoff
from pipeline_host.client.errors import ApiError, ClientError

T = TypeVar("T")

QUICK: Final = (0.1, 0.2, 0.5)
"""The first delays in seconds: most often the server is only being restarted."""

PATIENCE: Final = len(QUICK) + 1
"""After how many failures in a row it is told, once the server has been reached."""

BEATS: Final = 3
"""How often in the time of a lease the server is to hear from us."""

_ENDING: Final = ("status", "endTime")


class Pause(Protocol):
    """Waits between two attempts; raises what ends the whole conversation if it is over."""

    def __call__(self, seconds: float, *, asked: bool) -> None:
        """``asked``: the server wished for this delay, so it can't be shortened."""


class Sender:
    """Sends one thing after the other; returns when the server took it or refused it for good.

    Attributes:
        registered: the server knows the process.
        terminal_status: what the process ended with on the server, as far as that was told here.
        gone: the server doesn't have the process (any more).
        complete: nothing was refused, but output after the process's end.
    """

    def __init__(
        self,
        api: ApiClient,
        process_id: str,
        *,
        pause: Pause,
        on_terminal: Callable[[str], None],
        on_problem: Callable[[ClientError], None],
    ) -> None:
        self._api = api
        self._process_id = process_id
        self._pause = pause
        self._on_terminal = on_terminal
        self._on_problem = on_problem
        self._backoff = Backoff(QUICK)
        self._failures = 0
        self._offset = 0
        self._beat: float | None = None
        self._sent_at = 0.0
        self.registered = False
        self.terminal_status: str | None = None
        self.gone = False
        self.complete = True

    def register(self, process: Json, workspace: Json | None) -> None:
        """Make the workspace, if given, and the process known."""
        if workspace is not None:
            try:
                self._persist(lambda: self._api.register_workspace(workspace))
            except ApiError as error:
                self._refused(error)
        try:
            known = self._persist(lambda: self._api.create(process))
        except ApiError as error:
            self._refused(error)
            self.gone = True
        else:
            self.registered = True
            self._beat = _beat(known)

    def silence_left(self) -> float | None:
        """In how many seconds a heartbeat is due; None where there is no lease to renew."""
        if self._beat is None or self.gone or self.terminal_status:
            return None
        return max(0.0, self._sent_at + self._beat - time.monotonic())

    def heartbeat(self) -> None:
        """Renew the process's lease."""
        try:
            self._persist(lambda: self._api.heartbeat(self._process_id))
        except ApiError as error:
            self._refused(error)

    def output(self, chunks: Sequence[Json]) -> None:
        """Add chunks to the output; nothing happens once the process has ended on the server."""
        if self.gone or self.terminal_status:
            return
        try:
            self._offset = self._persist(
                lambda: self._api.append_output(self._process_id, chunks, self._offset)
            )
        except ApiError as error:
            expected = error.expected_offset
            if expected is None or not 0 <= expected < self._offset:
                self._refused(error)
                return
            # The server lost output that it had: what was sent since can still be kept.
            self.complete = False
            self._on_problem(error)
            self._offset = expected
            self.output(chunks)

    def patch(self, changes: Json) -> None:
        """Change the process; without a status where another one has already ended it."""
        if self.gone:
            return
        try:
            self._persist(lambda: self._api.patch(self._process_id, changes))
        except ApiError as error:
            self._refused(error)
            rest = {key: value for key, value in changes.items() if key not in _ENDING}
            if error.terminal_status and rest and len(rest) < len(changes):
                self.patch(rest)

    def _refused(self, error: ApiError) -> None:
        if error.terminal_status:
            if self.terminal_status is None:
                self.terminal_status = error.terminal_status
                self._on_terminal(error.terminal_status)
            return
        self.complete = False
        self.gone = self.gone or (self.registered and error.status == HTTPStatus.NOT_FOUND)
        self._on_problem(error)

    def _persist(self, attempt: Callable[[], T]) -> T:
        """Repeat until an answer is final.

        Raises:
            ApiError: the server refused for good.
        """
        while True:
            self._sent_at = time.monotonic()
            try:
                result = attempt()
            except ClientError as error:
                if not error.retryable:
                    self._failures = 0
                    raise
                self._failures += 1
                if self._failures == (PATIENCE if self.registered else 1):
                    self._on_problem(error)
                delay = self._backoff.next(error.retry_after)
                if self._beat is not None and error.retry_after is None:
                    delay = min(delay, self._beat)
                self._pause(delay, asked=error.retry_after is not None)
            else:
                self._failures = 0
                self._backoff.reset()
                return result


def _beat(process: Json) -> float | None:
    """After how many seconds of silence a process's reporter has to be heard from; None if ever."""
    lease = process.get("lease")
    seconds = lease.get("seconds") if isinstance(lease, Mapping) else None
    return seconds / BEATS if isinstance(seconds, int | float) else None
