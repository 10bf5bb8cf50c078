"""What became of each plugin, for lists, the log and health."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias, overload

from pipeline_host.errors import PipelineHostError

Kind: TypeAlias = Literal["store", "routes", "sink", "command", "lifespan"]
State: TypeAlias = Literal["loaded", "blocked", "failed"]

log: Final = logging.getLogger("pipeline_host.plugins")


@dataclass(frozen=True)
class Provision:
    """One thing that a plugin provides."""

    kind: Kind
    name: str
    summary: str


@dataclass(frozen=True)
class PluginReport:
    """What became of one plugin.

    Attributes:
        name: its entry point's name.
        distribution: the installed distribution that it came with.
        version: the distribution's.
        state: ``blocked`` ones were never imported.
        error: why it failed; for a loaded one, what of it can't be used.
        provides: what it provides, used or not.
    """

    name: str
    distribution: str
    version: str
    state: State
    error: str | None = None
    provides: tuple[Provision, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} ({self.distribution} {self.version})"

    @property
    def block(self) -> str:
        """What ``--block`` says to leave out this plugin and no other."""
        return f"{self.distribution}:{self.name}"

    def with_error(self, sentence: str) -> PluginReport:
        """The same with one more error."""
        return replace(self, error=f"{self.error}; {sentence}" if self.error else sentence)


class Reports(Sequence[PluginReport]):
    """The reports of one assembled host; what fails later is added to them."""

    def __init__(self, reports: Iterable[PluginReport] = ()) -> None:
        self._reports = list(reports)

    @overload
    def __getitem__(self, index: int) -> PluginReport: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[PluginReport]: ...
    def __getitem__(self, index: int | slice) -> PluginReport | Sequence[PluginReport]:
        return self._reports[index]

    def __len__(self) -> int:
        return len(self._reports)

    def guard(self, plugin: PluginReport, what: str) -> Guard:
        """A ``with`` block that a failure of this part of a plugin doesn't leave."""
        return Guard(self, plugin, what)

    def add_error(self, plugin: PluginReport, what: str, error: BaseException) -> None:
        """Note that a part of a plugin failed, and log it once, with its traceback for debugging.

        Args:
            plugin: any report of the plugin.
            what: the part, such as ``sink audit``.
        """
        sentence = f"{what}: {sentence_of(error)}"
        log.warning("plugin %s: %s", plugin, sentence)
        log.debug("plugin %s: %s", plugin, what, exc_info=error)
        self.note(plugin, sentence)

    def note(self, plugin: PluginReport, sentence: str) -> None:
        """Add an error to a plugin's report."""
        for index, report in enumerate(self._reports):
            if (report.name, report.distribution) == (plugin.name, plugin.distribution):
                self._reports[index] = report.with_error(sentence)


class Guard:
    """Ends what a plugin raises here: it is added to the reports, and the host goes on."""

    def __init__(self, reports: Reports, plugin: PluginReport, what: str) -> None:
        self._reports = reports
        self._plugin = plugin
        self._what = what

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, (Exception, SystemExit)):
            return False
        self._reports.add_error(self._plugin, self._what, error)
        return True


def sentence_of(error: BaseException) -> str:
    """An error in one line: our own as they are, others with the name of their type."""
    text = " ".join(str(error).split())
    if isinstance(error, PipelineHostError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
