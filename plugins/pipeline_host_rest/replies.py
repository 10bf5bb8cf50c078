"""Answering in JSON: the one place where a value becomes the body of a response."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import falcon
import msgspec

encode: Final = msgspec.json.Encoder().encode


def reply(resp: falcon.Response, value: object, status: HTTPStatus = HTTPStatus.OK) -> None:
    """Answer with ``value`` as JSON; what is ``None`` in a model is left out."""
    resp.data = encode(value)
    resp.content_type = falcon.MEDIA_JSON
    if status is not HTTPStatus.OK:
        resp.status = status
