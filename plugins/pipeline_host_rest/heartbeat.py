"""``/api/processes/{process_id}/heartbeat``: a reporter's word that it is still there."""

from __future__ import annotations

from typing import ClassVar

import falcon

from pipeline_host.host import Host
from pipeline_host.transitions import heartbeat
from pipeline_host_rest.operations import PROCESS_PARAMETERS, PathItem, answer, operation
from pipeline_host_rest.replies import reply


class HeartbeatResource:
    """A body, of whatever type, is not looked at."""

    openapi: ClassVar[PathItem] = {
        "parameters": PROCESS_PARAMETERS,
        "post": operation(
            "Renew the lease of a process, if it has one; output and changes do so, too",
            answers={200: answer("The process", "ProcessAnswer")},
            errors=(404, 409),
        ),
    }

    def __init__(self, host: Host) -> None:
        self._store = host.store

    def on_post(self, req: falcon.Request, resp: falcon.Response, process_id: str) -> None:
        reply(resp, {"process": self._store.update(process_id, heartbeat)})
