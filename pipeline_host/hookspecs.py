"""The hooks that a plugin implements, and the records it returns from them.

Hooks return *records*: a name, a one-line summary, and a factory. Nothing is made when a plugin is
loaded; the host lists the records, refuses two of one name, and calls the factories of those it
uses. A plugin is a module (or any object) named by an entry point in the group
``pipeline_host``::

    from pipeline_host.hookspecs import StoreSpec, hookimpl

    @hookimpl
    def pipeline_host_process_stores():
        return [StoreSpec("acme", "Processes in SQLite", AcmeStore.open)]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias

import msgspec
import pluggy

from pipeline_host.models import Change
from pipeline_host.store import ProcessStore

if TYPE_CHECKING:
    import click

    from pipeline_host.host import Host

PROJECT: Final = "pipeline_host"
"""The pluggy project, the entry-point group and the prefix of the hooks."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class NoOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The options of a plugin that has none."""


@dataclass(frozen=True)
class StoreContext:
    """What a store gets to open itself.

    Attributes:
        data_dir: a folder of the server's, already made, for a store that keeps files.
        options: the ``[plugins.NAME]`` settings, as the record's ``options`` type.
        examining: the store is only opened to look what is there, in a folder that may be anyone's:
            make nothing, change nothing, and raise ``StartupError`` where there are no data.
    """

    data_dir: Path
    options: Any
    examining: bool = False


@dataclass(frozen=True)
class StoreSpec:
    """A kind of storage, chosen with ``--store NAME``.

    Attributes:
        name: what the setting ``store`` says to select it.
        summary: one line for people.
        factory: opens the store. Raises :class:`~pipeline_host.errors.StartupError` where it can't.
        shared: several workers may open it at once; such a store is a
            :class:`~pipeline_host.store.DoorbellStore`.
        options: a ``msgspec.Struct`` with defaults that ``[plugins.NAME]`` is read into.
    """

    name: str
    summary: str
    factory: Callable[[StoreContext], ProcessStore]
    shared: bool = False
    options: type[msgspec.Struct] = NoOptions


@dataclass(frozen=True)
class Route:
    """A Falcon resource at a URI template.

    A parameter of the template is one path segment, percent-decoded once by the host, so that it
    may hold any character. A resource may have an attribute ``openapi``, the OpenAPI 3.1 path item
    of its route, which the document at ``/api/openapi.json`` then holds.
    """

    path: str
    resource: object


@dataclass(frozen=True)
class RouteSpec:
    """A set of routes that belong together, made once in each worker."""

    name: str
    summary: str
    factory: Callable[[Host], Iterable[Route]]
    paths: Sequence[str] = ()
    """The templates of its routes, for lists and for finding two plugins that want the same."""
    options: type[msgspec.Struct] = NoOptions
    """As for a sink: with defaults, and checked before anything is begun."""


class Sink(Protocol):
    """Something that wants to be told of every change, in order.

    It is called on a thread of its own, one change at a time. It may also have ``on_resync()``,
    which is called where changes that it has not been told of are no longer known, and
    ``close()``, which is called when it won't be told of any more.
    """

    def on_change(self, change: Change) -> None:
        """Take one change, for as long as it takes.

        What it raises is logged once, until it works again, counted, and harms nobody else. In
        the scope ``deployment`` the same change then comes again, later and later, or when a
        :class:`RetryLater` says; in the scope ``worker`` the next one comes.
        """


class RetryLater(Exception):
    """Raised by a sink that knows when it shall be told of the same change again.

    Args:
        sentence: why it couldn't take it now.
        seconds: when to try again.
    """

    def __init__(self, sentence: str, seconds: float) -> None:
        super().__init__(sentence)
        self.seconds = seconds


Scope: TypeAlias = Literal["worker", "deployment"]


@dataclass(frozen=True)
class SinkSpec:
    """A receiver of changes, made once in each worker.

    Attributes:
        name: what lists and its options call it; its place in the change log is kept under it.
        summary: one line for people.
        factory: makes it; or several, each with a place of its own, by the names that tell them
            apart; none where it has nothing to do.
        scope: ``worker``: each worker's is told of every change from the worker's start on.
            ``deployment``: of all workers' one is told, at least once of each change from the
            first start on; when its worker ends, another's goes on where it stopped.
        options: a ``msgspec.Struct`` with defaults that ``[plugins.NAME]`` must fit; the factory
            reads it with :func:`pipeline_host.config.plugin_options`.
    """

    name: str
    summary: str
    factory: Callable[[Host], Sink | Mapping[str, Sink]]
    scope: Scope = "worker"
    options: type[msgspec.Struct] = NoOptions


@dataclass(frozen=True)
class CommandSpec:
    """A command of ``pipeline-host``; the factory is called only when the command is needed."""

    name: str
    summary: str
    factory: Callable[[], click.Command]


@dataclass(frozen=True)
class LifespanSpec:
    """Something to be started with each worker and ended with it: a context manager."""

    name: str
    summary: str
    factory: Callable[[Host], AbstractContextManager[object]]


@hookspec
def pipeline_host_process_stores() -> Iterable[StoreSpec]:  # type: ignore[empty-body]
    """The kinds of storage that this plugin provides."""


@hookspec
def pipeline_host_routes() -> Iterable[RouteSpec]:  # type: ignore[empty-body]
    """The HTTP routes that this plugin provides."""


@hookspec
def pipeline_host_event_sinks() -> Iterable[SinkSpec]:  # type: ignore[empty-body]
    """The receivers of changes that this plugin provides."""


@hookspec
def pipeline_host_commands() -> Iterable[CommandSpec]:  # type: ignore[empty-body]
    """The commands that this plugin adds to ``pipeline-host``."""


@hookspec
def pipeline_host_lifespan() -> Iterable[LifespanSpec]:  # type: ignore[empty-body]
    """What this plugin starts and ends with each worker."""
