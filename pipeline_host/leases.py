"""When a process counts as lost: the rules of leases, as pure functions.

A reporter that asks for a lease promises to be heard from again within so many seconds. Hearing
from it renews the lease; one that ended without that fails the process.

Times called ``at`` are milliseconds since 1970.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from pipeline_host.models import Lease, Process
from pipeline_host.times import format_duration, timestamp, to_ms

PARTS: Final = 3
"""A renewal is worth writing down when one of so many parts of a lease has passed.

So a reporter that is heard from at least once in two thirds of its lease never loses it, and one
that writes a thousand times a second costs three records for each lease.
"""


def granted(process: Process, at: int) -> Process:
    """``process`` with an end to the lease that it asks for, if it does."""
    lease = process.lease
    if lease is None or lease.expires is not None:
        return process
    return replace(process, lease=_from(lease.seconds, at))


def renewed(process: Process, at: int) -> Process:
    """``process``, just heard from; the same object where enough of its lease is left."""
    lease = process.lease
    if lease is None or process.terminal or at <= renewable_at(lease):
        return process
    return replace(process, lease=_from(lease.seconds, at))


def failed(process: Process, at: int) -> Process:
    """``process`` as lost; the same object where it ended, or its lease was renewed, meanwhile."""
    lease = process.lease
    if lease is None or process.terminal or at < ends_at(lease):
        return process
    last = ends_at(lease) - _length(lease)
    sentence = (
        f"lost contact: the reporter's lease of {lease.seconds:g} s was last renewed"
        f" {format_duration(at - last)} ago, at {timestamp(last)}"
    )
    return replace(
        process, status="failed", error=sentence, end_time=process.end_time or timestamp(at)
    )


def renewable_at(lease: Lease) -> int:
    """After which moment a renewal is written down."""
    return ends_at(lease) - _length(lease) + _length(lease) // PARTS


def ends_at(lease: Lease, since: int = 0) -> int:
    """When a lease ends that had to be renewed by a server which could be reached from ``since``.

    A reporter that could not reach it gets one whole lease from then on.
    """
    expires = 0 if lease.expires is None else to_ms(lease.expires)
    return max(expires, since + _length(lease))


def _from(seconds: float, at: int) -> Lease:
    return Lease(seconds=seconds, expires=timestamp(at + round(seconds * 1000)))


def _length(lease: Lease) -> int:
    return round(lease.seconds * 1000)
