"""The client that an editor's extension or an agent embeds: it never blocks, never raises."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from pipeline_host.client.api import DEFAULT_URL, TIMEOUT, ApiClient
from pipeline_host.client.batch import clean, pieces
from pipeline_host.client.desk import Desk
from pipeline_host.client.errors import ClientError
from pipeline_host.client.follow import changes, follow
from pipeline_host.client.ids import new_id, workspace_identity
from pipeline_host.client.items import (
    Cancel,
    Create,
    Drop,
    Json,
    Output,
    Register,
    Remove,
    Update,
)
from pipeline_host.client.leaving import opened
from pipeline_host.client.outbox import MAX_BYTES, MAX_QUEUE, Outbox
from pipeline_host.client.overflow import OverflowFile
from pipeline_host.client.post_office import PostOffice
from pipeline_host.client.remote import RemoteProcess
from pipeline_host.client.spool import Spool
from pipeline_host.client.sse import Event
from pipeline_host.client.telling import Teller
from pipeline_host.client.times import now
from pipeline_host.client.told import Told
from pipeline_host.client.transport import Timeout, Transport
from pipeline_host.client.values import plain
from pipeline_host.client.watch import OnEnd, Watches

CLOSE_TIMEOUT: Final = 5.0
WORKSPACE_HEADER: Final = "X-Workspace-Id"


class ExtensionClient:
    """Reports processes to a server in the background.

    Every method that reports something returns at once and never raises: what it was told waits
    in a queue and is sent by one thread, in order for each process. While the server can't be
    reached, or asks to be left alone, that thread waits and tries again.

    Args:
        server_url: such as ``http://127.0.0.1:4000``.
        workspace: what processes belong to: a folder, or a record ``{id, name, rootPath, color?}``.
        token: sent as ``Authorization: Bearer …``.
        max_queue: how many calls may wait; beyond that the oldest is dropped and told to
            ``on_drop``. None for no limit: what memory has no room for waits in a temporary file.
        spool: a folder in which the queue is kept on disk, so that what waits when this program
            ends is sent when it starts again.
        offline: True queues everything without sending anything; see :attr:`offline`.
        on_connection_change: called with True when the server answers, with False when it
            can't be reached any more. Like ``on_drop`` it is called in the client's own thread.
        on_drop: called for everything that won't be sent, with the reason.
        on_terminal: called with a process's id and status when the server refuses something
            because that process has ended there.
        timeout: seconds to wait for the connection, and for each part of an answer.

    Raises:
        ValueError: ``server_url`` is not an http or https URL.
    """

    def __init__(
        self,
        server_url: str = DEFAULT_URL,
        *,
        workspace: str | os.PathLike[str] | Json | None = None,
        token: str | None = None,
        max_queue: int | None = MAX_QUEUE,
        spool: str | os.PathLike[str] | None = None,
        offline: bool = False,
        on_connection_change: Callable[[bool], None] | None = None,
        on_drop: Callable[[Drop], None] | None = None,
        on_terminal: Callable[[str, str], None] | None = None,
        timeout: Timeout = TIMEOUT,
    ) -> None:
        self._workspace = _record(workspace)
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        if self._workspace and isinstance(self._workspace.get("id"), str):
            self._headers[WORKSPACE_HEADER] = self._workspace["id"]
        self._options = (server_url, timeout, max_queue, spool)
        self._callbacks = (on_connection_change, on_drop, on_terminal)
        self._begin(offline)
        opened(self)

    def _begin(self, offline: bool) -> None:
        server_url, timeout, max_queue, spool = self._options
        on_connection_change, on_drop, on_terminal = self._callbacks
        self._api = ApiClient(server_url, timeout, self._headers)
        self._watches = Watches(self._api)
        self._told, self._told_lock = Told(), threading.Lock()
        limited = max_queue is not None
        self._desk = Desk(
            Outbox(max_queue, MAX_BYTES if limited else None, None if limited else OverflowFile()),
            Spool(None if spool is None else Path(spool).expanduser(), self._api.server_url),
            Teller(
                [self._on_connection, *([on_connection_change] if on_connection_change else [])],
                [self._on_drop, *([on_drop] if on_drop else [])],
                on_terminal,
            ),
        )
        transport = Transport(server_url, timeout, self._headers)
        self._office = PostOffice(transport, self._desk, offline=offline)

    @property
    def api(self) -> ApiClient:
        """Direct, blocking requests to the same server."""
        return self._api

    @property
    def workspace(self) -> Json | None:
        """The record of the workspace that processes belong to."""
        return self._workspace

    @property
    def connected(self) -> bool:
        """Whether the server answered when it was last tried."""
        return bool(self._desk.connected)

    @property
    def trouble(self) -> ClientError | None:
        """What went wrong in the last attempt to reach the server, if something did."""
        return self._desk.trouble

    @property
    def pending(self) -> int:
        """How many requests wait or are under way."""
        return len(self._desk.outbox)

    @property
    def pending_output(self) -> int:
        """How much output waits or is under way, in UTF-8 bytes."""
        with self._desk.changed:
            return self._desk.outbox.output_bytes()

    @property
    def dropped(self) -> int:
        """How much was dropped so far: each time ``on_drop`` is called it is one more."""
        return self._desk.teller.dropped

    @property
    def offline(self) -> bool:
        """True while everything is queued and no request made, no heartbeat either; may be set."""
        return self._office.offline

    @offline.setter
    def offline(self, offline: bool) -> None:
        self._office.offline = offline

    def register_workspace(self, workspace: str | os.PathLike[str] | Json | None = None) -> None:
        """Make a workspace known to the server, or this client's own.

        Args:
            workspace: a folder, or a record ``{id, name, rootPath, color?}``.
        """
        with self._guarded(None):
            record = self._workspace if workspace is None else _record(workspace)
            if record is None:
                raise ValueError("this client has no workspace")
            self._office.put(Register(plain(record)))

    def submit(self, process: Json) -> str:
        """Make a process known; its id.

        Args:
            process: its fields as on the wire; ``id``, ``status`` (``running``) and
                ``startTime`` (now) are filled in where they are left out, and the client's
                workspace where it names none. With ``leaseSeconds`` the client sends heartbeats
                until the process ends.
        """
        name = new_id()
        with self._guarded(name):
            fields = {"id": name, "status": "running", "startTime": now(), **plain(process)}
            fresh = fields["id"] == name
            name = _name(fields["id"])
            fields = self._placed(fields)
            with self._told_lock:
                self._told.create(name, fields)
                self._office.put(Create(name, fields, fresh))
        return name

    def update(self, process_id: str, changes: Json) -> None:
        """Change a process; what was told before isn't sent again.

        Args:
            process_id: the process.
            changes: any of ``status result error endTime structuredResult metadata exitCode
                cancellation``; other fields of a process may be there and don't matter.
        """
        with self._guarded(process_id):
            fields = plain(changes)
            with self._told_lock:
                new = self._told.changed(_name(process_id), fields)
                if new:
                    self._office.put(Update(process_id, new))

    def output(self, process_id: str, content: str, stream: str | None = None) -> None:
        """Add to a process's output, which nobody else may do meanwhile.

        Args:
            process_id: the process.
            content: what to add.
            stream: by custom ``stdout`` or ``stderr``.
        """
        with self._guarded(process_id):
            source = {} if stream is None else {"stream": plain(stream)}
            for piece in pieces(clean(content)):
                self._office.put(Output(_name(process_id), ({"content": piece, **source},)))

    def complete(self, process_id: str, status: str = "completed", **fields: Any) -> None:
        """End a process.

        Args:
            process_id: the process.
            status: ``completed``, ``failed`` or ``cancelled``.
            fields: others to change with it, as in :meth:`update`: ``result``, ``error``,
                ``exitCode`` …
        """
        self.update(process_id, {"status": status, "endTime": now(), **fields})

    def cancel(self, process_id: str) -> None:
        """Ask for a process to be stopped."""
        with self._guarded(process_id):
            self._office.put(Cancel(_name(process_id)))

    def remove(self, process_id: str) -> None:
        """Have a process and its output forgotten; what waits for it isn't sent any more."""
        with self._guarded(process_id), self._told_lock:
            self._told.forget(_name(process_id))
            self._office.put(Remove(process_id))

    def process(self, preview: str, **options: Any) -> RemoteProcess:
        """A process of this program's own, for a ``with`` block.

        Args:
            preview: what it is called in lists.
            options: see :class:`RemoteProcess`: ``prompt``, ``type``, ``parent``, ``lease`` ….
        """
        return RemoteProcess(self, preview, **options)

    def follow(
        self, process_id: str, last_event_id: str | None = None, replay: bool = True
    ) -> Iterator[Event]:
        """The events of a process, through every interruption; see :func:`follow`."""
        return follow(self._api, process_id, last_event_id, replay)

    def changes(
        self, workspace: str | None = None, last_event_id: str | None = None
    ) -> Iterator[Event]:
        """What happens to all processes, or to a workspace's; see :func:`changes`."""
        return changes(self._api, workspace, last_event_id)

    def watch(
        self,
        process_id: str,
        on_end: OnEnd,
        workspace: str | None = None,
        *,
        new: bool = False,
    ) -> None:
        """Have it told when a process ends on the server, by whomever: a cancel, above all.

        Args:
            process_id: the process.
            on_end: called once, in a thread of the client's, with the status (``removed`` where
                the process is there no more) and the error.
            workspace: the id of the process's workspace; the client's own unless given.
            new: it is only going to be created, so that the server needn't be asked for it.
        """
        if workspace is None and self._workspace is not None:
            workspace = self._workspace.get("id")
        self._watches.of(workspace).add(process_id, on_end, new=new)

    def health_check(self) -> bool:
        """Ask the server how it is, now; whether it is well. Waits for the answer."""
        try:
            return self._api.health().get("status") == "ok"
        except ClientError:
            return False

    def wait_attempted(self, process_id: str, timeout: float) -> bool:
        """Wait until the server took or refused a process, or couldn't be reached.

        Args:
            process_id: the process.
            timeout: how long to wait at most, in seconds.
        """
        return self._office.wait_attempted(process_id, timeout)

    def wait_registered(self, process_id: str, timeout: float | None = None) -> bool:
        """Wait until the server took a process that was submitted; whether it did.

        Args:
            process_id: the process.
            timeout: how long to wait at most, in seconds; None until it is taken or refused.
        """
        return self._office.wait_registered(process_id, timeout)

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until nothing waits any more, with shorter pauses; offline it doesn't wait.

        Args:
            timeout: how long to wait at most, in seconds; None for as long as it takes.

        Returns:
            Whether nothing waits.
        """
        return self._office.flush(timeout)

    def close(self, timeout: float = CLOSE_TIMEOUT) -> bool:
        """Flush, then send no more.

        What is left stays in the spool, where there is one, and is dropped otherwise. A client
        that isn't closed is closed when the program ends, within two seconds.

        Args:
            timeout: how long to wait at most, in seconds.

        Returns:
            Whether nothing was left.
        """
        try:
            return self._office.flush(timeout)
        finally:
            self._office.close()
            self._watches.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _after_fork(self) -> None:
        """In a forked child: begin anew; what waits is the parent's to send."""
        self._desk.spool.abandon()
        self._begin(self._office.offline)

    def _on_connection(self, connected: bool) -> None:
        if connected:
            self._watches.hurry()

    def _on_drop(self, drop: Drop) -> None:
        if drop.process_id is not None:
            with self._told_lock:
                self._told.forget(drop.process_id)

    def _placed(self, process: dict[str, Any]) -> dict[str, Any]:
        """The process in this client's workspace, unless it names one."""
        metadata = process.get("metadata") or {}
        if self._workspace is None or "workspaceId" in process or "workspaceId" in metadata:
            return process
        name = self._workspace.get("name")
        named = metadata if name is None else {"workspaceName": plain(name), **metadata}
        return {**process, "workspaceId": plain(self._workspace["id"]), "metadata": named}

    @contextmanager
    def _guarded(self, process_id: str | None) -> Iterator[None]:
        """Nothing that a caller gives, and no mistake of ours, raises into the caller."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  # whatever it is, the caller goes on
            self._office.refuse(Drop(None, process_id, f"it can't be sent: {error}", error))


def _name(process_id: object) -> str:
    if not isinstance(process_id, str) or not process_id:
        raise ValueError(f"a process's id has to be a text, got {process_id!r:.100}")
    return clean(process_id)


def _record(workspace: str | os.PathLike[str] | Json | None) -> Json | None:
    if workspace is None or isinstance(workspace, Mapping):
        return workspace
    return workspace_identity(workspace).record()
