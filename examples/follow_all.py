"""Print everything that happens on a pipeline_host server, and miss nothing when it restarts.

    pip install websockets
    python follow_all.py [ws://127.0.0.1:4000/ws] [WORKSPACE]

It remembers the number of the last change it was told, and subscribes with it each time it
connects. The output of each process that starts is followed too, from the last cursor on.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect

RETRY = 1.0
"""Seconds between attempts to connect again."""


class Follower:
    """Knows how far it has been told, so that it can go on from there."""

    def __init__(self, workspace: str | None) -> None:
        self._workspace = workspace
        self._since: int | None = None
        self._cursors: dict[str, str | None] = {}

    def follow(self, connection: ClientConnection) -> None:
        """Print what comes over one connection, up to its end."""
        self._say(connection, type="subscribe", workspaceId=self._workspace, since=self._since)
        for process_id, cursor in self._cursors.items():
            self._say(connection, type="follow", processId=process_id, after=cursor)
        for text in connection:
            self._take(connection, json.loads(text))

    def _take(self, connection: ClientConnection, message: dict[str, Any]) -> None:
        kind = message["type"]
        self._since = message.get("seq", self._since)
        if kind == "process-added":
            process = message["process"]
            print(f"{process['id']}: {process['promptPreview']}")
            self._cursors[process["id"]] = None
            self._say(connection, type="follow", processId=process["id"])
        elif kind == "chunk":
            self._cursors[message["processId"]] = message["cursor"]
            print(f"{message['processId']}> {message['content']!r}")
        elif kind == "done":
            self._cursors.pop(message["processId"], None)
            print(f"{message['processId']}: {message.get('status') or message['error']}")
        elif kind == "resync":
            print("some changes are too old to be told; read /api/processes for what there is now")
        elif kind == "gap":
            print(f"{message['processId']}: {message['missingBytes']} bytes are gone")

    @staticmethod
    def _say(connection: ClientConnection, **message: Any) -> None:
        told = {name: value for name, value in message.items() if value is not None}
        connection.send(json.dumps(told))


def main() -> None:
    url = sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:4000/ws"
    follower = Follower(sys.argv[2] if len(sys.argv) > 2 else None)
    while True:
        try:
            with connect(url, proxy=None) as connection:
                follower.follow(connection)
        except (OSError, ConnectionClosed, InvalidHandshake) as error:
            print(f"not connected: {error}", file=sys.stderr)
        time.sleep(RETRY)


if __name__ == "__main__":
    main()
