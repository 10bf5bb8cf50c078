"""The declarations of the settings: name, type with its bounds, default and description, once each.

How they are read is in :mod:`pipeline_host.config`; flags are made of them in
:mod:`pipeline_host.cli.options`, and help and documentation too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_type_hints

import msgspec
from msgspec import Meta

ENV_PREFIX: Final = "PIPELINE_HOST_"
_HOST: Final = r"^[A-Za-z0-9._:%-]+$"
_HOST_NAME: Final = r"^([A-Za-z0-9._-]+|\[?[0-9A-Fa-f:.]+\]?)$"
_DAY: Final = 86_400
_CENTURY: Final = 100 * 365 * _DAY
"""In seconds. Clocks and timers take no numbers of any size."""
_ORIGIN: Final = r"^[A-Za-z][A-Za-z0-9+.-]*://[^/\s,]+$"


def default_data_dir(env: Mapping[str, str] = os.environ) -> Path:
    """Where data is kept unless told otherwise (XDG Base Directory Specification)."""
    home = env.get("XDG_DATA_HOME") or Path(env.get("HOME") or Path.home()) / ".local" / "share"
    return Path(home) / "pipeline_host"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How a server is set up; made by :func:`load_settings`, or directly in a program."""

    host: Annotated[
        str,
        Meta(
            description="The address to listen on.",
            pattern=_HOST,
            extra={"expected": "a host name or an IP address"},
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int, Meta(description="The TCP port to listen on; 0 picks a free one.", ge=0, le=65535)
    ] = 4000
    workers: Annotated[
        int, Meta(description="How many worker processes serve requests.", ge=1, le=1024)
    ] = 1
    data_dir: Annotated[
        Path,
        Meta(
            description="The folder that the store keeps its data in.",
            extra={"shown": "`$XDG_DATA_HOME/pipeline_host`"},
        ),
    ] = msgspec.field(default_factory=default_data_dir)
    store: Annotated[
        str,
        Meta(
            description="The name of the storage to use, one of those that plugins provide.",
            min_length=1,
            extra={"expected": "the name of a store"},
        ),
    ] = "file"
    open: Annotated[bool, Meta(description="Open a browser once the server answers.")] = True
    block: Annotated[
        tuple[str, ...],
        Meta(
            description="A plugin not to load: its name, its distribution's name, or "
            "`distribution:name`.",
            extra={"flag": "--block", "metavar": "NAME"},
        ),
    ] = ()
    safe_mode: Annotated[bool, Meta(description="Load only the bundled plugins.")] = False
    allowed_hosts: Annotated[
        tuple[
            Annotated[str, Meta(pattern=_HOST_NAME, extra={"expected": "a host name, no port"})],
            ...,
        ],
        Meta(
            description="A further host name that clients may use for this server; loopback "
            "names and the bound address are always known.",
            extra={"flag": "--allowed-host", "metavar": "NAME"},
        ),
    ] = ()
    allowed_origins: Annotated[
        tuple[
            Annotated[
                str, Meta(pattern=_ORIGIN, extra={"expected": "an origin, https://example.org"})
            ],
            ...,
        ],
        Meta(
            description="A web origin whose pages may use this server, besides its own.",
            extra={"flag": "--allowed-origin", "metavar": "ORIGIN"},
        ),
    ] = ()
    max_body: Annotated[
        int, Meta(description="The largest JSON body taken, in bytes.", ge=1024, le=2**40)
    ] = 16 * 1024 * 1024
    heartbeat: Annotated[
        float,
        Meta(
            description="Seconds of silence after which a stream sends a heartbeat.", gt=0, le=_DAY
        ),
    ] = 15.0
    head_timeout: Annotated[
        float, Meta(description="Seconds that the head of a request may take.", gt=0, le=_DAY)
    ] = 10.0
    body_timeout: Annotated[
        float, Meta(description="Seconds that a JSON body may stall.", gt=0, le=_DAY)
    ] = 10.0
    keepalive: Annotated[
        float,
        Meta(
            description="Seconds that an idle connection is kept; 0 closes at once.", ge=0, le=_DAY
        ),
    ] = 75.0
    graceful_timeout: Annotated[
        float,
        Meta(description="Seconds that requests get to end when the server stops.", ge=0, le=_DAY),
    ] = 1.5
    max_streams: Annotated[
        int,
        Meta(description="How many live connections a worker keeps at a time.", ge=1, le=1_000_000),
    ] = 20_000
    access_log: Annotated[bool, Meta(description="Log each request.")] = False
    log_level: Annotated[
        Literal["debug", "info", "warning", "error", "critical"],
        Meta(description="The least severe messages that are logged."),
    ] = "warning"
    retention_max_age: Annotated[
        Annotated[float, Meta(gt=0, le=_CENTURY)] | None,
        Meta(description="Seconds after its end that a process is kept; for ever if unset."),
    ] = None
    retention_max_count: Annotated[
        Annotated[int, Meta(ge=0, le=10**12)] | None,
        Meta(description="How many processes are kept; all if unset. None that runs is removed."),
    ] = None
    retention_interval: Annotated[
        float, Meta(description="Seconds between two rounds of retention.", gt=0, le=_DAY)
    ] = 60.0
    plugins: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    """The options of plugins, ``[plugins.NAME]``; see :func:`plugin_options`."""
    origins: dict[str, str] = msgspec.field(default_factory=dict)
    """Where each setting (``port``, ``plugins.file.durability``) that isn't a default was set."""


@dataclass(frozen=True)
class Declaration:
    """One setting, as :class:`Settings` declares it.

    Attributes:
        kind: its type, with the bounds that :func:`~pipeline_host.expected.expected` words.
        flag: the flag that sets it; repeated for a list.
        metavar: what a flag's value stands for, in help; ``None`` for the usual.
        shown: the default, for people.
    """

    name: str
    kind: Any
    description: str
    flag: str
    metavar: str | None
    shown: str
    default: Any

    @property
    def variable(self) -> str:
        return ENV_PREFIX + self.name.upper()

    @property
    def is_list(self) -> bool:
        return isinstance(self.default, tuple)

    @property
    def is_switch(self) -> bool:
        return isinstance(self.default, bool)


def _declarations() -> Iterator[Declaration]:
    kinds = get_type_hints(Settings, include_extras=True)
    for field in msgspec.structs.fields(Settings):
        meta = getattr(kinds[field.name], "__metadata__", (None,))[0]
        if not isinstance(meta, Meta):
            continue
        extra = meta.extra or {}
        yield Declaration(
            name=field.name,
            kind=kinds[field.name],
            description=meta.description or "",
            flag=extra.get("flag") or "--" + field.name.replace("_", "-"),
            metavar=extra.get("metavar"),
            shown=extra.get("shown") or _shown(field.default),
            default=field.default,
        )


def _shown(default: Any) -> str:
    if default is None or default == ():
        return "none"
    return f"`{msgspec.json.encode(default).decode()}`"


DECLARATIONS: Final[Mapping[str, Declaration]] = {d.name: d for d in _declarations()}
