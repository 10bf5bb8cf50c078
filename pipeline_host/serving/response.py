"""One answer: what the application starts and writes, as it goes to the client."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Final, TypeAlias

from pipeline_host.http import Head, error_response
from pipeline_host.serving.connection import Connection

Headers: TypeAlias = list[tuple[str, str]]

_ONE_SEND: Final = 64 * 1024
_date: tuple[int, bytes] = (0, b"")


class Response:
    """The answer to one request, with PEP 3333's ``start_response`` and ``write``.

    A small answer goes out in one send. The framing, ``Date`` and ``Connection`` are added here.

    Args:
        connection: where it goes.
        request: what it answers.
        may_stay: asked when the head is sent: whether the connection can carry another request.

    Attributes:
        status: as it was started, ``200 OK``.
        headers: the application's.
        length: how many bytes of body were sent.
        begun: the head was sent, so that nothing can be told otherwise any more.
        closing: the connection ends after it.
    """

    def __init__(self, connection: Connection, request: Head, may_stay: Callable[[], bool]) -> None:
        self._connection = connection
        self._request = request
        self._may_stay = may_stay
        self._head = b""
        self._known_length: int | None = None
        self._left: int | None = None
        self._in_chunks = False
        self._without_body = request.method == "HEAD"
        self.status = ""
        self.headers: Headers = []
        self.length = 0
        self.begun = False
        self.closing = not request.keep_alive

    def start(self, status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], None]:
        """PEP 3333's ``start_response``.

        Raises:
            ValueError: the status or a header can't be sent, such as one with a line break.
        """
        if exc_info:
            try:
                if self.begun:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self._head:
            raise AssertionError("start_response was called before")
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers)]
        text = "\r\n".join(lines)
        breaks = len(headers)
        if text.count("\n") != breaks or text.count("\r") != breaks or "\0" in text:
            raise ValueError("a header of the response has a line break or a NUL")
        self._head = text.encode("latin-1")
        self.status, self.headers = status, headers
        return self.write

    def send(self, result: Iterable[bytes]) -> None:
        """Send all that the application returned."""
        if isinstance(result, list | tuple):
            self._known_length = sum(map(len, result))
        for data in result:
            if data:
                self.write(data)
                if self._without_body:
                    break
        if not self.begun:
            self.write(b"")
        if self._in_chunks:
            self._connection.send(b"0\r\n\r\n")
        elif self._left and not self._without_body:
            self.closing = True  # it promised more than it gave

    def write(self, data: bytes) -> None:
        """PEP 3333's ``write``."""
        if self.begun:
            self._send(self._framed(data))
            return
        if not self._head:
            raise AssertionError("the application didn't call start_response")
        head = self._complete_head()
        self.begun = True
        data = self._framed(data)
        if len(data) <= _ONE_SEND:
            self._send(head + data)
        else:
            self._send(head)
            self._send(data)

    def fail(self, status: HTTPStatus, sentence: str) -> None:
        """Tell an error where nothing was told yet; the connection ends."""
        self.closing = True
        if not self.begun:
            self.begun = True
            self.status, self.headers = f"{status.value} {status.phrase}", []
            self._send(error_response(status, sentence))

    def _send(self, data: bytes) -> None:
        if data:
            self._connection.send(data)

    def _framed(self, data: bytes) -> bytes:
        """``data`` as it goes into the body: never beyond the length that was told."""
        if self._without_body or not data:
            return b""
        if self._in_chunks:
            self.length += len(data)
            return b"%x\r\n%b\r\n" % (len(data), data)
        if self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
        self.length += len(data)
        return data

    def _complete_head(self) -> bytes:
        names = {name.lower(): value for name, value in self.headers}
        lines = [self._head]
        self._frame(names.get("content-length"), lines)
        if "date" not in names:
            lines.append(_date_line())
        self._settle_connection(names.get("connection", ""), lines)
        lines.append(b"\r\n")
        return b"\r\n".join(lines)

    def _frame(self, told: str | None, lines: list[bytes]) -> None:
        """Decide how the client finds the end of the body (RFC 9112, 6.3)."""
        code = int(self.status[:3])
        bodiless = code < 200 or code in (204, 304)
        self._without_body = self._without_body or bodiless
        if told is not None:
            self._left = int(told)
        elif bodiless or (self._known_length == 0 and self._request.method == "HEAD"):
            return  # what GET would tell isn't known (RFC 9110, 8.6)
        elif self._known_length is not None:
            self._left = self._known_length
            lines.append(b"Content-Length: %d" % self._left)
        elif self._request.http_1_0:
            self.closing = True
        else:
            lines.append(b"Transfer-Encoding: chunked")
            self._in_chunks = not self._without_body

    def _settle_connection(self, told: str, lines: list[bytes]) -> None:
        close = told.lower() == "close"
        self.closing = self.closing or close or not self._may_stay()
        if self.closing and not close:
            lines.append(b"Connection: close")
        elif self._request.http_1_0 and not self.closing:
            lines.append(b"Connection: keep-alive")


def _date_line() -> bytes:
    """The ``Date`` header field of this second (RFC 9110, 5.6.7)."""
    global _date
    second = int(time.time())
    if _date[0] != second:
        _date = second, b"Date: " + formatdate(second, usegmt=True).encode("ascii")
    return _date[1]
