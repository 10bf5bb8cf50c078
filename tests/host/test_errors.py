from __future__ import annotations

import inspect
from http import HTTPStatus

import pytest

from pipeline_host import errors
from pipeline_host.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    OffsetMismatch,
    PipelineHostError,
    StorageFull,
    StoreUnavailable,
    TerminalState,
)

ALL = [
    error
    for _, error in inspect.getmembers(errors, inspect.isclass)
    if issubclass(error, PipelineHostError)
]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("InvalidInput", 400),
        ("BodyTooLarge", 413),
        ("UnsupportedContent", 415),
        ("BodyTimeout", 408),
        ("NotFound", 404),
        ("Conflict", 409),
        ("TerminalState", 409),
        ("OffsetMismatch", 409),
        ("StoreUnavailable", 503),
        ("StorageFull", 507),
        ("StoreCorrupt", 500),
    ],
)
def test_each_knows_its_http_status(error: str, status: int) -> None:
    assert getattr(errors, error).status == status


@pytest.mark.parametrize("error", ALL)
def test_each_has_a_status_that_tells_of_an_error(error: type[PipelineHostError]) -> None:
    assert isinstance(error.status, HTTPStatus)
    assert error.status >= 400


def test_the_sentence_of_invalid_input_names_the_field() -> None:
    error = InvalidInput.field("limit", "an integer")
    assert str(error) == "limit: expected an integer"
    assert isinstance(error, InvalidInput)
    assert error.extra() == {}


def test_a_subclass_makes_its_own() -> None:
    assert type(errors.BodyTooLarge.field("body", "less")) is errors.BodyTooLarge


def test_not_found_has_the_sentence_clients_know() -> None:
    assert str(NotFound()) == "Process not found"
    assert str(NotFound("No such route")) == "No such route"


def test_a_terminal_state_says_which() -> None:
    error = TerminalState("failed")
    assert str(error) == "Process is already in terminal state: failed"
    assert error.process_status == "failed"


def test_a_wrong_offset_tells_the_right_one() -> None:
    error = OffsetMismatch(sent=9, expected=5)
    assert "5" in str(error)
    assert "9" in str(error)
    assert error.extra() == {"offset": 5}


def test_kinds_can_be_caught_together() -> None:
    assert issubclass(TerminalState, Conflict)
    assert issubclass(OffsetMismatch, Conflict)
    assert issubclass(StorageFull, StoreUnavailable)
    assert all(issubclass(error, PipelineHostError) for error in ALL)
