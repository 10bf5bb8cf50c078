"""``/api/stats``: how many processes there are."""

from __future__ import annotations

from typing import ClassVar

import falcon

from pipeline_host.host import Host
from pipeline_host_rest.operations import PathItem, answer, operation
from pipeline_host_rest.replies import reply


class StatsResource:
    openapi: ClassVar[PathItem] = {
        "get": operation("How many processes there are", answers={200: answer("Counts", "Stats")})
    }

    def __init__(self, host: Host) -> None:
        self._store = host.store

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        reply(resp, self._store.stats())
