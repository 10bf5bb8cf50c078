"""The errors pipeline_host raises: a small tree, each with a sentence for whoever reads it.

An error that a client can meet knows its HTTP status (:attr:`PipelineHostError.status`); the
sentence is the ``error`` of the answer's body.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, ClassVar


class PipelineHostError(Exception):
    """The base of all errors of this package. ``str(error)`` is the sentence."""

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR

    def extra(self) -> dict[str, Any]:
        """More keys for the body of an answer, beside ``error``."""
        return {}


class InvalidInput(PipelineHostError):
    """Something a client sent can't be read; the sentence names the field and what was expected."""

    status = HTTPStatus.BAD_REQUEST

    @classmethod
    def field(cls, name: str, expected: str) -> InvalidInput:
        return cls(f"{name}: expected {expected}")


class BodyTooLarge(InvalidInput):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class UnsupportedContent(InvalidInput):
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class BodyTimeout(InvalidInput):
    """A request's body stopped arriving."""

    status = HTTPStatus.REQUEST_TIMEOUT


class NotFound(PipelineHostError):
    status = HTTPStatus.NOT_FOUND

    def __init__(self, message: str = "Process not found") -> None:
        super().__init__(message)


class Conflict(PipelineHostError):
    """What was asked for doesn't go with what is stored."""

    status = HTTPStatus.CONFLICT


class TerminalState(Conflict):
    """The process has ended, so its status and its output can't change any more."""

    def __init__(self, status: str) -> None:
        super().__init__(f"Process is already in terminal state: {status}")
        self.process_status = status


class OffsetMismatch(Conflict):
    """Output that doesn't begin where the stored output ends; tells where that is.

    Args:
        differs: the output is longer than ``sent``, and not the same from there on.
    """

    def __init__(self, sent: int, expected: int, *, differs: bool = False) -> None:
        other = ", where other output is stored" if differs else ""
        super().__init__(f"offset: expected {expected}, the output's length, but got {sent}{other}")
        self.expected = expected

    def extra(self) -> dict[str, Any]:
        return {"offset": self.expected}


class StoreUnavailable(PipelineHostError):
    """The store can't do this now; the same request may succeed later."""

    status = HTTPStatus.SERVICE_UNAVAILABLE


class TooManyStreams(PipelineHostError):
    """There are as many streams as the settings allow."""

    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, most: int) -> None:
        super().__init__(f"There are {most} open streams, as many as may be; try again later")


class StorageFull(StoreUnavailable):
    """The disk has no room; what is stored stays readable."""

    status = HTTPStatus.INSUFFICIENT_STORAGE


class StoreCorrupt(PipelineHostError):
    """Stored data is damaged where it can't be worked around; names the file and the offset."""


class StartupError(PipelineHostError):
    """The server can't start as asked; the sentence says why and what to do."""


class InvalidSettings(StartupError):
    """A setting has a value that can't be used; names the setting and where it was set."""


class PluginError(StartupError):
    """A plugin that the settings ask for can't be used."""


class PluginConflict(PluginError):
    """Two plugins provide the same name; names both distributions."""
