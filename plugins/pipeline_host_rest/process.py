"""``/api/processes/{process_id}``: one of them. Look, change, forget."""

from __future__ import annotations

from http import HTTPStatus
from typing import ClassVar

import falcon

from pipeline_host.bodies import read_json
from pipeline_host.host import Host
from pipeline_host.transitions import patch, reported
from pipeline_host.wire import parse_patch
from pipeline_host_rest.operations import (
    PROCESS_PARAMETERS,
    PathItem,
    answer,
    json_body,
    operation,
)
from pipeline_host_rest.replies import reply


class ProcessResource:
    openapi: ClassVar[PathItem] = {
        "parameters": PROCESS_PARAMETERS,
        "get": operation(
            "One process",
            answers={200: answer("The process", "ProcessAnswer")},
            errors=(404,),
        ),
        "patch": operation(
            "Change some fields of a process; others, and those that can't be changed, stay",
            body=json_body("ProcessPatch"),
            answers={200: answer("The process after it", "ProcessAnswer")},
            errors=(400, 404, 409, 413, 415),
        ),
        "delete": operation(
            "Forget a process and its output",
            answers={204: answer("It is forgotten")},
            errors=(404,),
        ),
    }

    def __init__(self, host: Host) -> None:
        self._store = host.store

    def on_get(self, req: falcon.Request, resp: falcon.Response, process_id: str) -> None:
        reply(resp, {"process": self._store.get(process_id)})

    def on_patch(self, req: falcon.Request, resp: falcon.Response, process_id: str) -> None:
        changes = parse_patch(read_json(req))
        reply(resp, {"process": self._store.update(process_id, reported(patch(changes)))})

    def on_delete(self, req: falcon.Request, resp: falcon.Response, process_id: str) -> None:
        self._store.remove(process_id)
        resp.status = HTTPStatus.NO_CONTENT
