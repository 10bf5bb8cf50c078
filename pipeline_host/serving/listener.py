"""Where the server listens, or a sentence that says why it doesn't."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Iterable
from typing import Any, Final

from pipeline_host.errors import StartupError

_BACKLOG: Final = 2048


def open_listener(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 picks a free one.

    Raises:
        StartupError: the port is taken, or the address isn't one of this machine's loopback.
    """
    family, address = _addresses(host, port)[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise StartupError(_why_not(error, host, port)) from error
    return listener


def url_of(listener: socket.socket) -> str:
    """Where clients find it."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def check_host(host: str) -> None:
    """Refuse to listen where other machines could reach a server that asks for no token.

    Args:
        host: a host name or an IP address; all that a name stands for has to be loopback.

    Raises:
        StartupError: it is unknown, or isn't one of this machine's loopback.
    """
    _addresses(host, 0)


def check_listeners(listeners: Iterable[socket.socket]) -> None:
    """Refuse sockets that were opened elsewhere, as :func:`check_host` does; UNIX sockets may be.

    Raises:
        StartupError: other machines can reach one of them.
    """
    for listener in listeners:
        if listener.family in (socket.AF_INET, socket.AF_INET6):
            check_host(listener.getsockname()[0])


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, Any]]:
    """The loopback addresses that a host name stands for, IPv4 before IPv6."""
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise StartupError(f"host: {host} isn't a known host name or IP address") from None
    addresses: list[tuple[socket.AddressFamily, Any]] = sorted(
        ((family, address) for family, _, _, _, address in found),
        key=lambda one: one[0] != socket.AF_INET,
    )
    for _, address in addresses:
        if not ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback:
            raise StartupError(
                f"host: {host} can be reached from other machines, and this server doesn't ask "
                "anyone who they are; listen on 127.0.0.1 and use an SSH tunnel, or a reverse "
                "proxy that does"
            )
    return addresses


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port: {port} on {host} is in use already; stop what uses it, or choose another one "
            "with --port (0 picks a free one)"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"port: you may not listen on {port}; choose one above 1023"
    return f"host: can't listen on {host}, port {port}: {error.strerror}"
