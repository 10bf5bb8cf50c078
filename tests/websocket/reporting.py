"""What reporters do to processes, over HTTP, for tests."""

from __future__ import annotations

import itertools
import os
from typing import Any, Final
from urllib.parse import quote

import requests

TIMEOUT: Final = 20
_numbers: Final = itertools.count(1)


class Reporter:
    """Reports one process to a server."""

    def __init__(self, port: int, process_id: str = "", **fields: Any) -> None:
        self.id = process_id or f"ws-{os.getpid()}-{next(_numbers)}"
        self.api = f"http://127.0.0.1:{port}/api"
        self.url = f"{self.api}/processes/{quote(self.id, safe='')}"
        self.create(**fields)

    def create(self, **fields: Any) -> None:
        body = {
            "id": self.id,
            "promptPreview": "p",
            "status": "running",
            "startTime": "2026-11-22T07:00:00.000Z",
        }
        self._send("POST", f"{self.api}/processes", body | fields)

    def write(self, *contents: str, stream: str | None = None) -> None:
        told = {} if stream is None else {"stream": stream}
        chunks = [{"content": content, **told} for content in contents]
        self._send("POST", f"{self.url}/output", {"chunks": chunks})

    def patch(self, **fields: Any) -> None:
        self._send("PATCH", self.url, fields)

    def complete(self, **fields: Any) -> None:
        body = {"status": "completed", "endTime": "2026-11-22T07:02:34.000Z"}
        self.patch(**(body | fields))

    def delete(self) -> None:
        self._send("DELETE", self.url, None)

    def _send(self, method: str, url: str, body: dict[str, Any] | None) -> None:
        answer = requests.request(method, url, json=body, timeout=TIMEOUT)
        assert answer.ok, answer.text
