"""One process of a program's own, reported while a ``with`` block runs."""

from __future__ import annotations

import json
import sys
import threading
import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from pipeline_host.client.calls import plain_fields
from pipeline_host.client.ids import new_id
from pipeline_host.client.metadata import PLACE, Metadata, mapping, place
from pipeline_host.client.times import now

if TYPE_CHECKING:
    from pipeline_host.client.extension import ExtensionClient

Json = Mapping[str, Any]

CANCELLED: Final = "cancelled"


class ProcessCancelled(Exception):
    """Somebody has cancelled the process on the server; raised by :meth:`RemoteProcess.check`."""


class RemoteProcess:
    """A process that this program reports; see :meth:`ExtensionClient.process`.

    ::

        with client.process("review", prompt="Review the last commit") as process:
            for text in model.answer():
                process.write(text)
                process.check()
            process.result = "Fine."

    At the end of the block the process is ``completed``; ``failed``, with the exception's text,
    if one leaves the block; and ``cancelled`` if that is a KeyboardInterrupt, asyncio's
    CancelledError or :class:`ProcessCancelled`. The exception goes on. Nothing here waits for the
    server or raises because of it, but for :meth:`check`; what makes no sense is told to the
    client's ``on_drop``. An attribute that there isn't can't be set.

    It is a text stream to write to as well: ``print("…", file=process)``.

    Args:
        client: reports it.
        preview: what it is called in lists.
        prompt: the whole prompt.
        type: such as ``code-review``.
        process_id: its id; a new one unless given.
        parent: the process that this is a part of.
        lease: after how many seconds without a word from here the server takes it for lost, and
            failed; while it runs, the client is heard from in time.
        metadata: more about it; its workspace is the client's unless ``workspaceId`` says else.
        fields: others, named as on the wire: ``backend``, ``workingDirectory`` ….

    Attributes:
        id: the process's id.
        cancelled: set as soon as somebody cancels the process on the server. To stop is up to
            the block.
    """

    __slots__ = (
        "__weakref__",
        "_client",
        "_ended",
        "_fields",
        "_lock",
        "_metadata",
        "_started",
        "cancelled",
        "id",
    )

    def __init__(
        self,
        client: ExtensionClient,
        preview: str,
        *,
        prompt: str = "",
        type: str = "clarification",
        process_id: str | None = None,
        parent: str | RemoteProcess | None = None,
        lease: float | None = None,
        metadata: Json | None = None,
        **fields: Any,
    ) -> None:
        given = {
            "fullPrompt": prompt,
            "type": type,
            "status": "running",
            "parentProcessId": parent.id if isinstance(parent, RemoteProcess) else parent,
            "leaseSeconds": lease,
            **fields,
        }
        self._client = client
        self._fields: dict[str, Any] = {"id": process_id or new_id(), "promptPreview": preview}
        self._fields.update((key, value) for key, value in given.items() if value is not None)
        self._lock = threading.Lock()
        self._started = False
        self._ended: str | None = None
        self.id: str = self._fields["id"]
        self.cancelled = threading.Event()
        self._metadata = Metadata(self.update, place(client.workspace))
        with client.guarded(self.id):
            self._metadata.learn(mapping({} if metadata is None else metadata))

    @property
    def status(self) -> str:
        """What it is by what was told here; a cancel is told by :attr:`cancelled`."""
        return str(self._ended or self._fields["status"])

    @property
    def result(self) -> str | None:
        """What came of it; set it as soon as it is known."""
        return self._text("result")

    @result.setter
    def result(self, text: str | None) -> None:
        self.update({"result": text})

    @property
    def structured_result(self) -> str | None:
        """What came of it for programs to read; what is no text is sent as JSON text."""
        return self._text("structuredResult")

    @structured_result.setter
    def structured_result(self, value: object) -> None:
        plain = value is None or isinstance(value, str)
        self.update({"structuredResult": value if plain else _json(value)})

    @property
    def error(self) -> str | None:
        """What went wrong; an exception that leaves the block sets it too."""
        return self._text("error")

    @error.setter
    def error(self, text: str | None) -> None:
        self.update({"error": text})

    @property
    def metadata(self) -> Metadata:
        """More about it: what is set in it is set on the server too, key by key.

        What is assigned takes the place of all of it, but for the workspace.
        """
        return self._metadata

    @metadata.setter
    def metadata(self, values: Json) -> None:
        with self._client.guarded(self.id):
            kept = {*mapping(values), *PLACE}
            gone = {key: None for key in self._metadata if key not in kept}
            self.update({"metadata": {**gone, **values}})

    def write(self, text: str, stream: str | None = None) -> int:
        """Add to the output; how many characters that were.

        Args:
            text: what to add.
            stream: by custom ``stdout`` or ``stderr``.
        """
        if text != "":
            self._client.output(self.id, text, stream)
        return len(text) if isinstance(text, str) else 0

    def flush(self) -> None:
        """Nothing: what was written is on its way."""

    def update(self, changes: Json) -> None:
        """Change fields, named as on the wire: ``{"status": "running", "exitCode": 1}``."""
        with self._client.guarded(self.id):
            fields = plain_fields(changes)
            metadata = mapping(fields.get("metadata") or {})
            self._fields.update({key: each for key, each in fields.items() if key != "metadata"})
            self._metadata.learn(metadata)
            if self._started:
                self._client.update(self.id, fields)

    def check(self) -> None:
        """Go on only if nobody has cancelled this.

        Raises:
            ProcessCancelled: somebody has.
        """
        if self.cancelled.is_set():
            raise ProcessCancelled(f"{self._fields['promptPreview']} was cancelled")

    def process(self, preview: str, **options: Any) -> RemoteProcess:
        """A process that is a part of this one; see :meth:`ExtensionClient.process`."""
        here = {key: self.metadata[key] for key in PLACE if key in self.metadata}
        metadata = options.pop("metadata", None) or {}
        if isinstance(metadata, Mapping):
            metadata = {**here, **metadata}
        return self._client.process(preview, **{"parent": self, **options}, metadata=metadata)

    def start(self) -> Self:
        """Report that it begins; for those who can't use ``with``, and call :meth:`end`."""
        metadata = dict(self._metadata)
        with self._client.guarded(self.id):
            self._client.watch(self.id, self._on_end, metadata.get("workspaceId"), new=True)
        self._client.submit({**self._fields, **({"metadata": metadata} if metadata else {})})
        self._started = True
        return self

    def end(self, status: str = "completed", **fields: Any) -> None:
        """Report how it ended; nothing happens if that was said before.

        Args:
            status: ``completed``, ``failed`` or ``cancelled``.
            fields: others to change with it, named as on the wire: ``error``, ``exitCode`` ….
        """
        with self._lock:
            if self._ended is not None:
                return
            self._ended = status
            obeyed = self.cancelled.is_set()
        if obeyed:
            outcome = {"cancellation": {"outcome": "terminated"}}
            self._client.update(self.id, {**fields, **outcome})
            return
        if status == CANCELLED:
            fields = {"cancellation": {"requestedTime": now(), "outcome": "terminated"}, **fields}
        self._client.complete(self.id, status, **fields)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None or (isinstance(error, SystemExit) and not error.code):
            self.end()
        elif _is_cancel(error):
            self.end(CANCELLED)
        else:
            self.end("failed", error=_words(error))

    def _text(self, field: str) -> str | None:
        value = self._fields.get(field)
        return None if value is None else str(value)

    def _on_end(self, status: str, error: str | None) -> None:
        if status != CANCELLED:
            return
        with self._lock:
            over = self._ended
            self.cancelled.set()
        if over is not None and over != CANCELLED:
            # It came after the block's end was reported, but before that report arrived.
            self._client.update(self.id, {"cancellation": {"outcome": "ignored"}})


def _json(value: object) -> str:
    """JSON text, with Python's words for what JSON has none for."""
    try:
        return json.dumps(value, default=repr)
    except (TypeError, ValueError):
        return repr(value)


def _is_cancel(error: BaseException) -> bool:
    # Where nobody imported asyncio it can't be an error of it, and needn't be imported here.
    asyncio = sys.modules.get("asyncio")
    theirs = () if asyncio is None else (asyncio.CancelledError,)
    return isinstance(error, (KeyboardInterrupt, ProcessCancelled, *theirs))


def _words(error: BaseException) -> str:
    """What Python itself would say of it last."""
    return "".join(traceback.format_exception_only(error)).strip()
