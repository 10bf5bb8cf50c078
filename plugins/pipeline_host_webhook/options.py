"""What ``[plugins.webhook]`` in the settings may say."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from pipeline_host.models import ChangeKind

Url = Annotated[
    str,
    Meta(
        pattern=r"^https?://[^\s/?#@\\]+([/?][^\s#]*)?$",
        extra={"expected": "an http or https URL without a user name"},
    ),
]


class WebhookOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where changes are sent to, and how stubbornly.

    Attributes:
        urls: each gets every message, whatever becomes of the others; none sends nothing.
        events: the types of messages that are sent; all if empty.
        secret: what messages are signed with; they aren't if it is empty.
        timeout: how long an endpoint may take to answer, in seconds.
        max_attempts: how often a message is tried before it becomes a dead letter.
    """

    urls: tuple[Url, ...] = ()
    events: tuple[ChangeKind, ...] = ()
    secret: str = ""
    timeout: Annotated[float, Meta(gt=0, le=86_400)] = 10.0
    max_attempts: Annotated[int, Meta(ge=1, le=1_000_000)] = 8
