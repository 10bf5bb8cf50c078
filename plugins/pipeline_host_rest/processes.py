"""``/api/processes``: all of them. List, create, clear."""

from __future__ import annotations

from http import HTTPStatus
from typing import ClassVar
from urllib.parse import quote

import falcon

from pipeline_host.bodies import read_json
from pipeline_host.host import Host
from pipeline_host.wire import parse_process
from pipeline_host_rest.operations import (
    CLEAR_PARAMETERS,
    LIST_PARAMETERS,
    PathItem,
    answer,
    json_body,
    operation,
)
from pipeline_host_rest.queries import clearing, process_filter
from pipeline_host_rest.replies import reply


class ProcessesResource:
    openapi: ClassVar[PathItem] = {
        "get": operation(
            "One page of the processes that match",
            parameters=LIST_PARAMETERS,
            answers={200: answer("The page", "Page")},
            errors=(400,),
        ),
        "post": operation(
            "Create a process",
            body=json_body("NewProcess"),
            answers={
                200: answer("The same create again: the process as it is now", "Process"),
                201: answer(
                    "The new process",
                    "Process",
                    headers={"Location": "Where the process is from now on"},
                ),
            },
            errors=(400, 409, 413, 415),
        ),
        "delete": operation(
            "Forget all processes of some statuses, and their output",
            parameters=CLEAR_PARAMETERS,
            answers={200: answer("How many there were", "RemovedCount")},
            errors=(400,),
        ),
    }

    def __init__(self, host: Host) -> None:
        self._store = host.store

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        reply(resp, self._store.list(process_filter(req.query_string)))

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        added = self._store.add(parse_process(read_json(req)))
        if not added.created:
            reply(resp, added.process)
            return
        resp.set_header("Location", f"/api/processes/{quote(added.process.id, safe='')}")
        reply(resp, added.process, HTTPStatus.CREATED)

    def on_delete(self, req: falcon.Request, resp: falcon.Response) -> None:
        statuses, workspace = clearing(req.query_string)
        reply(resp, {"removed": len(self._store.clear(statuses, workspace))})
