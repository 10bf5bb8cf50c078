"""The server's HTTP interface, one method for each request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

from pipeline_host.client.errors import BadAnswer
from pipeline_host.client.transport import Answer, Timeout, Transport, encode, segment

Json = Mapping[str, Any]

DEFAULT_URL: Final = "http://127.0.0.1:4000"
TIMEOUT: Final[Timeout] = (5.0, 5.0)
STREAM_SILENCE: Final = 60.0
"""After how many seconds without even a heartbeat a stream counts as broken."""


class ApiClient:
    """What can be asked of a server; blocking, without retries, safe to use from several threads.

    Every method raises a :class:`~pipeline_host.client.ClientError`:
    :class:`~pipeline_host.client.Unreachable` where no whole answer came,
    :class:`~pipeline_host.client.ApiError` where the server refused, and
    :class:`~pipeline_host.client.BadAnswer` where something else than such a server answered.

    Args:
        server_url: such as ``http://127.0.0.1:4000``.
        timeout: seconds to wait for the connection, and for each part of an answer.
        headers: more headers for every request.

    Raises:
        ValueError: ``server_url`` is not an http or https URL.
    """

    def __init__(
        self,
        server_url: str = DEFAULT_URL,
        timeout: Timeout = TIMEOUT,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._transport = Transport(server_url, timeout, headers)

    @property
    def server_url(self) -> str:
        return self._transport.server_url

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the idle connections."""
        self._transport.close()

    def health(self) -> Json:
        """How the server is."""
        return self._object("GET", "/api/health")

    def stats(self) -> Json:
        """Counts of all processes by status and workspace."""
        return self._object("GET", "/api/stats")

    def register_workspace(self, workspace: Json) -> Json:
        """Make a workspace known, or known anew: ``{id, name, rootPath, color?}``."""
        return self._object("POST", "/api/workspaces", workspace)

    def workspaces(self) -> Sequence[Json]:
        """All workspaces."""
        found: Sequence[Json] = self._part("workspaces", "GET", "/api/workspaces")
        return found

    def create(self, process: Json) -> Json:
        """Make a process known; the same again changes nothing. The process as it is now."""
        return self._object("POST", "/api/processes", process)

    def get(self, process_id: str) -> Json:
        """The process as it is now."""
        return self._process("GET", _path(process_id))

    def patch(self, process_id: str, changes: Json) -> Json:
        """Change some fields of a process; the process as it is then."""
        return self._process("PATCH", _path(process_id), changes)

    def cancel(self, process_id: str) -> Json:
        """Ask for a process to be stopped; the process as it is then."""
        return self._process("POST", _path(process_id, "cancel"))

    def heartbeat(self, process_id: str) -> Json:
        """Renew a process's lease, where it has one; the process as it is then."""
        return self._process("POST", _path(process_id, "heartbeat"))

    def delete(self, process_id: str) -> None:
        """Forget a process and its output."""
        self._transport.json("DELETE", _path(process_id))

    def clear(self, statuses: Iterable[str], workspace: str | None = None) -> int:
        """Forget all processes of these statuses (and workspace); how many there were."""
        query = {"status": ",".join(statuses)}
        if workspace is not None:
            query["workspace"] = workspace
        return int(self._part("removed", "DELETE", "/api/processes", query=query))

    def list(self, **query: str | int | None) -> Json:
        """One page of processes: ``{processes, total, limit, offset, nextCursor?}``.

        Args:
            query: ``workspace status type since parent q limit offset cursor order``; what is
                None is left out.
        """
        given = {name: value for name, value in query.items() if value is not None}
        return self._object("GET", "/api/processes", query=given)

    def append_output(
        self, process_id: str, chunks: Sequence[Json], offset: int | None = None
    ) -> int:
        """Add to a process's output; the output's length after it, in UTF-8 bytes.

        Args:
            chunks: each ``{content, stream?}``.
            offset: where they begin, in UTF-8 bytes. It makes a repeat harmless, and assumes
                that nobody else adds to this output.
        """
        place = {} if offset is None else {"offset": offset}
        body = {"chunks": chunks, **place}
        return int(self._part("offset", "POST", _path(process_id, "output"), body))

    def output(self, process_id: str) -> bytes:
        """The whole output so far, as UTF-8."""
        with self.open_output(process_id) as answer:
            return answer.read()

    def open_output(self, process_id: str, byte_range: str | None = None) -> Answer:
        """The output so far, or a part of it, to be read as it comes.

        Args:
            byte_range: such as ``100-`` or ``-100`` (RFC 9110, section 14.1.2); the server may
                answer 200 with everything all the same.
        """
        headers = {"Accept": "text/plain", "Accept-Encoding": "identity"}
        if byte_range is not None:
            headers["Range"] = f"bytes={byte_range}"
        return self._transport.open("GET", _path(process_id, "output"), headers=headers)

    def open_stream(
        self,
        process_id: str,
        last_event_id: str | None = None,
        replay: bool = True,
        start: int | None = None,
    ) -> Answer:
        """One connection of a process's event stream.

        :func:`~pipeline_host.client.follow` reads it and connects anew where it breaks.
        """
        query = {} if replay else {"replay": "false"}
        if start is not None:
            query["from"] = str(start)
        return self._open_events(_path(process_id, "stream"), query, last_event_id)

    def open_events(self, workspace: str | None = None, last_event_id: str | None = None) -> Answer:
        """One connection of the stream of all changes of processes, or of one workspace's.

        :func:`~pipeline_host.client.changes` reads it and connects anew where it breaks.
        """
        query = {} if workspace is None else {"workspace": workspace}
        return self._open_events("/api/events", query, last_event_id)

    def _open_events(
        self, path: str, query: Mapping[str, str], last_event_id: str | None
    ) -> Answer:
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-cache"}
        if last_event_id:
            headers["Last-Event-ID"] = last_event_id
        return self._transport.open(
            "GET",
            path,
            query=query,
            headers=headers,
            timeout=(self._transport.timeout[0], STREAM_SILENCE),
        )

    def _process(self, method: str, path: str, body: Json | None = None) -> Json:
        process: Json = self._part("process", method, path, body)
        return process

    def _part(
        self,
        key: str,
        method: str,
        path: str,
        body: Json | None = None,
        query: Mapping[str, str | int] | None = None,
    ) -> Any:
        answer = self._object(method, path, body, query)
        if key not in answer:
            raise BadAnswer(
                f"{self.server_url} answered without {key}; is it a pipeline_host server?"
            )
        return answer[key]

    def _object(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        query: Mapping[str, str | int] | None = None,
    ) -> dict[str, Any]:
        content = None if body is None else encode(body)
        return self._transport.json(method, path, content, query)


def _path(process_id: str, *rest: str) -> str:
    return "/".join(("/api/processes", segment(process_id), *rest))
