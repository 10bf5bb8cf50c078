"""The documents say what is so."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from pipeline_host.config import settings_reference
from pipeline_host_filestore.options import FileStoreOptions
from pipeline_host_webhook.options import WebhookOptions
from pipeline_host_websocket.clock import Options as WebSocketOptions

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_every_setting_is_documented_as_it_is_declared() -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert settings_reference().strip() in text


def test_every_option_of_the_file_store_is_documented_with_its_default() -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    documented = dict(re.findall(r"^\| `(\w+)` \| `([^`]*)` \| [a-z]", text, re.MULTILINE))
    declared = {f.name: str(f.default) for f in msgspec.structs.fields(FileStoreOptions)}
    assert documented == declared


@pytest.mark.parametrize(
    ("plugin", "options"), [("websocket", WebSocketOptions), ("webhook", WebhookOptions)]
)
def test_every_option_of_a_plugin_is_documented_with_its_default(
    plugin: str, options: type[msgspec.Struct]
) -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    _, _, section = text.partition(f"Those of `[plugins.{plugin}]`")
    table = section.split("\n\n")[1]
    documented = dict(re.findall(r"^\| `(\w+)` \| .* \| (?:none|`(.*)`) \|$", table, re.MULTILINE))
    declared = {f.name: str(f.default or "") for f in msgspec.structs.fields(options)}
    assert documented == declared


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_within_the_project_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []
