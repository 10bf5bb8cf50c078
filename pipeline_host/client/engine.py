"""What a client is made of, put together."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline_host.client.api import ApiClient
from pipeline_host.client.desk import Desk
from pipeline_host.client.items import Create, Drop, Json, Remove, Update
from pipeline_host.client.outbox import MAX_BYTES, Outbox
from pipeline_host.client.overflow import OverflowFile
from pipeline_host.client.post_office import PostOffice
from pipeline_host.client.spool import Spool
from pipeline_host.client.telling import Teller
from pipeline_host.client.told import Told
from pipeline_host.client.transport import Timeout, Transport
from pipeline_host.client.watch import Watches

WORKSPACE_HEADER: Final = "X-Workspace-Id"
_VISIBLE: Final = re.compile("[!-~]+")


@dataclass(frozen=True)
class Options:
    """What a client was asked to be; see :class:`~pipeline_host.client.ExtensionClient`."""

    server_url: str
    timeout: Timeout
    token: str | None
    workspace_id: str | None
    max_queue: int | None
    spool: Path | None
    on_connection_change: Callable[[bool], None] | None
    on_drop: Callable[[Drop], None] | None
    on_terminal: Callable[[str, str], None] | None

    @property
    def headers(self) -> dict[str, str]:
        """What goes with every request.

        Raises:
            ValueError: the token can't be sent.
        """
        headers = {}
        if self.token is not None:
            if not _VISIBLE.fullmatch(self.token):
                raise ValueError("token: expected visible ASCII characters")
            headers["Authorization"] = f"Bearer {self.token}"
        if isinstance(self.workspace_id, str) and _VISIBLE.fullmatch(self.workspace_id):
            headers[WORKSPACE_HEADER] = self.workspace_id
        return headers


class Engine:
    """All that works for one client in one program; a forked child needs another one.

    Attributes:
        api: blocking requests to the server.
        watches: tell of the ends of processes.
        desk: where items wait.
        office: takes them and has them sent.
    """

    def __init__(self, options: Options, *, offline: bool) -> None:
        self.api = ApiClient(options.server_url, options.timeout, options.headers)
        self.watches = Watches(self.api, held=offline)
        self._on_terminal = options.on_terminal
        self._overflow = OverflowFile()
        self._told = Told()
        self._told_lock = threading.Lock()
        on_connection = [self._connection_changed, options.on_connection_change]
        on_drop = [self._dropped, options.on_drop]
        self.desk = Desk(
            self._outbox(options.max_queue),
            Spool(options.spool, self.api.server_url),
            Teller(
                [each for each in on_connection if each is not None],
                [each for each in on_drop if each is not None],
                self._ended,
            ),
        )
        self._transport = Transport(options.server_url, options.timeout, options.headers)
        self.office = PostOffice(self._transport, self.desk, offline=offline)

    @property
    def offline(self) -> bool:
        """Nothing is asked or sent while this is True."""
        return self.office.offline

    @offline.setter
    def offline(self, offline: bool) -> None:
        self.office.offline = offline
        self.watches.hold(offline)

    def create(self, item: Create) -> None:
        """Have a process made known."""
        with self._told_lock:
            self._told.create(item.process_id, item.process)
            self.office.put(item)

    def update(self, process_id: str, fields: Json) -> None:
        """Have those of ``fields`` changed that were told otherwise or not at all."""
        with self._told_lock:
            changes = self._told.changed(process_id, fields)
            if changes:
                self.office.put(Update(process_id, changes))

    def remove(self, process_id: str) -> None:
        """Have a process forgotten."""
        with self._told_lock:
            self._told.forget(process_id)
            self.office.put(Remove(process_id))

    def close(self) -> None:
        """End all of it."""
        self.office.close()
        self.watches.stop()
        self._overflow.close()
        self._transport.close()
        self.api.close()

    def abandon(self) -> None:
        """In a forked child: it is the parent's."""
        self.desk.spool.abandon()

    def _connection_changed(self, connected: bool) -> None:
        if connected:
            self.watches.hurry()

    def _ended(self, process_id: str, status: str) -> None:
        # A cancel that the watch doesn't see, for whatever reason, is learned of here.
        self.watches.ended(process_id, status)
        if self._on_terminal is not None:
            self._on_terminal(process_id, status)

    def _dropped(self, drop: Drop) -> None:
        with self._told_lock:
            if drop.process_id is not None:
                self._told.forget(drop.process_id)
            elif drop.count > 1:
                self._told.clear()

    def _outbox(self, max_queue: int | None) -> Outbox:
        """One with limits, or one without, that moves to disk what memory has no room for."""
        if max_queue is None:
            return Outbox(None, None, self._overflow)
        return Outbox(max_queue, MAX_BYTES)
