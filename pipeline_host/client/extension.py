"""The client that an editor's extension or an agent embeds: it never blocks, never raises."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from pipeline_host.client.api import DEFAULT_URL, TIMEOUT, ApiClient
from pipeline_host.client.backoff import Backoff
from pipeline_host.client.batch import clean
from pipeline_host.client.errors import ClientError
from pipeline_host.client.follow import changes, follow
from pipeline_host.client.ids import new_id, workspace_id
from pipeline_host.client.items import (
    Cancel,
    Create,
    Drop,
    Item,
    Json,
    Output,
    Register,
    Remove,
    Update,
)
from pipeline_host.client.remote import RemoteProcess
from pipeline_host.client.sse import Event
from pipeline_host.client.times import now
from pipeline_host.client.transport import Timeout
from pipeline_host.client.watch import Watch, Watches

MAX_QUEUE: Final = 500
CLOSE_TIMEOUT: Final = 5.0

log = logging.getLogger("pipeline_host.client")


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
        self._api = ApiClient(server_url, timeout)
        self._workspace = _workspace_record(workspace)
        self._offline = offline
        self._on_drop = on_drop
        self._queue: deque[Item] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._watches = Watches(self._api)
        threading.Thread(target=self._run, name="pipeline-host-client", daemon=True).start()

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
        """Whether the server answered when it was last asked."""
        return False

    @property
    def pending(self) -> int:
        """How many requests wait or are under way."""
        return len(self._queue)

    @property
    def dropped(self) -> int:
        """How many calls were dropped so far."""
        return 0

    @property
    def offline(self) -> bool:
        """True while everything is queued and nothing sent; may be set."""
        return self._offline

    @offline.setter
    def offline(self, offline: bool) -> None:
        self._offline = offline

    def register_workspace(self, workspace: str | os.PathLike[str] | Json | None = None) -> None:
        """Make a workspace known to the server, or this client's own."""
        record = _workspace_record(workspace) or self._workspace
        if record:
            self._put(Register(record))

    def submit(self, process: Json) -> str:
        """Make a process known; its id.

        Args:
            process: its fields as on the wire; ``id``, ``status`` (``running``) and
                ``startTime`` (now) are filled in where they are left out. With ``leaseSeconds``
                the client sends heartbeats until the process ends.
        """
        given = {"id": new_id(), "status": "running", "startTime": now(), **process}
        self._put(Create(given["id"], given, "id" not in process))
        return str(given["id"])

    def update(self, process_id: str, changes: Json) -> None:
        """Change a process: any of ``status result error endTime structuredResult metadata
        exitCode cancellation``; a whole process may be given, only what changed is sent."""
        self._put(Update(process_id, dict(changes)))

    def output(self, process_id: str, content: str, stream: str | None = None) -> None:
        """Add to a process's output; ``stream`` is by custom ``stdout`` or ``stderr``."""
        source = {} if stream is None else {"stream": stream}
        self._put(Output(process_id, ({"content": clean(content), **source},)))

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
        self._put(Cancel(process_id))

    def remove(self, process_id: str) -> None:
        """Have a process and its output forgotten; what waits for it is not sent any more."""
        self._put(Remove(process_id))

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

    def health_check(self) -> bool:
        """Ask the server how it is, now; whether it answered. Waits for the answer."""
        try:
            self._api.health()
        except ClientError:
            return False
        return True

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until nothing waits any more; whether that is so.

        Args:
            timeout: how long to wait at most, in seconds; None for as long as it takes.
        """
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue, timeout)

    def close(self, timeout: float = CLOSE_TIMEOUT) -> bool:
        """Flush, then send no more; whether everything was sent.

        What is left stays in the spool, where there is one, and is dropped otherwise.

        Args:
            timeout: how long to wait at most, in seconds.
        """
        done = self.flush(timeout)
        self._closed = True
        self._watches.stop()
        return done

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _watch(self, workspace: str | None) -> Watch:
        """What tells of the ends of this workspace's processes."""
        return self._watches.of(workspace)

    def _put(self, item: Item) -> None:
        with self._changed:
            self._queue.append(item)
            self._changed.notify_all()

    def _run(self) -> None:
        backoff = Backoff((0.1, 0.2, 0.5))
        while not self._closed:
            with self._changed:
                if not self._changed.wait_for(lambda: self._queue and not self._offline, 0.5):
                    continue
                item = self._queue[0]
            try:
                self._send(item)
            except ClientError as error:
                if error.retryable:
                    time.sleep(backoff.next(error.retry_after))
                    continue
                if self._on_drop:
                    self._on_drop(Drop(item, item.process_id, str(error), error))
            backoff.reset()
            with self._changed:
                self._queue.popleft()
                self._changed.notify_all()

    def _send(self, item: Item) -> None:
        match item:
            case Register(workspace):
                self._api.register_workspace(workspace)
            case Create(_, process):
                self._api.create(process)
            case Update(process_id, changes):
                self._api.patch(process_id, changes)
            case Output(process_id, chunks):
                self._api.append_output(process_id, chunks)
            case Remove(process_id):
                self._api.delete(process_id)
            case Cancel(process_id):
                self._api.cancel(process_id)


def _workspace_record(workspace: str | os.PathLike[str] | Json | None) -> Json | None:
    if workspace is None or isinstance(workspace, Mapping):
        return workspace
    folder = Path(os.path.normpath(Path(workspace).absolute()))
    return {"id": workspace_id(folder), "name": folder.name, "rootPath": str(folder)}
