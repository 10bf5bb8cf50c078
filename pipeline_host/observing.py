"""Measuring from outside: how long requests and calls of a store take, for whoever asks to know."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from time import perf_counter
from typing import Any, Final, TypeAlias

import falcon

from pipeline_host.store import ProcessStore, Unsubscribe

_BEGUN: Final = "pipeline_host.begun"


Observer: TypeAlias = Callable[[str, str | None, int, float], None]
"""Told of one request whose answer is about to be sent.

Its arguments: the method, as the client sent it, so it may be anything; the template of the
route, ``None`` where no route is meant; the answer's status; how long it took until now, in
seconds, without the body of a stream.
"""


class Observing:
    """Falcon's middleware that tells observers of each request that the guard let pass."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        req.env[_BEGUN] = perf_counter()

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: object, succeeded: bool
    ) -> None:
        seconds = perf_counter() - req.env[_BEGUN]
        for observer in self._observers:
            observer(req.method, req.uri_template, resp.status_code, seconds)


def time_calls(
    store: ProcessStore, methods: Iterable[str], observe: Callable[[str, float], None]
) -> Unsubscribe:
    """Tell ``observe`` the name of each call of these methods of ``store``, and its seconds.

    Calls that raise count, too. Who has taken a method from the store before isn't observed.
    """
    methods = tuple(methods)
    for name in methods:
        setattr(store, name, _timed(name, getattr(store, name), observe))

    def undo() -> None:
        for name in methods:
            vars(store).pop(name, None)

    return undo


def _timed(
    name: str, method: Callable[..., Any], observe: Callable[[str, float], None]
) -> Callable[..., Any]:
    @wraps(method)
    def timed(*args: Any, **kwargs: Any) -> Any:
        begun = perf_counter()
        try:
            return method(*args, **kwargs)
        finally:
            observe(name, perf_counter() - begun)

    return timed
