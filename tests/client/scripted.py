"""A small real HTTP server that keeps processes and output in memory, and misbehaves on demand."""

from __future__ import annotations

import json
import socket
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from pipeline_host.testing.server import hold_port

TERMINAL = ("completed", "failed", "cancelled")


@dataclass(frozen=True)
class Seen:
    """A request that arrived."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True)
class Fault:
    """What to do instead of answering as it should be.

    ``answer`` sends this status and body and does nothing; ``truncate``, ``drop`` and ``hang`` do
    what was asked and then send half of the answer, none, or none for a long time.
    """

    kind: Literal["answer", "truncate", "drop", "hang"]
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b'{"error": "as told"}'
    only: str = ""


@dataclass
class Stored:
    process: dict[str, Any]
    created_with: dict[str, Any]
    chunks: list[dict[str, Any]] = field(default_factory=list)

    @property
    def output(self) -> bytes:
        return "".join(chunk["content"] for chunk in self.chunks).encode()

    @property
    def ended(self) -> bool:
        return self.process["status"] in TERMINAL


class ScriptedServer:
    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.workspaces: dict[str, Any] = {}
        self.processes: dict[str, Stored] = {}
        self.faults: deque[Fault] = deque()
        self.changed = threading.Condition()
        self.released = threading.Event()
        self.stream_generation = 0
        self.port = 0
        self._hold: socket.socket | None = None
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> ScriptedServer:
        """Listen, where it did before if it did."""
        if self._hold is None:
            self._hold = hold_port()
            self.port = self._hold.getsockname()[1]
        self._server = _Server(("127.0.0.1", self.port), _Handler)
        self._server.scripted = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def stop(self) -> None:
        """End it; open connections break."""
        server, self._server = self._server, None
        if server is None or self._thread is None:
            return
        self.released.set()
        self.cut_streams()
        server.shutdown()
        self._thread.join()
        server.server_close()
        server.break_connections()

    def close(self) -> None:
        """End it and let go of its port."""
        self.stop()
        if self._hold is not None:
            self._hold.close()

    def fault(self, kind: Any, times: int = 1, **details: Any) -> None:
        self.faults.extend([Fault(kind, **details)] * times)

    def take_fault(self, line: str) -> Fault | None:
        with self.changed:
            for fault in self.faults:
                if fault.only in line:
                    self.faults.remove(fault)
                    return fault
        return None

    def output(self, process_id: str) -> bytes:
        with self.changed:
            stored = self.processes.get(process_id)
            return stored.output if stored else b""

    def cut_streams(self) -> None:
        """Break every open event stream."""
        with self.changed:
            self.stream_generation += 1
            self.changed.notify_all()

    def set_status(self, process_id: str, status: str) -> None:
        with self.changed:
            self.processes[process_id].process["status"] = status
            self.changed.notify_all()

    def requests(self, ending: str) -> list[Seen]:
        return [seen for seen in self.seen if seen.target.partition("?")[0].endswith(ending)]

    # What the requests do; each returns a status and a body.

    def create(self, body: dict[str, Any]) -> tuple[int, Any]:
        known = self.processes.get(body["id"])
        if known is not None:
            same = known.created_with == body
            return (200, known.process) if same else (409, {"error": "id: is known"})
        asked = {"lease": {"seconds": body["leaseSeconds"]}} if "leaseSeconds" in body else {}
        stored = self.processes[body["id"]] = Stored(body | asked, body)
        return 201, stored.process

    def change(self, stored: Stored, body: dict[str, Any]) -> tuple[int, Any]:
        status = body.get("status", stored.process["status"])
        if stored.ended and status != stored.process["status"]:
            return 409, {"error": _terminal(stored)}
        stored.process.update(body)
        return 200, {"process": stored.process}

    def heartbeat(self, stored: Stored) -> tuple[int, Any]:
        if stored.ended:
            return 409, {"error": _terminal(stored)}
        return 200, {"process": stored.process}

    def cancel(self, stored: Stored) -> tuple[int, Any]:
        if stored.ended:
            return 409, {"error": _terminal(stored)}
        stored.process["status"] = "cancelled"
        return 200, {"process": stored.process}

    def append(self, stored: Stored, body: dict[str, Any]) -> tuple[int, Any]:
        length = len(stored.output)
        content = "".join(chunk["content"] for chunk in body["chunks"]).encode()
        offset = body.get("offset", length)
        if offset > length:
            return 409, {"error": f"offset: expected {length}", "offset": length}
        known = stored.output[offset : offset + len(content)]
        if not content.startswith(known):
            return 409, {"error": f"offset: expected {length}", "offset": length}
        if len(known) < len(content) and stored.ended:
            return 409, {"error": _terminal(stored)}
        if not known:
            stored.chunks.extend(body["chunks"])
        elif len(known) < len(content):
            stored.chunks.append({"content": content[len(known) :].decode()})
        return 200, {"offset": len(stored.output)}


def _terminal(stored: Stored) -> str:
    return f"Process is already in terminal state: {stored.process['status']}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    scripted: ScriptedServer

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._sockets: set[Any] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._sockets.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._sockets.discard(request)
        super().shutdown_request(request)

    def break_connections(self) -> None:
        for connection in tuple(self._sockets):
            try:
                connection.shutdown(2)
            except OSError:
                continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_PATCH(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    def _handle(self) -> None:
        scripted = self.server.scripted
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length)) if length else None
        with scripted.changed:
            scripted.seen.append(Seen(self.command, self.path, dict(self.headers), body))
            scripted.changed.notify_all()
        fault = scripted.take_fault(f"{self.command} {self.path}")
        if fault and fault.kind == "answer":
            self._send(fault.status, fault.body, fault.headers)
        elif self.path.partition("?")[0].endswith("/stream"):
            self._stream()
        else:
            with scripted.changed:
                status, answer = self._act(body)
                scripted.changed.notify_all()
            self._answer(status, json.dumps(answer).encode(), fault)

    def _act(self, body: Any) -> tuple[int, Any]:
        scripted = self.server.scripted
        match [self.command, *urlsplit(self.path).path.split("/")[2:]]:
            case ["POST", "workspaces"]:
                scripted.workspaces[body["id"]] = body
                return 201, body
            case ["GET", "health"]:
                return 200, {"status": "ok", "uptime": 1, "processCount": len(scripted.processes)}
            case ["POST", "processes"]:
                return scripted.create(body)
            case ["DELETE", "processes", name] if unquote(name) in scripted.processes:
                del scripted.processes[unquote(name)]
                return 204, None
            case [method, "processes", name, *rest] if unquote(name) in scripted.processes:
                stored = scripted.processes[unquote(name)]
                if method == "GET":
                    return 200, {"process": stored.process}
                if rest == ["heartbeat"]:
                    return scripted.heartbeat(stored)
                if rest == ["cancel"]:
                    return scripted.cancel(stored)
                return scripted.append(stored, body) if rest else scripted.change(stored, body)
        return 404, {"error": "Process not found"}

    def _answer(self, status: int, content: bytes, fault: Fault | None) -> None:
        if fault is None:
            self._send(status, content)
            return
        self.close_connection = True
        if fault.kind == "hang":
            self.server.scripted.released.wait(30)
        if fault.kind == "truncate":
            self._send(status, content, cut=len(content) // 2)

    def _send(
        self, status: int, content: bytes, headers: Mapping[str, str] = {}, cut: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(b"" if status == 204 else content[:cut])

    def _stream(self) -> None:
        """Chunks so far, then more as they come; an id is the number of chunks seen."""
        scripted = self.server.scripted
        name = unquote(urlsplit(self.path).path.split("/")[3])
        stored = scripted.processes.get(name)
        if stored is None:
            self._send(404, b'{"error": "Process not found"}')
            return
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        sent = int(self.headers.get("Last-Event-ID") or 0)
        if "replay=false" in self.path and "Last-Event-ID" not in self.headers:
            sent = len(stored.chunks)
        self.wfile.write(b": hello\n\nevent: heartbeat\ndata: {}\n\n")
        generation = scripted.stream_generation
        while True:
            with scripted.changed:
                if generation != scripted.stream_generation:
                    return
                chunks, ended = stored.chunks[sent:], stored.ended
                status = stored.process["status"]
                if not chunks and not ended:
                    scripted.changed.wait(1)
                    continue
            for chunk in chunks:
                sent += 1
                self._event("chunk", chunk, sent)
            if ended:
                self._event("status", {"status": status}, sent)
                self._event("done", {"processId": name}, sent)
                return

    def _event(self, kind: str, data: Any, number: int) -> None:
        frame = f"id: {number}\nevent: {kind}\ndata: {json.dumps(data)}\n\n"
        self.wfile.write(frame.encode())

    def log_message(self, *args: Any) -> None:
        """Nothing is logged."""
