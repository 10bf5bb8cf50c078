"""Noticing that a client vanished without a word: its machine lost power, or its network its way.

A client that takes nothing (a paused terminal) is there all the same and is waited for. By tcp(7)
``TCP_USER_TIMEOUT`` can't tell the two apart: it counts a closed window as silence. What tells them
apart is whether the client's kernel answers: it acknowledges each probe of its closed window, as
it acknowledges data. So it is looked, now and then, whether something that was sent stays
without any answer. (A client that is sent nothing is looked after by the kernel's keep-alive.)
"""

from __future__ import annotations

import fcntl
import socket
import struct
import sys
import termios
import time
from typing import Final

PATIENCE: Final = 20.0
"""Seconds that a client may answer nothing."""
LOOK: Final = 4.0
"""Seconds between two looks."""
_PROBES: Final = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))
_INFO: Final = getattr(socket, "TCP_INFO", None) if sys.platform == "linux" else None
_INFO_SIZE: Final = 60
_RETRANSMITS: Final = 2
_UNANSWERED_PROBES: Final = 3
_LAST_ANSWER: Final = 56
_COUNT: Final = struct.Struct("i")
_MILLISECONDS: Final = struct.Struct("I")


def look_after(sock: socket.socket) -> None:
    """Have the kernel probe an idle connection, if it is one that can vanish (a TCP connection)."""
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _PROBES:
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def unacknowledged(sock: socket.socket) -> int:
    """How many bytes were sent that the client's kernel hasn't taken yet (``SIOCOUTQ``, tcp(7)).

    Raises:
        OSError: the connection is closed.
    """
    answer = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(_COUNT.size))
    return int(_COUNT.unpack(answer)[0])


def silence(sock: socket.socket) -> float | None:
    """For how many seconds a client has left unanswered what wants an answer.

    ``None`` where it owes none, or where the system doesn't tell (Linux does, for TCP).

    Raises:
        OSError: the connection is closed.
    """
    if _INFO is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    info = sock.getsockopt(socket.IPPROTO_TCP, _INFO, _INFO_SIZE)
    if len(info) < _INFO_SIZE or not (info[_RETRANSMITS] or info[_UNANSWERED_PROBES]):
        return None
    return float(_MILLISECONDS.unpack_from(info, _LAST_ANSWER)[0]) / 1000


class Doubt:
    """Whether one client is still there, from look to look.

    One look isn't enough: after a long idle time the last answer is long ago, and the first
    packet that is lost would make the client a vanished one.
    """

    __slots__ = ("_since",)

    def __init__(self) -> None:
        self._since: float | None = None

    def look(self, silent: float | None, now: float | None = None) -> bool:
        """Take what :func:`silence` told now; whether the client has vanished.

        Args:
            now: the monotonic clock, in seconds.
        """
        now = time.monotonic() if now is None else now
        if silent is None:
            self._since = None
            return False
        if self._since is None:
            self._since = now
        return min(silent, now - self._since) >= PATIENCE
