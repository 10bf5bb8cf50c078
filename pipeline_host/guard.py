"""The guard in front of every route: who may talk to this server at all.

Any web page that a user opens can send requests to a server on the same machine. So the name that
a request uses for us must be ours (else a page could rebind its own name to this address), and a
page of another origin is refused, whatever the method, streams and upgrades included. What a
program sends that is no browser has neither ``Origin`` nor ``Sec-Fetch-Site`` and passes.
Forwarded headers count for nothing here.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import msgspec

from pipeline_host.config import Settings
from pipeline_host.paths import authority_of, target_of

_AUTHORITY: Final = re.compile(
    r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{0,5}))?", re.ASCII
)
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
SECURITY_HEADERS: Final = (
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
)
"""Added to every answer that doesn't have them."""
_OWN_SITES: Final = frozenset({"same-origin", "none"})
_MAX_ACCEPTED: Final = 64


class Refusal(NamedTuple):
    """Why a request isn't let through."""

    status: HTTPStatus
    sentence: str


class Guard:
    """Decides on requests by the host names and origins that are known.

    Args:
        hosts: names for this server besides those of the loopback, without a port.
        origins: web origins that may use it besides its own, such as ``https://example.org``.
    """

    def __init__(self, hosts: Iterable[str] = (), origins: Iterable[str] = ()) -> None:
        self._hosts = _LOOPBACK | {host_name(host) for host in hosts}
        self._origins = frozenset(origin.lower() for origin in origins)
        self._accepted: set[str] = set()
        """Hosts as clients wrote them that were found good: most requests repeat one."""

    @classmethod
    def of(cls, settings: Settings) -> Guard:
        return cls((settings.host, *settings.allowed_hosts), settings.allowed_origins)

    def refusal(self, environ: Mapping[str, Any], path: str) -> Refusal | None:
        """Why this request isn't let through, or ``None`` if it is.

        Args:
            environ: the WSGI environment (PEP 3333).
            path: the request's path in its canonical form.
        """
        host = environ.get("HTTP_HOST", "")
        if host not in self._accepted and not self._accept(host):
            return Refusal(HTTPStatus.MISDIRECTED_REQUEST, _unknown_host(host))
        target = target_of(environ)
        if not target.startswith("/") and _elsewhere(target, host):
            return Refusal(HTTPStatus.MISDIRECTED_REQUEST, "Host: expected that of the target")
        origin = environ.get("HTTP_ORIGIN")
        site = environ.get("HTTP_SEC_FETCH_SITE")
        if origin is None and site is None:
            return None
        return self._refuse_page(environ, path, origin, site)

    def _accept(self, host: str) -> bool:
        match = _AUTHORITY.fullmatch(host)
        if match is None or int(match["port"] or 0) > 65535:
            return False
        if host_name(match["name"]) not in self._hosts:
            return False
        if len(self._accepted) < _MAX_ACCEPTED:
            self._accepted.add(host)
        return True

    def _refuse_page(
        self, environ: Mapping[str, Any], path: str, origin: str | None, site: str | None
    ) -> Refusal | None:
        """Look at what browsers add, so that pages can't leave it out or forge it."""
        if origin is not None:
            own = f"{environ.get('wsgi.url_scheme', 'http')}://{environ['HTTP_HOST']}"
            if origin.lower() in self._origins:
                return None
            if origin.lower() != own.lower():
                return Refusal(HTTPStatus.FORBIDDEN, f"Origin: expected {own}, got {origin[:100]}")
        if site is None or site in _OWN_SITES or _is_navigation(environ, path):
            return None
        return Refusal(HTTPStatus.FORBIDDEN, "Sec-Fetch-Site: expected a request of our own pages")


def host_name(text: str) -> str:
    """A host name or address in the one form to compare; IPv6 in brackets, as in URLs."""
    name = text.lower()
    try:
        address = ipaddress.IPv6Address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return name
    return f"[{address.compressed}]"


def refusal_answer(refusal: Refusal) -> tuple[str, list[tuple[str, str]], bytes]:
    """Status line, headers and body that tell a refusal; the connection isn't used again."""
    body = msgspec.json.encode({"error": refusal.sentence})
    headers = [
        ("content-type", "application/json"),
        ("content-length", str(len(body))),
        ("connection", "close"),
    ]
    return f"{refusal.status.value} {refusal.status.phrase}", headers, body


def _elsewhere(target: str, host: str) -> bool:
    """Whether a target in absolute form names another host than the ``Host`` header."""
    authority = authority_of(target)
    return authority is not None and authority.lower() != host.lower()


def _is_navigation(environ: Mapping[str, Any], path: str) -> bool:
    """Whether a user follows a link to one of our pages (Fetch Metadata, W3C)."""
    return (
        environ["REQUEST_METHOD"] in ("GET", "HEAD")
        and environ.get("HTTP_SEC_FETCH_MODE") == "navigate"
        and environ.get("HTTP_SEC_FETCH_DEST") == "document"
        and "HTTP_UPGRADE" not in environ
        and path != "/api"
        and not path.startswith("/api/")
    )


def _unknown_host(host: str) -> str:
    if not host:
        return "Host: expected a name of this server, but there is none"
    return f"Host: expected a name of this server, got {host[:100]}; see the setting allowed_hosts"
