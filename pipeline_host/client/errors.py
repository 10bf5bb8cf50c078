"""What can go wrong between a client and its server."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

_TERMINAL: Final = re.compile(r"already in terminal state: (\w+)")
_LATER: Final = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)


class ClientError(Exception):
    """The base of what an :class:`~pipeline_host.client.ApiClient` raises.

    ``str(error)`` is a sentence for people.

    Attributes:
        retryable: the same request may succeed later.
        retry_after: for how many seconds the server asked to be left alone, where it did.
    """

    retryable: bool = False
    retry_after: float | None = None


class Unreachable(ClientError):
    """No answer came, or only a part of one; whether the request was carried out is unknown."""

    retryable = True


class BadAnswer(ClientError):
    """Something answered, but not as a pipeline_host server does: a proxy, or another program."""

    retryable = True


class ApiError(ClientError):
    """The server refused.

    Attributes:
        status: the HTTP status.
        sentence: the ``error`` of the answer, or the status in words where there is none.
        body: the answer's JSON object; empty where it was something else.
    """

    def __init__(
        self,
        status: int,
        sentence: str,
        body: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.body: Mapping[str, Any] = {} if body is None else body
        self.retry_after = retry_after
        self.retryable = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _LATER

    @property
    def terminal_status(self) -> str | None:
        """The status that the process ended with, where that is why the server refused."""
        found = _TERMINAL.search(self.sentence) if self.status == HTTPStatus.CONFLICT else None
        return found[1] if found else None

    @property
    def expected_offset(self) -> int | None:
        """Where output has to go on, where the server refused it at the place that was told."""
        offset = self.body.get("offset") if self.status == HTTPStatus.CONFLICT else None
        return offset if isinstance(offset, int) else None
