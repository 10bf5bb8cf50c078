"""``/api/dashboard/processes/{process_id}/rendered``: a result as HTML that the page may show."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import falcon

from pipeline_host.host import Host
from pipeline_host_dashboard.renderer import Renderer

PATH: Final = "/api/dashboard/processes/{process_id}/rendered"
_TEXT: Final = {"type": "string"}


class RenderedResource:
    """``result`` is HTML, sanitised; where a text can't be rendered, ``plain`` says why."""

    openapi: ClassVar[dict[str, Any]] = {
        "parameters": [{"$ref": "#/components/parameters/ProcessId"}],
        "get": {
            "summary": "The result of a process, which is Markdown, as sanitised HTML",
            "responses": {
                "200": {
                    "description": "The HTML; nothing where there is no result",
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "properties": {"result": _TEXT, "plain": _TEXT},
                            }
                        }
                    },
                },
                "404": {"$ref": "#/components/responses/Error"},
                "default": {"$ref": "#/components/responses/Error"},
            },
        },
    }

    def __init__(self, host: Host) -> None:
        self._store = host.store
        self._renderer = Renderer()
        host.draining.on_begin(self._renderer.close)

    def on_get(self, req: falcon.Request, resp: falcon.Response, process_id: str) -> None:
        result = self._store.get(process_id).result
        resp.media = self._render(result) if result else {}
        resp.set_header("Cache-Control", "no-cache")

    def _render(self, result: str) -> dict[str, str]:
        html, reason = self._renderer.render(result)
        return {"result": html} if html is not None else {"plain": reason or ""}
