"""The heads of HTTP/1.1 as a server reads them (RFC 9110, RFC 9112): pure functions, no I/O.

Strict where leniency lets two readers of one message disagree on where it ends (request
smuggling): what is ambiguous is refused, never guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, NoReturn

import msgspec

MAX_REQUEST_LINE: Final = 8 * 1024
MAX_HEAD: Final = 64 * 1024
MAX_HEADERS: Final = 100

END_OF_HEAD: Final = b"\r\n\r\n"

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VERSION: Final = re.compile(r"HTTP/(\d)\.(\d)", re.ASCII)
_TARGET: Final = re.compile(r"[!-~\x80-\xff]+")
_ABSOLUTE: Final = re.compile(r"https?://([^/?#]*)([/?].*)?", re.IGNORECASE)
_NOT_ASCII: Final = re.compile(r"[\x80-\xff]")
_BAD_VALUE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
BARE_LF: Final = re.compile(rb"(?:^|[^\r])\n")
_MAX_VARIABLES: Final = 1000


class Refused(Exception):
    """A request whose head can't be accepted; the connection ends after the answer."""

    def __init__(self, status: HTTPStatus, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(slots=True)
class Head:
    """The head of a request.

    Attributes:
        target: the path and query as sent, with bytes beyond ASCII percent-encoded.
        http_1_0: it came from a client of HTTP/1.0.
        fields: the header fields under their CGI names (``HTTP_HOST``, ``CONTENT_TYPE``); those
            that came several times are one, comma-separated (RFC 9110, 5.2).
        length: the length of the body in bytes, where it is told; ``None`` if there is no body.
        chunked: the body comes in chunks (RFC 9112, 7.1).
        keep_alive: the client would send another request on the connection.
        expects_continue: the client waits for ``100 Continue`` before it sends the body.
    """

    method: str
    target: str
    http_1_0: bool
    fields: dict[str, str]
    length: int | None = None
    chunked: bool = False
    keep_alive: bool = True
    expects_continue: bool = False

    @property
    def version(self) -> str:
        return "HTTP/1.0" if self.http_1_0 else "HTTP/1.1"


def take_head(buffer: bytearray) -> bytes | None:
    """Take a request's head off the front of ``buffer``; ``None`` while it isn't complete.

    Raises:
        Refused: it is too long, or will never be complete.
    """
    while buffer.startswith(b"\r\n"):
        del buffer[:2]
    end = buffer.find(END_OF_HEAD)
    if 0 <= end <= MAX_HEAD:
        head = bytes(buffer[:end])
        del buffer[: end + len(END_OF_HEAD)]
        return head
    line_end = buffer.find(b"\r\n", 0, MAX_REQUEST_LINE + 2)
    if line_end < 0 and len(buffer) > MAX_REQUEST_LINE:
        raise Refused(
            HTTPStatus.REQUEST_URI_TOO_LONG,
            f"request line: expected at most {MAX_REQUEST_LINE} bytes",
        )
    if len(buffer) > MAX_HEAD:
        raise Refused(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            f"request head: expected at most {MAX_HEAD} bytes",
        )
    if BARE_LF.search(buffer):
        _bad("request head: expected lines that end in CRLF")
    return None


def parse_head(head: bytes) -> Head:
    """Read a request's head (without the empty line at its end).

    Raises:
        Refused: it isn't one, or it is ambiguous.
    """
    line, *lines = head.decode("latin-1").split("\r\n")
    method, target, http_1_0 = _request_line(line)
    if len(lines) > MAX_HEADERS:
        raise Refused(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            f"request head: expected at most {MAX_HEADERS} header fields",
        )
    fields = _fields(lines)
    parsed = Head(method, target, http_1_0, fields, keep_alive=not http_1_0)
    if target[0] != "/":
        _origin_form(parsed)
    if not http_1_0 and "HTTP_HOST" not in fields:
        _bad("Host: expected this header field")
    _framing(parsed)
    if "HTTP_CONNECTION" in fields:
        options = {option.strip() for option in fields["HTTP_CONNECTION"].lower().split(",")}
        parsed.keep_alive = "close" not in options and (not http_1_0 or "keep-alive" in options)
    if "HTTP_EXPECT" in fields and not http_1_0:
        _expectation(parsed)
    return parsed


def _request_line(line: str) -> tuple[str, str, bool]:
    if len(line) > MAX_REQUEST_LINE:
        raise Refused(
            HTTPStatus.REQUEST_URI_TOO_LONG,
            f"request line: expected at most {MAX_REQUEST_LINE} bytes",
        )
    words = line.split(" ")
    if len(words) != 3:
        _bad("request line: expected a method, a target and a version")
    method, target, version = words
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        found = _VERSION.fullmatch(version)
        if found is None:
            _bad("request line: expected HTTP/1.1 or HTTP/1.0 as the version")
        if found[1] != "1":
            raise Refused(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "expected HTTP/1.1 or HTTP/1.0")
    if not _TOKEN.fullmatch(method):
        _bad("request line: expected a method of letters")
    if not _TARGET.fullmatch(target) or "#" in target:
        _bad("request line: expected a target without control characters or a fragment")
    if not target.isascii():
        target = _NOT_ASCII.sub(lambda found: f"%{ord(found[0]):02X}", target)
    return method, target, version == "HTTP/1.0"


def _origin_form(head: Head) -> None:
    """Bring a target in absolute form, as a proxy is sent, into the usual one (RFC 9112, 3.2.2)."""
    found = _ABSOLUTE.fullmatch(head.target)
    if found is None:
        _bad("request line: expected a target that begins with /")
    head.fields["HTTP_HOST"] = found[1]
    path = found[2] or "/"
    head.target = path if path.startswith("/") else "/" + path


_variables: dict[str, str] = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}
_ONCE: Final = frozenset({"HTTP_HOST", "CONTENT_LENGTH"})


