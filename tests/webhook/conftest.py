from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from .receiver import Receiver


@pytest.fixture
def new_receiver() -> Iterator[Callable[[], Receiver]]:
    """Makes receivers; all are closed after the test."""
    with ExitStack() as closing:

        def make() -> Receiver:
            receiver = Receiver()
            closing.callback(receiver.close)
            return receiver

        yield make


@pytest.fixture
def receiver(new_receiver: Callable[[], Receiver]) -> Receiver:
    return new_receiver()
