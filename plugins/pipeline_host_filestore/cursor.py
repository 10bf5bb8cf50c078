"""The opaque text that tells where a page of a list ended. Pure."""

from __future__ import annotations

import base64
import binascii
from typing import Final

import msgspec

from pipeline_host.errors import InvalidInput
from pipeline_host.models import Timestamp
from pipeline_host_filestore.index import Key

_decoder: Final = msgspec.json.Decoder(tuple[str, int])


def encode(key: Key) -> str:
    """The cursor of the place after ``key``, in either order."""
    text = msgspec.json.encode((key.start_time, key.incarnation))
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def decode(cursor: str) -> Key:
    """The key of the last process before the cursor, but for its id.

    Raises:
        InvalidInput: it is not a cursor that :func:`encode` gave.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        start_time, incarnation = _decoder.decode(
            base64.b64decode(padded, altchars=b"-_", validate=True)
        )
    except (UnicodeEncodeError, binascii.Error, msgspec.MsgspecError, UnicodeDecodeError):
        raise InvalidInput.field("cursor", "the nextCursor of a page") from None
    return Key(Timestamp(start_time), incarnation, "")
