"""One endpoint: a sink that posts each change to one URL."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import requests
import urllib3

from pipeline_host.dead_letters import DeadLetter, DeadLetterBox
from pipeline_host.hookspecs import RetryLater
from pipeline_host.messages import encode
from pipeline_host.models import Change
from pipeline_host.times import now
from pipeline_host_webhook import answers
from pipeline_host_webhook.options import WebhookOptions
from pipeline_host_webhook.signing import headers

_ANSWER_SIZE: Final = 16 * 1024
"""So much of an answer's body is read, so that the connection can be used again."""
log: Final = logging.getLogger(__name__)


class _Failure(NamedTuple):
    reason: str
    final: bool
    wait: float = 0.0


class Endpoint:
    """Posts changes to a URL, one after the other.

    A message that can't be delivered now is tried again later, and holds up those behind it. One
    that is refused, or was tried too often, becomes a dead letter.

    Args:
        name: the sink's name.
        letters: takes what is given up.
    """

    def __init__(
        self, name: str, url: str, options: WebhookOptions, letters: DeadLetterBox
    ) -> None:
        self._name = name
        self._url = url
        self._target = without_secrets(url)
        self._options = options
        self._letters = letters
        self._session = requests.Session()
        self._session.auth = lambda request: request  # else it would look into ~/.netrc
        self._seq = 0
        self._attempts = 0
        self._giving_up = False

    def on_change(self, change: Change) -> None:
        """Deliver one change.

        Raises:
            RetryLater: it can't be delivered now.
            OSError: a dead letter can't be written.
        """
        if self._options.events and change.kind not in self._options.events:
            return
        body = encode(change)
        if change.seq != self._seq:
            self._seq, self._attempts = change.seq, 0
        self._attempts += 1
        failure = self._post(change.seq, body)
        if failure is None:
            self._giving_up = False
        elif failure.final or self._attempts >= self._options.max_attempts:
            self._give_up(failure.reason, body.decode())
        else:
            wait = max(failure.wait, answers.backoff(self._attempts))
            raise RetryLater(f"{self._target}: {failure.reason}", wait)

    def on_resync(self) -> None:
        """Changes are forgotten that were never delivered; raises ``OSError`` as delivering."""
        self._attempts = 0
        self._give_up("changes were forgotten before they could be delivered", "")

    def close(self) -> None:
        self._session.close()

    def _post(self, seq: int, body: bytes) -> _Failure | None:
        try:
            with self._session.post(
                self._url,
                data=body,
                headers=headers(self._options.secret, int(time.time()), seq, body),
                timeout=self._options.timeout,
                allow_redirects=False,
                stream=True,
            ) as response:
                with contextlib.suppress(urllib3.exceptions.HTTPError, OSError):
                    response.raw.read(_ANSWER_SIZE)
                return _judge(response)
        except requests.RequestException as error:
            return _Failure(_why(error), final=False)

    def _give_up(self, reason: str, message: str) -> None:
        self._letters.add(
            DeadLetter(
                time=now(),
                sink=self._name,
                target=self._target,
                seq=self._seq,
                attempts=self._attempts,
                reason=reason,
                message=message,
            )
        )
        if not self._giving_up:
            self._giving_up = True
            log.warning(
                "sink %s: a message to %s is a dead letter: %s; more of them are only kept, see "
                "pipeline-host doctor",
                self._name,
                self._target,
                reason,
            )


def without_secrets(url: str) -> str:
    """A URL as it may be shown: a query may hold a token."""
    parts = urlsplit(url)
    return parts._replace(query="…" if parts.query else "").geturl()


def _judge(response: requests.Response) -> _Failure | None:
    status = response.status_code
    if answers.taken(status):
        return None
    wait = answers.retry_after(response.headers.get("Retry-After"), time.time())
    return _Failure(f"it answered {status}", not answers.may_come_again(status), wait)


def _why(error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout):
        return "it didn't answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate or TLS can't be trusted"
    if isinstance(error, requests.ConnectionError):
        return "it can't be reached"
    return f"the request failed ({type(error).__name__})"
