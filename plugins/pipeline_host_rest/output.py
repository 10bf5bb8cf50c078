"""``/api/processes/{process_id}/output``: what a process wrote, to add to it and to read it."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Any, ClassVar, Final

import falcon

from pipeline_host.bodies import iter_body, read_json
from pipeline_host.errors import TerminalState
from pipeline_host.host import Host
from pipeline_host.models import Chunk, OutputBatch
from pipeline_host.store import READ_LIMIT
from pipeline_host.wire import parse_output
from pipeline_host_rest.content import pieces, same_process
from pipeline_host_rest.decoding import TextDecoder
from pipeline_host_rest.operations import (
    JSON,
    OUTPUT_PARAMETERS,
    PROCESS_PARAMETERS,
    TEXT,
    PathItem,
    answer,
    json_body,
    operation,
    text_answer,
)
from pipeline_host_rest.queries import output_place
from pipeline_host_rest.ranges import RangeNotSatisfiable, Span, requested_span
from pipeline_host_rest.replies import reply

_START: Final = "X-Output-Start"
_READ_HEADERS: Final = {
    _START: "Where the head was dropped: the offset of the first byte that is kept",
    "Accept-Ranges": "bytes",
}


def _write_operation(summary: str) -> dict[str, Any]:
    body = json_body("OutputWrite")
    body["description"] = (
        "What to add; of any type but JSON it is the text itself, taken as it comes"
    )
    body["content"]["*/*"] = {"schema": {"type": "string"}}
    return operation(
        summary,
        parameters=OUTPUT_PARAMETERS,
        body=body | {"required": False},
        answers={200: answer("It is written", "OutputLength")},
        errors=(400, 404, 408, 409, 413, 415),
    )


class OutputResource:
    """Offsets and ranges count the UTF-8 bytes of all that was ever written."""

    openapi: ClassVar[PathItem] = {
        "parameters": PROCESS_PARAMETERS,
        "get": operation(
            "The whole output so far, or a range of its bytes",
            parameters=(
                {
                    "name": "Range",
                    "in": "header",
                    "description": "One range of bytes, such as `bytes=100-`",
                    "schema": {"type": "string"},
                },
            ),
            answers={
                200: text_answer("All of it that is kept", headers=_READ_HEADERS),
                206: text_answer(
                    "The range",
                    headers=_READ_HEADERS | {"Content-Range": "Which bytes of how many"},
                ),
            },
            errors=(404, 416),
        ),
        "post": _write_operation("Add to the output"),
        "put": _write_operation("The same as POST, since `curl -T` sends this"),
    }

    def __init__(self, host: Host) -> None:
        self._store = host.store

    def on_get(self, req: falcon.Request, resp: falcon.Response, process_id: str) -> None:
        read = partial(self._store.read_output, process_id)
        batch = read()
        resp.set_header("Accept-Ranges", "bytes")
        if batch.start:
            resp.set_header(_START, str(batch.start))
        span = _span_to_send(req, resp, batch)
        if span.first != batch.start:
            batch = same_process(batch, read(span.first))
        resp.content_type = TEXT
        size = span.end - span.first
        if size <= READ_LIMIT:
            resp.data = b"".join(pieces(read, batch, span))
        else:
            resp.content_length = size
            resp.stream = pieces(read, batch, span)

    def on_post(self, req: falcon.Request, resp: falcon.Response, process_id: str) -> None:
        if _is_json(req.content_type):
            chunks, offset = parse_output(read_json(req))
            length = self._store.append_output(process_id, chunks, offset)
        else:
            length = self._take(req, process_id)
        reply(resp, {"offset": length})

    on_put = on_post

    def _take(self, req: falcon.Request, process_id: str) -> int:
        """Append a raw body piece by piece, as it arrives; returns the output's length after it.

        Where the client goes away in the middle, what arrived is kept, but not the beginning of a
        character: a client that sends it again finds the text as it would have been.
        """
        stream, offset = output_place(req.query_string)
        length = self._begin(process_id, offset)
        decoder = TextDecoder()
        position = offset

        def append(text: str) -> int:
            nonlocal position
            end = self._store.append_output(
                process_id, (Chunk(content=text, stream=stream),), position
            )
            position = None if position is None else position + len(text.encode())
            return end

        for data in iter_body(req):
            if text := decoder.feed(data):
                length = append(text)
        if rest := decoder.end():
            length = append(rest)
        return length

    def _begin(self, process_id: str, offset: int | None) -> int:
        """Refuse at once what can't be written, before a body that may come for hours."""
        if offset is None and (process := self._store.get(process_id)).terminal:
            raise TerminalState(process.status)
        return self._store.append_output(process_id, (), offset)


def _is_json(content_type: str | None) -> bool:
    return content_type is not None and content_type.partition(";")[0].strip().lower() == JSON


def _span_to_send(req: falcon.Request, resp: falcon.Response, batch: OutputBatch) -> Span:
    """What the request asks for; tells of it in the head of the response.

    There is nothing that an ``If-Range`` could match, so it has the range left out (RFC 9110,
    section 13.1.5); and ranges are for GET alone (section 14.2).
    """
    ranged = req.method == "GET" and req.get_header("If-Range") is None
    header = req.get_header("Range") if ranged else None
    try:
        span = requested_span(header, batch.start, batch.end)
    except RangeNotSatisfiable:
        resp.set_header("Content-Range", f"bytes */{batch.end}")
        raise
    if span is None:
        return Span(batch.start, batch.end)
    resp.status = HTTPStatus.PARTIAL_CONTENT
    resp.set_header("Content-Range", f"bytes {span.first}-{span.end - 1}/{batch.end}")
    return span
