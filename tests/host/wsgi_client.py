"""Requests to a WSGI application in this process, exactly as a server would hand them over."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes
from wsgiref.util import setup_testing_defaults

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def call(
    app: WSGIApplication, method: str, target: str, body: bytes = b"", **headers: str
) -> Answer:
    """Send a request; headers are WSGI variables, ``HTTP_ORIGIN`` or ``CONTENT_TYPE``."""
    path, _, query = target.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "RAW_URI": target,
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "HTTP_HOST": "127.0.0.1:4000",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    setup_testing_defaults(environ)
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        started.append((status, headers))

    chunks = app(environ | headers, start_response)
    try:
        received = b"".join(chunks)
    finally:
        getattr(chunks, "close", lambda: None)()
    (status, pairs), *more = started
    assert not more
    answered = {name.lower(): value for name, value in pairs}
    assert len(answered) == len(pairs), f"a header is there twice: {pairs}"
    return Answer(int(status.split()[0]), answered, received)
