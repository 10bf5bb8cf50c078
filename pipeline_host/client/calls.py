"""From what callers give to what is sent. Pure."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline_host.client.batch import clean, pieces
from pipeline_host.client.ids import workspace_identity
from pipeline_host.client.items import Create, Json, Output
from pipeline_host.client.times import now
from pipeline_host.client.values import plain


def process_name(process_id: object) -> str:
    """A process's id.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(process_id, str) or not process_id:
        raise ValueError(f"a process's id has to be a text, got {process_id!r:.100}")
    return clean(process_id)


def workspace_record(workspace: str | os.PathLike[str] | Json | None) -> Json | None:
    """A workspace as the server takes it: of a folder, or as it was given."""
    if workspace is None or isinstance(workspace, Mapping):
        return workspace
    return workspace_identity(workspace).record()


def creation(process: Json, new_id: str, workspace: Json | None, exclusive: bool) -> Create:
    """The creation of a process, with what was left out filled in.

    Args:
        process: its fields.
        new_id: its id where it has none.
        workspace: what it belongs to where it says nothing else.
        exclusive: see :class:`~pipeline_host.client.items.Create`.

    Raises:
        ValueError: it can't be told in JSON, or its id is none.
    """
    fields = {"id": new_id, "status": "running", "startTime": now(), **plain_fields(process)}
    name = process_name(fields["id"])
    return Create(name, _placed(fields, workspace), name == new_id, exclusive)


def plain_fields(fields: object) -> dict[str, Any]:
    """A copy of fields of a process, as it will be on the wire.

    Raises:
        ValueError: it can't be told in JSON.
    """
    if not isinstance(fields, Mapping):
        raise ValueError(f"expected fields by their names, got {fields!r:.100}")
    copy: dict[str, Any] = plain(fields)
    return copy


def writes(process_id: str, content: str, stream: str | None) -> Iterator[Output]:
    """What a text adds to a process's output, in pieces of a sensible size.

    Raises:
        ValueError: the id is none, or the content no text.
    """
    name = process_name(process_id)
    if not isinstance(content, str):
        raise ValueError(f"output has to be a text, got {content!r:.100}")
    source = {} if stream is None else {"stream": plain(stream)}
    for piece in pieces(clean(content)):
        yield Output(name, ({"content": piece, **source},))


def _placed(process: dict[str, Any], workspace: Json | None) -> dict[str, Any]:
    metadata = process.get("metadata") or {}
    if workspace is None or "workspaceId" in process or "workspaceId" in metadata:
        return process
    name = workspace.get("name")
    named = metadata if name is None else {"workspaceName": plain(name), **metadata}
    return {**process, "workspaceId": plain(workspace["id"]), "metadata": named}
