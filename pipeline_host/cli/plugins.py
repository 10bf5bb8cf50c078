"""``pipeline-host plugins``: what is loaded, where it comes from, and what it provides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click
import msgspec

from pipeline_host.cli.options import PLUGIN_SETTINGS, settings_options
from pipeline_host.config import Settings
from pipeline_host.plugins import load_plugins
from pipeline_host.reports import PluginReport

_HEADINGS = ("NAME", "STATE", "DISTRIBUTION", "VERSION")


@click.command("plugins")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@settings_options(PLUGIN_SETTINGS)
def plugins_command(settings: Settings, as_json: bool) -> None:
    """List the plugins: what is loaded, from where, what each provides, and what failed."""
    reports = load_plugins(settings).reports
    if as_json:
        click.echo(as_json_text(reports))
        return
    for line in table(reports):
        click.echo(line)


def as_json_text(reports: Sequence[PluginReport]) -> str:
    """``{"plugins": […]}``; as everywhere on the wire, what has no value is left out."""
    plugins = [
        {key: value for key, value in msgspec.to_builtins(report).items() if value is not None}
        for report in reports
    ]
    return msgspec.json.format(msgspec.json.encode({"plugins": plugins}), indent=2).decode()


def table(reports: Sequence[PluginReport]) -> Iterator[str]:
    """The lines that tell of plugins: a row for each, below it what it provides and its error."""
    rows = [(r.name, r.state, r.distribution, r.version) for r in reports]
    widths = [max(map(len, column)) for column in zip(_HEADINGS, *rows, strict=True)]
    yield _row(_HEADINGS, widths)
    for report, row in zip(reports, rows, strict=True):
        yield _row(row, widths)
        for provision in report.provides:
            yield f"    {provision.kind}: {provision.name} — {provision.summary}"
        if report.error:
            yield f"    error: {report.error}"


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip()
