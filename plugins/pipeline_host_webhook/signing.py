"""The headers by which a receiver knows who sent a message, and when: pure functions."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

TIMESTAMP: Final = "X-Pipeline-Host-Timestamp"
SIGNATURE: Final = "X-Pipeline-Host-Signature"
DELIVERY: Final = "X-Pipeline-Host-Delivery"


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """HMAC-SHA256 (RFC 2104) over the time, a dot and the body.

    With the time in it, a receiver that refuses old messages can't be sent a recorded one again.
    """
    signed = str(timestamp).encode("ascii") + b"." + body
    return "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def headers(secret: str, timestamp: int, seq: int, body: bytes) -> Mapping[str, str]:
    """What a message is sent with.

    Args:
        timestamp: seconds since 1970.
        seq: the change's number, by which a receiver knows a message that comes again.
    """
    signed = {SIGNATURE: signature(secret, timestamp, body)} if secret else {}
    return {
        "Content-Type": "application/json",
        TIMESTAMP: str(timestamp),
        DELIVERY: str(seq),
        **signed,
    }
