"""Where a command writes: pipes, and pseudo-terminals where our own output is a terminal."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import termios
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Final

CAPACITY: Final = 64 * 1024
"""More than a pseudo-terminal holds, in bytes."""


class Channel(ABC):
    """One stream of a command, which writes to :attr:`inner` what is read here.

    Args:
        outer: the descriptor to read from.
        inner: the descriptor to write to.
    """

    def __init__(self, outer: int, inner: int) -> None:
        self._outer: Final = outer
        self.inner: int | None = inner
        """What the command is given; None once it has been given away."""

    def fileno(self) -> int:
        """What is read from, to wait for."""
        return self._outer

    def give_away(self) -> None:
        """Close the inner end here: the command has it now, and with its last copy it ends."""
        if self.inner is not None:
            os.close(self.inner)
            self.inner = None

    def close(self) -> None:
        """Close it; who still writes to it gets an error."""
        self.give_away()
        os.close(self._outer)

    def resize(self) -> bool:
        """Make its window as large as our own; whether that changed it."""
        return False

    @abstractmethod
    def read(self, length: int) -> bytes | None:
        """At most ``length`` bytes, none at the end; None if there is nothing now after all."""

    @abstractmethod
    def read_rest(self) -> bytes:
        """All that is in it now."""


class Pipe(Channel):
    """A pipe.

    Raises:
        OSError: there can't be any more.
    """

    def __init__(self) -> None:
        super().__init__(*os.pipe())

    def read(self, length: int) -> bytes:
        return os.read(self._outer, length)

    def read_rest(self) -> bytes:
        waiting = fcntl.ioctl(self._outer, termios.FIONREAD, bytes(4))
        (length,) = struct.unpack("i", waiting)
        return self.read(length) if length else b""


class Terminal(Channel):
    """A pseudo-terminal that changes nothing, with a window as large as that of one of ours.

    Nobody can type into it, and it controls no session.

    Args:
        ours: our terminal's descriptor.

    Raises:
        OSError: there can't be any more.
    """

    def __init__(self, ours: int) -> None:
        super().__init__(*os.openpty())
        self._ours: Final = ours
        os.set_blocking(self._outer, False)
        try:
            _pass_through(self._outer)
        except termios.error as error:
            self.close()
            raise OSError(*error.args) from None
        self.resize()

    def resize(self) -> bool:
        with suppress(OSError):  # Ours may have been closed.
            size = fcntl.ioctl(self._ours, termios.TIOCGWINSZ, bytes(8))
            if size != fcntl.ioctl(self._outer, termios.TIOCGWINSZ, bytes(8)):
                fcntl.ioctl(self._outer, termios.TIOCSWINSZ, size)
                return True
        return False

    def read(self, length: int) -> bytes | None:
        data = bytearray()
        while len(data) < length:  # Each read gives a few KiB only, however much there is.
            try:
                part = os.read(self._outer, length - len(data))
            except BlockingIOError:
                return bytes(data) or None
            except OSError as error:
                if error.errno != errno.EIO:  # That is the end: nobody has the inner end open.
                    raise
                break
            if not part:
                break
            data += part
        return bytes(data)

    def read_rest(self) -> bytes:
        return self.read(CAPACITY) or b""


def _pass_through(terminal: int) -> None:
    """Have it put no CR before a LF: our own terminal sees to that."""
    attributes = termios.tcgetattr(terminal)
    attributes[1] &= ~termios.OPOST
    termios.tcsetattr(terminal, termios.TCSANOW, attributes)


def open_channel(terminal: int | None) -> Channel:
    """A pseudo-terminal like a terminal of ours; a pipe without one, or where none can be had.

    Raises:
        OSError: there can't be any more.
    """
    if terminal is not None:
        with suppress(OSError):
            return Terminal(terminal)
    return Pipe()
