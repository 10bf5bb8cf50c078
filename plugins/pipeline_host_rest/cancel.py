"""``/api/processes/{process_id}/cancel``: ask for the end of a process."""

from __future__ import annotations

from typing import ClassVar

import falcon

from pipeline_host.host import Host
from pipeline_host.transitions import cancelled
from pipeline_host_rest.operations import PROCESS_PARAMETERS, PathItem, answer, operation
from pipeline_host_rest.replies import reply


class CancelResource:
    """A body, of whatever type, is not looked at."""

    openapi: ClassVar[PathItem] = {
        "parameters": PROCESS_PARAMETERS,
        "post": operation(
            "Cancel a process; of several that try, exactly one succeeds",
            answers={200: answer("The process, cancelled", "ProcessAnswer")},
            errors=(404, 409),
        ),
    }

    def __init__(self, host: Host) -> None:
        self._store = host.store

    def on_post(self, req: falcon.Request, resp: falcon.Response, process_id: str) -> None:
        reply(resp, {"process": self._store.update(process_id, cancelled)})
