"""The opaque text that tells where a page of a list ended. Pure."""

from __future__ import annotations

import base64
from typing import Annotated, Final, TypeAlias

import msgspec

from pipeline_host.errors import InvalidInput
from pipeline_host.models import Timestamp
from pipeline_host.times import parse_timestamp
from pipeline_host_filestore.index import Key

_Incarnation: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_decoder: Final = msgspec.json.Decoder(tuple[str, str, _Incarnation])


def encode(key: Key, epoch: str) -> str:
    """The cursor of the place after ``key``, in either order, in the data that ``epoch`` names."""
    text = msgspec.json.encode((epoch, key.start_time, key.incarnation))
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def decode(cursor: str, epoch: str) -> Key:
    """The key of the last process before the cursor, but for its id.

    Raises:
        InvalidInput: it is not a cursor that :func:`encode` gave for these data.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        of_epoch, start_time, incarnation = _decoder.decode(
            base64.b64decode(padded, altchars=b"-_", validate=True)
        )
        known = of_epoch == epoch and parse_timestamp(start_time) == start_time
    except (ValueError, msgspec.MsgspecError):
        known = False
    if not known:
        raise InvalidInput.field("cursor", "the nextCursor of a page of this server")
    return Key(Timestamp(start_time), incarnation, "")
