"""``/api/dashboard/timeline``: processes in short, with the moment when each began to run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import falcon
import msgspec

from pipeline_host.host import Host
from pipeline_host.models import MAX_LIMIT, Model, ProcessFilter, ProcessSummary, Timestamp
from pipeline_host.times import timestamp
from pipeline_host_dashboard.beginnings import Beginnings

PATH: Final = "/api/dashboard/timeline"
MAX_PREVIEW: Final = 300
"""A row has no room for more, in characters."""
_TEXT: Final = {"type": "string"}
_TIMELINE: Final = {
    "type": "object",
    "properties": {
        "processes": {"type": "array", "items": {"type": "object"}},
        "nextCursor": _TEXT,
        "seq": {"type": "integer"},
    },
    "required": ["processes", "seq"],
}


class Span(ProcessSummary, frozen=True):
    """A process in short; ``began`` is until when it waited, where that is known."""

    began: Timestamp | None = None


class Timeline(Model, frozen=True):
    """The newest processes first; ``seq`` is the number of the last change before they were read.

    A client that goes on with the changes after ``seq`` misses nothing.
    """

    processes: tuple[Span, ...]
    seq: int
    next_cursor: str | None = None


class TimelineResource:
    openapi: ClassVar[dict[str, Any]] = {
        "get": {
            "summary": "Processes in short, newest first, with when each began to run",
            "parameters": [
                {"name": name, "in": "query", "description": description, "schema": _TEXT}
                for name, description in (
                    ("workspace", "Of the workspace with this id only"),
                    ("cursor", "Go on after the page that had this as its nextCursor"),
                )
            ],
            "responses": {
                "200": {
                    "description": "Up to a thousand of them",
                    "content": {"application/json": {"schema": _TIMELINE}},
                },
                "default": {"$ref": "#/components/responses/Error"},
            },
        },
    }

    def __init__(self, host: Host) -> None:
        self._store = host.store
        self._beginnings = Beginnings(host.store)

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        began, seq = self._beginnings.read()
        page = self._store.list(
            ProcessFilter(
                workspace=req.get_param("workspace"),
                order="desc",
                limit=MAX_LIMIT,
                cursor=req.get_param("cursor"),
            )
        )
        spans = tuple(_span(process.summary(), began) for process in page.processes)
        resp.data = msgspec.json.encode(
            Timeline(processes=spans, seq=seq, next_cursor=page.next_cursor)
        )
        resp.content_type = falcon.MEDIA_JSON
        resp.set_header("Cache-Control", "no-cache")


def _span(summary: ProcessSummary, began: Mapping[str, int]) -> Span:
    fields = {name: getattr(summary, name) for name in summary.__struct_fields__}
    fields["prompt_preview"] = summary.prompt_preview[:MAX_PREVIEW]
    ms = began.get(summary.id)
    return Span(**fields, began=None if ms is None else timestamp(ms))
