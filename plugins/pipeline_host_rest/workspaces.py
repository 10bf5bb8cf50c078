"""``/api/workspaces``: the folders that processes belong to."""

from __future__ import annotations

from http import HTTPStatus
from typing import ClassVar

import falcon

from pipeline_host.bodies import read_json
from pipeline_host.host import Host
from pipeline_host.wire import parse_workspace
from pipeline_host_rest.operations import PathItem, answer, json_body, operation
from pipeline_host_rest.replies import reply


class WorkspacesResource:
    openapi: ClassVar[PathItem] = {
        "get": operation(
            "All workspaces, in the order of their first registration",
            answers={200: answer("The workspaces", "Workspaces")},
        ),
        "post": operation(
            "Register a workspace, instead of an earlier one of the same id",
            body=json_body("Workspace"),
            answers={201: answer("The workspace", "Workspace")},
            errors=(400, 413, 415),
        ),
    }

    def __init__(self, host: Host) -> None:
        self._store = host.store

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        reply(resp, {"workspaces": self._store.workspaces()})

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        workspace = self._store.register_workspace(parse_workspace(read_json(req)))
        reply(resp, workspace, HTTPStatus.CREATED)
