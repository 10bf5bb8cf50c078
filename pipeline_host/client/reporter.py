"""Reporting one process to a server without ever holding up the one who reports."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from pipeline_host.client.api import ApiClient, Json
from pipeline_host.client.batch import MAX_BATCH, Chunk, clean, joined, pieces, size
from pipeline_host.client.errors import ClientError
from pipeline_host.client.ids import new_id
from pipeline_host.client.pending import Item, PendingQueue
from pipeline_host.client.sender import Sender
from pipeline_host.client.transport import encode

_HEARTBEAT: Final[Item] = {"heartbeat": True}
MEMORY_LIMIT: Final = 64 * 1024 * 1024
LAST_DELAY: Final = 1.0
"""The longest pause between two attempts while :meth:`Reporter.close` waits, in seconds."""


class _Abandoned(Exception):
    """Nothing more is to be sent."""


class Reporter:
    """Creates a process on a server, then adds its output and changes it, in the background.

    What is reported waits in a queue (beyond ``memory_limit`` in a temporary file) and is sent in
    order by one thread. While no answer comes, or one that asks to come back later (5xx, 408,
    429), the same is sent again after 0.1, 0.2, 0.5, 1, 2, 4 … 30 s. A repeat changes nothing:
    the process's id is chosen here, and output is sent with its offset; so nobody else may add to
    this process's output. What the server refuses for good is told to ``on_problem`` and left out.

    With ``leaseSeconds`` in ``process`` the server fails the process when it hears nothing for that
    long; so a heartbeat is sent whenever a third of that has passed in silence.

    Once the process has ended on the server, by whomever, its output is dropped: there it can't
    grow any more. Changes are still sent, without a status.

    Args:
        api: the server.
        process: the process to create; an id is added if it has none.
        workspace: registered first, if given.
        on_terminal: called once with the status, when the server refuses something because the
            process has ended there. Like ``on_problem`` it is called in the reporting thread,
            must not raise, and may call :meth:`patch`.
        on_problem: called for each refusal, and once for each row of failures that will be tried
            again (``error.retryable``): at once until the server has been reached, then when the
            quick attempts have failed.
        memory_limit: how much output may wait in memory, in bytes.

    Raises:
        ValueError: ``process`` or ``workspace`` can't be sent as JSON.
    """

    def __init__(
        self,
        api: ApiClient,
        process: Json,
        *,
        workspace: Json | None = None,
        on_terminal: Callable[[str], None] = lambda status: None,
        on_problem: Callable[[ClientError], None] = lambda error: None,
        memory_limit: int = MEMORY_LIMIT,
    ) -> None:
        self._process = {"id": new_id(), **process}
        self._workspace = workspace
        encode([self._process, workspace])
        self._on_problem = on_problem
        self._sender = Sender(
            api,
            self.process_id,
            pause=self._pause,
            on_terminal=on_terminal,
            on_problem=self._problem,
        )
        self._queue = PendingQueue(memory_limit)
        self._held: Item | None = None
        self._pending_bytes = 0
        self._changed = threading.Condition()
        self._closing = self._hurry = self._abandoned = self._drained = False
        self._attempted = threading.Event()
        self._registered = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)
        self._thread.start()

    @property
    def process_id(self) -> str:
        process_id: str = self._process["id"]
        return process_id

    @property
    def pending_bytes(self) -> int:
        """How much output has not been delivered yet, in UTF-8 bytes."""
        return self._pending_bytes

    @property
    def drained(self) -> bool:
        """Whether nothing waits any more: all was delivered, or refused for good."""
        return self._drained

    @property
    def terminal_status(self) -> str | None:
        """What the process ended with on the server, if the server refused something for that."""
        return self._sender.terminal_status

    def wait_attempted(self, timeout: float) -> bool:
        """Wait until the process is registered or a first attempt at it has failed."""
        return self._attempted.wait(timeout)

    def wait_registered(self, timeout: float | None = None) -> bool:
        """Wait until the server knows the process; whether it does. Seconds, or None for ever."""
        return self._registered.wait(timeout)

    def output(self, content: str, stream: str | None = None) -> None:
        """Add to the process's output; returns at once."""
        source = {} if stream is None else {"stream": stream}
        for piece in pieces(clean(content)):
            item = {"content": piece, **source}
            self._put(item, size(item), output=True)

    def patch(self, changes: Json) -> None:
        """Change the process, after all that was reported before; returns at once.

        Raises:
            ValueError: this can't be sent as JSON.
        """
        self._put({"patch": dict(changes)}, len(encode(changes)))

    def close(self, timeout: float) -> bool:
        """Wait until all is delivered, at most ``timeout`` seconds; then nothing more is sent.

        Returns:
            Whether all arrived, but for output after the process's end.
        """
        with self._changed:
            self._closing = self._hurry = True
            self._changed.notify_all()
            try:
                self._changed.wait_for(lambda: self._drained or self._abandoned, timeout)
            finally:
                self._abandoned = True
            self._changed.notify_all()
            return self._drained and self._sender.complete

    def _put(self, item: Item, length: int, *, output: bool = False) -> None:
        with self._changed:
            if self._abandoned:
                return
            self._queue.put(item, length)
            if output:
                self._pending_bytes += length
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            with suppress(_Abandoned):
                self._sender.register(self._process, self._workspace)
                if self._sender.registered:
                    self._registered.set()
                self._attempted.set()
                self._send_all()
        finally:
            with self._changed:
                self._abandoned = True
                self._queue.close()
                self._changed.notify_all()

    def _send_all(self) -> None:
        while (item := self._take()) is not None:
            if "patch" in item:
                self._sender.patch(item["patch"])
            elif item is _HEARTBEAT:
                self._sender.heartbeat()
            else:
                chunks = self._batch(item)
                self._sender.output(joined(chunks))
                with self._changed:
                    self._pending_bytes -= sum(map(size, chunks))
        self._drained = True

    def _take(self) -> Item | None:
        """The next item, once there is one or it is time for a heartbeat.

        None when all are sent and no more will come.
        """
        held, self._held = self._held, None
        if held is not None:
            return held
        with self._changed:
            silent = not self._changed.wait_for(
                lambda: self._queue or self._closing or self._abandoned,
                self._sender.silence_left(),
            )
            if self._abandoned:
                raise _Abandoned
            return _HEARTBEAT if silent else self._queue.take()

    def _batch(self, first: Item) -> list[Chunk]:
        """The output that waits, from ``first`` on, as much as goes into one request."""
        chunks = [first]
        length = size(first)
        while length < MAX_BATCH and (item := self._queue.take()) is not None:
            if "patch" in item:
                self._held = item
                break
            chunks.append(item)
            length += size(item)
        return chunks

    def _problem(self, error: ClientError) -> None:
        self._on_problem(error)
        self._attempted.set()

    def _pause(self, seconds: float, *, asked: bool) -> None:
        with self._changed:
            if self._closing and not asked:
                seconds = min(seconds, LAST_DELAY)
            self._changed.wait_for(
                lambda: self._abandoned or (self._hurry and not asked), timeout=seconds
            )
            self._hurry = False
            if self._abandoned:
                raise _Abandoned
