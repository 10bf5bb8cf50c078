"""Sending one HTTP request to a server and telling apart what can come of it."""

from __future__ import annotations

import ipaddress
import json
import math
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote, urlencode, urlsplit

import requests
from urllib3.exceptions import HTTPError

from pipeline_host.client.connections import close_connections
from pipeline_host.client.errors import ApiError, BadAnswer, ClientError, Unreachable

JSON_TYPE: Final = "application/json"
READ_SIZE: Final = 64 * 1024
MAX_RETRY_AFTER: Final = 3600.0
_DOTS: Final = re.compile(r"\.{1,2}")

Timeout = tuple[float, float]
"""Seconds to wait for the connection, and for each part of the answer."""


def segment(name: str) -> str:
    """One segment of a path that stands for ``name``, whatever is in it.

    RFC 3986 lets ``..`` go unescaped but gives it a meaning, so its dots are escaped here.
    """
    return name.replace(".", "%2E") if _DOTS.fullmatch(name) else quote(name, safe="")


def encode(value: object) -> bytes:
    """JSON as RFC 8259 has it.

    Raises:
        ValueError: NaN, infinity or half of a surrogate pair is in it.
    """
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


class Transport:
    """A pool of connections to one server; safe to use from several threads.

    Args:
        server_url: such as ``http://127.0.0.1:4000``; a path is put before every request's.
        timeout: see :data:`Timeout`.
        headers: sent with every request, unless that has one of the same name.

    Raises:
        ValueError: ``server_url`` is not an absolute http or https URL.
    """

    def __init__(
        self, server_url: str, timeout: Timeout, headers: Mapping[str, str] | None = None
    ) -> None:
        self.server_url = server_url.rstrip("/")
        self.timeout = timeout
        self._closed = False
        self._session = requests.Session()
        # A proxy can't reach a loopback address, and .netrc has nothing for a local server.
        self._session.trust_env = not _is_loopback(_host(server_url))
        self._session.headers.update(headers or {})
        if "Authorization" in self._session.headers:
            # Else requests would put what .netrc has for this host in its place.
            self._session.auth = _as_it_is

    def close(self) -> None:
        """Let go of the connections: of idle ones now, of others when their request is done."""
        self._closed = True
        close_connections(self._session)

    def json(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        query: Mapping[str, str | int] | None = None,
    ) -> dict[str, Any]:
        """Send a request, with JSON if there is a ``body``; the answer's object, or an empty one.

        Raises:
            ClientError: see :mod:`pipeline_host.client.errors`.
        """
        return self.exchange(method, path, body, query)[1]

    def exchange(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        query: Mapping[str, str | int] | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """The same, with the status before it.

        Raises:
            ClientError: see :mod:`pipeline_host.client.errors`.
        """
        headers = {"Accept": JSON_TYPE} | ({} if body is None else {"Content-Type": JSON_TYPE})
        with self.open(method, path, body=body, query=query, headers=headers) as answer:
            content = answer.read()
            empty = answer.status == HTTPStatus.NO_CONTENT
            return answer.status, {} if empty else answer.decoded(content)

    def open(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str],
        timeout: Timeout | None = None,
    ) -> Answer:
        """Send a request and return the answer once its head is here; it has to be closed.

        Raises:
            ClientError: no answer, or one that is a refusal.
        """
        url = self.server_url + path + (f"?{urlencode(query)}" if query else "")
        request = self._session.prepare_request(
            requests.Request(method, self.server_url, data=body, headers=dict(headers))
        )
        # Set afterwards: preparing would unescape dots and resolve "..".
        request.url = url
        settings = self._session.merge_environment_settings(url, {}, True, None, None)
        try:
            with _telling(self.server_url):
                response = self._session.send(
                    request, timeout=timeout or self.timeout, allow_redirects=False, **settings
                )
        finally:
            if self._closed:
                self.close()
        answer = Answer(self.server_url, response)
        if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            with answer:
                raise answer.refusal()
        return answer


class Answer(AbstractContextManager["Answer"]):
    """An answer whose body is read as it comes."""

    def __init__(self, server_url: str, response: requests.Response) -> None:
        self._server_url = server_url
        self._response = response
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._response.close()

    def abort(self) -> None:
        """Let whoever reads it, in another thread, find that it ends here."""
        # There is no connection any more, or nothing is read from it.
        with suppress(ValueError, RuntimeError, OSError):
            self._response.raw.shutdown()

    def parts(self) -> Iterator[bytes]:
        """The body in pieces, each as soon as it is here.

        Raises:
            Unreachable: the connection broke before the end.
        """
        while True:
            with _telling(self._server_url):
                data = self._response.raw.read1(READ_SIZE, decode_content=True)
            if not data:
                return
            yield data

    def read(self) -> bytes:
        """The whole rest of the body.

        Raises:
            Unreachable: the connection broke before the end.
        """
        with _telling(self._server_url):
            return self._response.content

    def decoded(self, content: bytes) -> dict[str, Any]:
        """``content`` as a JSON object.

        Raises:
            BadAnswer: it isn't one.
        """
        value = _object(content)
        if value is None:
            kind = self.headers.get("Content-Type", "something without a type")
            raise BadAnswer(
                f"{self._server_url} answered {self.status} with {kind}, not with a JSON object;"
                " is it a pipeline_host server?"
            )
        return value

    def refusal(self) -> ClientError:
        """The error that this answer stands for."""
        if self.status < HTTPStatus.BAD_REQUEST:
            return BadAnswer(f"{self._server_url} answered {self.status}; is it the right address?")
        try:
            body = _object(self.read()) or {}
        except Unreachable:
            body = {}
        words = f"{self._server_url} answered {self.status} {self._response.reason}".rstrip()
        sentence = body.get("error")
        return ApiError(
            self.status,
            sentence if isinstance(sentence, str) else words,
            body,
            _seconds(self.headers.get("Retry-After")),
        )


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _object(content: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(content)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


@contextmanager
def _telling(server_url: str) -> Iterator[None]:
    """Turn whatever requests and urllib3 raise for a failed exchange into ours."""
    try:
        yield
    except (requests.RequestException, HTTPError) as error:
        raise Unreachable(f"{server_url} can't be reached: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """The system's own words for it, which those libraries wrap several times."""
    seen: BaseException | None = error
    words = ""
    while seen is not None:
        if isinstance(seen, TimeoutError | requests.Timeout):
            return "no answer in time"
        if isinstance(seen, OSError) and seen.strerror:
            words = seen.strerror
        seen = seen.__cause__ or seen.__context__
    return words or "the connection broke"


def _seconds(value: str | None) -> float | None:
    """``Retry-After`` (RFC 9110, section 10.2.3): seconds, or a date; at most an hour is obeyed."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except ValueError:
            return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER) if math.isfinite(seconds) else None


def _host(server_url: str) -> str:
    try:
        parts = urlsplit(server_url)
        usable = parts.scheme in ("http", "https") and not (parts.query or parts.fragment)
        usable = usable and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not parts.hostname:
        raise ValueError(f"server URL: expected http://HOST:PORT, got {server_url!r}")
    return parts.hostname


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
