"""What the bundled plugins can be told has bounds, as the settings have."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pipeline_host.config import Settings, plugin_options
from pipeline_host.errors import InvalidSettings
from pipeline_host_filestore.options import FileStoreOptions
from pipeline_host_webhook.options import WebhookOptions
from pipeline_host_websocket.clock import Options as WebSocketOptions

NUMBERS = [
    (kind, field.encode_name)
    for kind in (FileStoreOptions, WebhookOptions, WebSocketOptions)
    for field in msgspec.structs.fields(kind)
    if type(field.default) in (int, float)
]


@pytest.mark.parametrize("value", [1e14, float("inf"), float("nan"), 10**30, "1e14", "nan", "-1"])
@pytest.mark.parametrize(("kind", "name"), NUMBERS)
def test_a_number_of_any_size_is_refused(kind: type[msgspec.Struct], name: str, value: Any) -> None:
    with pytest.raises(InvalidSettings, match=rf"^plugins\.x\.{name} \(the program\): expected a"):
        plugin_options(Settings(plugins={"x": {name: value}}), "x", kind)
