"""``/api/health``: whether the service answers, for how long, and with which plugins missing."""

from __future__ import annotations

import time
from typing import Any, ClassVar

import falcon

from pipeline_host.host import Host
from pipeline_host.models import ProcessFilter
from pipeline_host_rest.operations import PathItem, answer, operation
from pipeline_host_rest.replies import reply


class HealthResource:
    """Costs the same however many processes and workspaces there are, so it may be asked often."""

    openapi: ClassVar[PathItem] = {
        "get": operation("Whether the service answers", answers={200: answer("It does", "Health")})
    }

    def __init__(self, host: Host) -> None:
        self._host = host

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        host = self._host
        health: dict[str, Any] = {
            "status": "ok",
            "uptime": round(time.monotonic() - host.started, 3),
            "processCount": host.store.list(ProcessFilter(limit=0)).total,
        }
        failed = [
            {"name": report.name, "distribution": report.distribution, "error": report.error}
            for report in host.plugins
            if report.error is not None
        ]
        if failed:
            health["failedPlugins"] = failed
        reply(resp, health)
