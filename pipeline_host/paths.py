"""Paths of requests and of routes, as pure functions.

Routing happens on the path as it was sent (RFC 9112, 3.2), not on the decoded one that WSGI hands
over: there ``%2F`` inside an id could not be told from a slash between two segments.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes

from pipeline_host.errors import InvalidInput

_PLAIN: Final = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@-]+)+/?|/", re.ASCII)
_SAFE: Final = "!$&'()*+,;=:@"
PARAMETER: Final = re.compile(r"\{(?P<name>[^{}:]*)(?P<converter>:[^{}]*)?\}")


def target_of(environ: Mapping[str, Any]) -> str:
    """The request target as the client sent it, or "" where the server doesn't tell."""
    target = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    return target if isinstance(target, str) else ""


def authority_of(target: str) -> str | None:
    """The host and port of a target in absolute form (RFC 9112, 3.2.2); else ``None``."""
    if target.startswith("/"):
        return None
    _, scheme_end, rest = target.partition("://")
    return re.split(r"[/?#]", rest, maxsplit=1)[0] if scheme_end else None


def raw_path(environ: Mapping[str, Any]) -> str:
    """The path of the request as it was sent, without its query, below the application's mount."""
    target = target_of(environ)
    if not target:
        return quote(environ.get("PATH_INFO", "").encode("latin-1"), safe="/" + _SAFE) or "/"
    if not target.startswith("/"):
        authority = authority_of(target)
        target = target.partition("://")[2][len(authority) :] if authority is not None else target
    path = re.split(r"[?#]", target, maxsplit=1)[0] or "/"
    mount = environ.get("SCRIPT_NAME", "")
    return path[len(mount) :] or "/" if mount and path.startswith(mount) else path


def canonical_path(path: str) -> str:
    """The one way to write a path: each segment decoded once and encoded again (RFC 3986, 6.2.2).

    A path that begins with two slashes is kept apart from the same with one.
    """
    if _PLAIN.fullmatch(path):
        return path
    segments = [
        quote(unquote_to_bytes(segment.encode("latin-1", "replace")), safe=_SAFE)
        for segment in path.split("/")
    ]
    canonical = "/".join(segments)
    return f"/.{canonical[1:]}" if canonical.startswith("//") else canonical


def decode_parameter(name: str, value: str) -> str:
    """A path parameter's text.

    Raises:
        InvalidInput: it isn't percent-encoded UTF-8.
    """
    if "%" not in value:
        return value
    try:
        return unquote_to_bytes(value).decode()
    except UnicodeDecodeError:
        raise InvalidInput.field(name, "UTF-8, percent-encoded") from None


def template_key(template: str) -> str:
    """Two URI templates with the same key match the same paths: parameters' names don't matter."""
    return PARAMETER.sub(lambda match: f"{{{match['converter'] or ''}}}", template)
