"""Clients of ``/ws`` on other people's libraries, which all do the same and tell what they saw."""

from __future__ import annotations

import abc
import json
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import connect

import websocket
from pipeline_host.testing.server import LiveServer
from pipeline_host.testing.waiting import wait_until

LAST: Final = "last"
"""The preview of the process whose update is the last change that a client waits for."""
SCRIPT: Final = Path(__file__).with_name("follow.mjs")


class Seen:
    """What a client has seen: output, numbers of changes, close codes."""

    def __init__(self) -> None:
        self.content = ""
        self.numbers: list[int] = []
        self.codes: list[int] = []
        self.cursor: str | None = None
        self._left = {"changes", "output"}

    def wishes(self, process_id: str) -> tuple[str, str]:
        """What it says on each connection, to go on from where it was."""
        follow = {"type": "follow", "processId": process_id}
        if self.cursor is not None:
            follow["after"] = self.cursor
        subscribe = {"type": "subscribe", "since": self.numbers[-1] if self.numbers else 0}
        return json.dumps(subscribe), json.dumps(follow)

    def take(self, text: str | bytes) -> bool:
        """Note a message; whether all that is waited for has come, in whatever order."""
        message = json.loads(text)
        if "seq" in message:
            self.numbers.append(message["seq"])
        self.cursor = message.get("cursor", self.cursor)
        if message["type"] == "chunk":
            self.content += message["content"]
        if message["type"] == "done":
            self._left.discard("output")
        if message["type"] == "process-updated" and message["process"]["promptPreview"] == LAST:
            self._left.discard("changes")
        return not self._left


class Follower(abc.ABC):
    """A client that follows all changes and one process, and reconnects until both ended."""

    @abc.abstractmethod
    def content(self) -> str:
        """The output that it has got so far."""

    @abc.abstractmethod
    def result(self) -> Any:
        """What it has seen, once it saw the end: ``content``, ``numbers``, ``codes``."""

    @abc.abstractmethod
    def close(self) -> None:
        """Free what it holds."""


class _Threaded(Follower):
    def __init__(self, server: LiveServer, process_id: str) -> None:
        self.url = server.url.replace("http", "ws") + "/ws"
        self.port = server.port
        self.process_id = process_id
        self.seen = Seen()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self.visit()
            except (OSError, WebSocketException, websocket.WebSocketException):
                self._over.wait(0.05)  # the server isn't back yet

    @abc.abstractmethod
    def visit(self) -> None:
        """One connection, to its end."""

    def ends_with(self, text: str | bytes) -> bool:
        if self.seen.take(text):
            self._over.set()
        return self._over.is_set()

    def content(self) -> str:
        return self.seen.content

    def result(self) -> Any:
        self._thread.join(20)
        assert not self._thread.is_alive()
        return vars(self.seen)

    def close(self) -> None:
        self._over.set()


class WebsocketsFollower(_Threaded):
    """On the library ``websockets``."""

    def visit(self) -> None:
        with connect(self.url, compression="deflate", proxy=None) as connection:
            try:
                for wish in self.seen.wishes(self.process_id):
                    connection.send(wish)
                while not self.ends_with(connection.recv()):
                    pass
            except ConnectionClosed:
                self.seen.codes.append(connection.close_code or 0)


class WebsocketClientFollower(_Threaded):
    """On the library ``websocket-client``."""

    def visit(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as sock:
            connection = websocket.create_connection(self.url, socket=sock, timeout=20)
            for wish in self.seen.wishes(self.process_id):
                connection.send(wish)
            while True:
                opcode, data = connection.recv_data()
                if opcode == websocket.ABNF.OPCODE_CLOSE:
                    self.seen.codes.append(int.from_bytes(data[:2], "big"))
                    return
                if self.ends_with(data):
                    return


class NodeFollower(Follower):
    """On npm's ``ws``, in a Node process of its own."""

    def __init__(self, server: LiveServer, process_id: str, modules: Path) -> None:
        url = server.url.replace("http", "ws") + "/ws"
        command = ["node", str(SCRIPT), str(modules), url, process_id]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._lines: list[Any] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.append(json.loads(line))

    def content(self) -> str:
        return str(self._lines[-1]["content"]) if self._lines else ""

    def result(self) -> Any:
        assert self._process.wait(20) == 0
        self._thread.join(20)
        return self._lines[-1]

    def close(self) -> None:
        with self._process:
            self._process.kill()


IN_PAGE: Final = """processId => {
    const seen = window.seen = {content: "", numbers: [], codes: [], over: false};
    const left = new Set(["changes", "output"]);
    let cursor;
    const connect = () => {
        const socket = new WebSocket(`ws://${location.host}/ws`);
        socket.onopen = () => {
            const since = seen.numbers.at(-1) ?? 0;
            socket.send(JSON.stringify({type: "subscribe", since}));
            socket.send(JSON.stringify({type: "follow", processId, after: cursor}));
        };
        socket.onmessage = event => {
            const message = JSON.parse(event.data);
            if (message.seq) seen.numbers.push(message.seq);
            cursor = message.cursor ?? cursor;
            if (message.type === "chunk") seen.content += message.content;
            if (message.type === "done") left.delete("output");
            if (message.type === "process-updated" && message.process.promptPreview === "last")
                left.delete("changes");
            if (left.size === 0 && !seen.over) {
                seen.over = true;
                socket.close(1000);
            }
        };
        socket.onclose = event => {
            seen.codes.push(event.code);
            if (!seen.over) setTimeout(connect, 50);
        };
    };
    connect();
}"""


class PageFollower(Follower):
    """In a page of a real browser."""

    def __init__(self, server: LiveServer, process_id: str, page: Page) -> None:
        self._page = page
        page.goto(f"{server.url}/api/health")
        page.evaluate(IN_PAGE, process_id)

    def content(self) -> str:
        return str(self._page.evaluate("() => window.seen.content"))

    def result(self) -> Any:
        wait_until(lambda: self._page.evaluate("() => window.seen.over"), timeout=20)
        return self._page.evaluate("() => window.seen")

    def close(self) -> None:
        """The page is the fixture's."""
