"""The client that an editor's extension or an agent embeds: it never blocks, never raises."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from pipeline_host.client.api import DEFAULT_URL, TIMEOUT
from pipeline_host.client.calls import (
    creation,
    plain_fields,
    process_name,
    workspace_record,
    writes,
)
from pipeline_host.client.engine import Engine, Options
from pipeline_host.client.errors import ClientError
from pipeline_host.client.ids import new_id
from pipeline_host.client.items import Cancel, Drop, Json, Register
from pipeline_host.client.leaving import opened
from pipeline_host.client.looking import Looking
from pipeline_host.client.outbox import MAX_QUEUE
from pipeline_host.client.remote import RemoteProcess
from pipeline_host.client.times import now
from pipeline_host.client.transport import Timeout
from pipeline_host.client.values import plain

CLOSE_TIMEOUT: Final = 5.0


class ExtensionClient(Looking):
    """Reports processes to a server in the background.

    Every method that reports something returns at once and never raises: what it was told waits
    in a queue and is sent by one thread, in order for each process. While the server can't be
    reached, or asks to be left alone, that thread waits and tries again.

    Args:
        server_url: such as ``http://127.0.0.1:4000``.
        workspace: what processes belong to: a folder, or a record ``{id, name, rootPath, color?}``.
        token: sent as ``Authorization: Bearer …``.
        max_queue: how many requests may wait; beyond that the oldest is dropped and told to
            ``on_drop``, a process's creation last, and then all of it. None for no limit: what
            memory has no room for waits in a temporary file.
        spool: a folder in which the queue is kept on disk, so that what waits when this program
            ends is sent when it starts again.
        offline: True queues everything without sending anything; see :attr:`offline`.
        on_connection_change: called with True when the server answers, with False when it
            can't be reached any more. Like ``on_drop`` it is called in the client's own thread.
        on_drop: called for what won't be sent, with the reason; of much that is dropped at a
            time, one call stands for several, see ``count``.
        on_terminal: called with a process's id and status when the server refuses something
            because that process has ended there.
        timeout: seconds to wait for the connection, and for each part of an answer.

    Raises:
        ValueError: ``server_url`` is not an http or https URL, or ``token`` has characters that
            can't be sent.
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
        self._workspace = workspace_record(workspace)
        self._options = Options(
            server_url,
            timeout,
            token,
            None if self._workspace is None else self._workspace.get("id"),
            max_queue,
            None if spool is None else Path(spool).expanduser(),
            on_connection_change,
            on_drop,
            on_terminal,
        )
        self._engine = Engine(self._options, offline=offline)
        opened(self)

    @property
    def connected(self) -> bool:
        """Whether the server answered when it was last tried."""
        return bool(self._engine.desk.connected)

    @property
    def trouble(self) -> ClientError | None:
        """What went wrong in the last attempt to reach the server, if something did."""
        return self._engine.desk.trouble

    @property
    def pending(self) -> int:
        """How many requests wait or are under way."""
        return len(self._engine.desk.outbox)

    @property
    def pending_output(self) -> int:
        """How much output waits or is under way, in UTF-8 bytes."""
        with self._engine.desk.changed:
            return self._engine.desk.outbox.output_bytes()

    @property
    def dropped(self) -> int:
        """How much was dropped so far: the sum of what ``on_drop`` is told as ``count``."""
        return self._engine.desk.teller.dropped

    @property
    def offline(self) -> bool:
        """True while everything is queued and no request made, no heartbeat either; may be set."""
        return self._engine.offline

    @offline.setter
    def offline(self, offline: bool) -> None:
        self._engine.offline = offline

    def register_workspace(self, workspace: str | os.PathLike[str] | Json | None = None) -> None:
        """Make a workspace known to the server, or this client's own.

        Args:
            workspace: a folder, or a record ``{id, name, rootPath, color?}``.
        """
        with self.guarded(None):
            record = self._workspace if workspace is None else workspace_record(workspace)
            if record is None:
                raise ValueError("this client has no workspace")
            self._engine.office.put(Register(plain(record)))

    def submit(self, process: Json, *, exclusive: bool = False) -> str:
        """Make a process known; its id.

        Where the server knows the id with other fields, only this is dropped, and what follows
        goes to the process that is there.

        Args:
            process: its fields as on the wire; ``id``, ``status`` (``running``) and
                ``startTime`` (now) are filled in where they are left out, and the client's
                workspace where it names none. With ``leaseSeconds`` the client sends heartbeats
                until the process ends.
            exclusive: True drops what follows too, as that process is somebody else's.
        """
        name = new_id()
        with self.guarded(name):
            create = creation(process, name, self._workspace, exclusive)
            name = create.process_id
            self._engine.create(create)
        return name

    def update(self, process_id: str, changes: Json) -> None:
        """Change a process; what was told before isn't sent again.

        Args:
            process_id: the process.
            changes: any of ``status result error endTime structuredResult metadata exitCode
                cancellation``; other fields of a process may be there and don't matter.
        """
        with self.guarded(process_id):
            self._engine.update(process_name(process_id), plain_fields(changes))

    def output(self, process_id: str, content: str, stream: str | None = None) -> None:
        """Add to a process's output, which nobody else may do meanwhile.

        Args:
            process_id: the process.
            content: what to add.
            stream: by custom ``stdout`` or ``stderr``.
        """
        with self.guarded(process_id):
            for write in writes(process_id, content, stream):
                self._engine.office.put(write)

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
        with self.guarded(process_id):
            self._engine.office.put(Cancel(process_name(process_id)))

    def remove(self, process_id: str) -> None:
        """Have a process and its output forgotten; what waits for it isn't sent any more."""
        with self.guarded(process_id):
            self._engine.remove(process_name(process_id))

    def process(self, preview: str, **options: Any) -> RemoteProcess:
        """A process of this program's own, for a ``with`` block.

        Args:
            preview: what it is called in lists.
            options: see :class:`RemoteProcess`: ``prompt``, ``type``, ``parent``, ``lease`` ….
        """
        return RemoteProcess(self, preview, **options)

    def wait_attempted(self, process_id: str, timeout: float) -> bool:
        """Wait until the server took or refused a process, or couldn't be reached.

        Args:
            process_id: the process.
            timeout: how long to wait at most, in seconds.
        """
        return self._engine.office.wait_attempted(process_id, timeout)

    def wait_registered(self, process_id: str, timeout: float | None = None) -> bool:
        """Wait until the server took a process that was submitted; whether it did.

        Args:
            process_id: the process.
            timeout: how long to wait at most, in seconds; None until it is taken or refused.
        """
        return self._engine.office.wait_registered(process_id, timeout)

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until nothing waits any more, with shorter pauses; offline it doesn't wait.

        Args:
            timeout: how long to wait at most, in seconds; None for as long as it takes.

        Returns:
            Whether nothing waits.
        """
        return self._engine.office.flush(timeout)

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
            return self._engine.office.flush(timeout)
        finally:
            self._engine.close()

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
        self._engine.abandon()
        self._engine = Engine(self._options, offline=self._engine.offline)

    @contextmanager
    def guarded(self, process_id: str | None) -> Iterator[None]:
        """Tell ``on_drop`` of what a block raises, instead of raising it.

        Nothing that a caller gives, and no mistake of ours, is to end the caller's work.

        Args:
            process_id: the process that the block reports.
        """
        try:
            yield
        except Exception as error:  # noqa: BLE001  # whatever it is, the caller goes on
            self._engine.office.refuse(Drop(None, process_id, f"it can't be sent: {error}", error))