def _fields(lines: list[str]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            _bad("request head: expected a name, a colon and a value in each line")
        variable = _variables.get(name) or _variable(name)
        value = value.strip(" \t")
        if not value.isprintable() and _BAD_VALUE.search(value):
            _bad(f"{name}: expected a value without control characters")
        if variable not in fields:
            fields[variable] = value
        elif variable in _ONCE:
            _bad(f"{name}: expected this header field once")
        else:
            joint = "; " if variable == "HTTP_COOKIE" else ", "
            fields[variable] += joint + value
    # A name with "_" would be taken for the one with "-" (X_Id, X-Id): it is left out.
    fields.pop("", None)
    return fields


def _variable(name: str) -> str:
    """The CGI name of a header field; remembered, as most requests send the same few."""
    if not _TOKEN.fullmatch(name):
        _bad("request head: expected header names without spaces or special characters")
    lower = name.lower()
    if "_" in lower:
        return ""
    variable = _variables.get(lower) or "HTTP_" + lower.upper().replace("-", "_")
    if len(_variables) < _MAX_VARIABLES and len(name) <= 64:
        _variables[name] = variable
    return variable


def _framing(head: Head) -> None:
    """Where the body ends: RFC 9112, 6; anything two readers could read differently is refused."""
    coding = head.fields.get("HTTP_TRANSFER_ENCODING")
    length = head.fields.get("CONTENT_LENGTH")
    if coding is not None:
        if length is not None:
            _bad("Content-Length: expected none beside Transfer-Encoding")
        if head.http_1_0:
            _bad("Transfer-Encoding: expected none from a client of HTTP/1.0")
        if coding.lower() != "chunked":
            raise Refused(HTTPStatus.NOT_IMPLEMENTED, "Transfer-Encoding: expected chunked")
        head.chunked = True
    elif length is not None:
        if not (length.isascii() and length.isdigit() and len(length) <= 18):
            _bad("Content-Length: expected a number of bytes")
        head.length = int(length)


def _expectation(head: Head) -> None:
    if head.fields["HTTP_EXPECT"].lower() != "100-continue":
        raise Refused(HTTPStatus.EXPECTATION_FAILED, "Expect: expected 100-continue")
    head.expects_continue = head.chunked or bool(head.length)


def _bad(sentence: str) -> NoReturn:
    raise Refused(HTTPStatus.BAD_REQUEST, sentence)


def error_response(status: HTTPStatus, sentence: str) -> bytes:
    """A whole answer of the server's own, after which the connection ends."""
    body = msgspec.json.encode({"error": sentence})
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
