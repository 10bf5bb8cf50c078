"""What ``[plugins.file]`` in the settings may say."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

Durability: TypeAlias = Literal["synced", "full", "os"]


class FileStoreOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a :class:`~pipeline_host_filestore.store.FileProcessStore` keeps its promises.

    Attributes:
        durability: what survives a loss of power. ``synced``: every acknowledged change of a
            process, and of output what is older than a second or belongs to an ended process.
            ``full``: all that was acknowledged. ``os``: what the kernel happened to write back.
            A killed server loses nothing acknowledged in any of them.
        flush_interval: how long output may stay unsynced under ``synced``, in seconds.
        compact_size: the journal is not compacted below this size, in bytes.
        cache_size: how much of long texts is kept in memory after they were read, in bytes.
        open_outputs: how many output files are kept open at once.
        lock_timeout: how long to wait for other workers before giving up, in seconds.
    """

    durability: Durability = "synced"
    flush_interval: Annotated[float, Meta(gt=0, le=86_400)] = 1.0
    compact_size: Annotated[int, Meta(ge=0, le=2**40)] = 8 * 1024 * 1024
    cache_size: Annotated[int, Meta(ge=0, le=2**40)] = 32 * 1024 * 1024
    open_outputs: Annotated[int, Meta(ge=1, le=1_000_000)] = 256
    lock_timeout: Annotated[float, Meta(gt=0, le=86_400)] = 10.0
