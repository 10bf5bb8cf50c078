"""Noticing that a client vanished without a word: its machine lost power, or its network its way.

The kernel gives a connection up when what it sent stays unacknowledged for :data:`VANISHED`. By
tcp(7) that goes for a client too that is there but takes nothing (a paused terminal), whom we want
to wait for: so the limit is lifted while its window is closed.
"""

from __future__ import annotations

import socket
from typing import Final

VANISHED: Final = 120_000
"""Milliseconds that a client may acknowledge nothing."""
_PROBES: Final = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))
_USER_TIMEOUT: Final = getattr(socket, "TCP_USER_TIMEOUT", None)  # Linux alone has it


def notice_vanishing(sock: socket.socket) -> None:
    """Have the kernel look after a connection, if it is one that can vanish (a TCP connection)."""
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _PROBES:
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    wait_for_reader(sock, False)


def wait_for_reader(sock: socket.socket, waiting: bool) -> None:
    """Say whether the client takes nothing at the moment, and is to be waited for."""
    if _USER_TIMEOUT is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.IPPROTO_TCP, _USER_TIMEOUT, 0 if waiting else VANISHED)
