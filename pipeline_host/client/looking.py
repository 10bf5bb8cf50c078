"""What a client can see of a server, beside what it reports to it."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline_host.client.api import ApiClient
from pipeline_host.client.engine import Engine
from pipeline_host.client.errors import ClientError
from pipeline_host.client.follow import changes, follow
from pipeline_host.client.items import Json
from pipeline_host.client.sse import Event
from pipeline_host.client.watch import OnEnd


class Looking:
    """The part of an :class:`~pipeline_host.client.ExtensionClient` that looks at the server."""

    _engine: Engine
    _workspace: Json | None

    @property
    def api(self) -> ApiClient:
        """Direct, blocking requests to the same server."""
        return self._engine.api

    @property
    def workspace(self) -> Json | None:
        """The record of the workspace that processes belong to."""
        return self._workspace

    def follow(
        self, process_id: str, last_event_id: str | None = None, replay: bool = True
    ) -> Iterator[Event]:
        """The events of a process, through every interruption; see :func:`follow`.

        One that this client was told to make is waited for first.
        """
        self._engine.office.wait_begun(process_id)
        yield from follow(self._engine.api, process_id, last_event_id, replay)

    def changes(
        self, workspace: str | None = None, last_event_id: str | None = None
    ) -> Iterator[Event]:
        """What happens to all processes, or to a workspace's; see :func:`changes`."""
        return changes(self._engine.api, workspace, last_event_id)

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
        self._engine.watches.of(workspace).add(process_id, on_end, new=new)

    def health_check(self) -> bool:
        """Ask the server how it is, now; whether it is well. Waits for the answer."""
        try:
            return self._engine.api.health().get("status") == "ok"
        except ClientError:
            return False
