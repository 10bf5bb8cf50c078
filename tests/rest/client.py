"""A bare HTTP client for tests: sends a path and a body exactly as they are written."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

START: Final = "2026-11-22T07:00:00.000Z"
FULL: Final[dict[str, Any]] = {
    "type": "code-review",
    "promptPreview": "Review €",
    "fullPrompt": "Review all of it\n\u2028\u0000",
    "status": "completed",
    "startTime": START,
    "endTime": "2026-11-22T07:02:34.000Z",
    "error": "none",
    "result": "fine",
    "structuredResult": '{"ok":true}',
    "resultFilePath": "/tmp/result",
    "rawStdoutFilePath": "/tmp/raw",
    "parentProcessId": "parent",
    "sdkSessionId": "session",
    "backend": "sdk",
    "workingDirectory": "/work",
    "metadata": {"workspaceId": "w", "deep": {"list": [1, 1.5, None, True, "x"]}},
    "groupMetadata": {"a": 1},
    "codeReviewMetadata": {"b": {}},
    "discoveryMetadata": {},
    "codeReviewGroupMetadata": {"c": []},
    "exitCode": 0,
    "cancellation": {
        "requestedTime": START,
        "outcome": "terminated",
        "outcomeTime": START,
    },
}
"""Every field that a reporter can send, but the id."""

_numbers: Final = itertools.count(1)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, which has to be JSON and say so."""
        assert self.headers["content-type"] == "application/json", self.headers
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The sentence of an error."""
        sentence = self.json()["error"]
        assert isinstance(sentence, str)
        assert sentence
        return sentence


class Api:
    """The HTTP API of a server that really runs."""

    def __init__(self, port: int) -> None:
        self.port = port

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request on a connection of its own; an iterable body is sent in chunks."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            chunked = body is not None and not isinstance(body, bytes)
            connection.request(method, path, body, dict(headers or {}), encode_chunked=chunked)
            response = connection.getresponse()
            told = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, told, response.read())
        finally:
            connection.close()

    def send(self, method: str, path: str, value: object) -> Answer:
        """A request with a JSON body."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return self.request(method, path, body, {"Content-Type": "application/json"})

    def get(self, path: str, **headers: str) -> Answer:
        return self.request(
            "GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )

    def post(self, path: str, value: object) -> Answer:
        return self.send("POST", path, value)

    def patch(self, path: str, value: object) -> Answer:
        return self.send("PATCH", path, value)

    def delete(self, path: str) -> Answer:
        return self.request("DELETE", path)

    def create(self, **fields: Any) -> dict[str, Any]:
        """A new process, running unless told otherwise."""
        answer = self.post("/api/processes", new_process(**fields))
        assert answer.status == 201, answer
        process = answer.json()
        assert isinstance(process, dict)
        return process

    def connect(self) -> socket.socket:
        """A connection to write a request on by hand."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)


def unique(name: str = "p") -> str:
    """A name that no other test has."""
    return f"{name}-{os.getpid()}-{next(_numbers)}"


def new_process(**fields: Any) -> dict[str, Any]:
    """What a reporter sends to create a process."""
    process = {
        "id": unique(),
        "promptPreview": "Look at this",
        "status": "running",
        "startTime": START,
    }
    return process | fields


def item(process_id: str, rest: str = "") -> str:
    """The path of a process."""
    return f"/api/processes/{quote(process_id, safe='')}{rest}"
