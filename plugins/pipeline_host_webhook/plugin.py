"""What this plugin gives to the host."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from pipeline_host.config import plugin_options
from pipeline_host.hookspecs import Sink, SinkSpec, hookimpl
from pipeline_host.host import Host
from pipeline_host_webhook.options import WebhookOptions

NAME = "webhook"


@hookimpl
def pipeline_host_event_sinks() -> list[SinkSpec]:
    return [
        SinkSpec(
            NAME,
            "Posts every change to the URLs in its options, signed and retried",
            _endpoints,
            scope="deployment",
            options=WebhookOptions,
        )
    ]


def _endpoints(host: Host) -> Mapping[str, Sink]:
    """One for each URL, so that one that is down doesn't hold up the others."""
    options = plugin_options(host.settings, NAME, WebhookOptions)
    return {_key(url): _endpoint(host, url, options) for url in options.urls}


def _endpoint(host: Host, url: str, options: WebhookOptions) -> Sink:
    from pipeline_host.dead_letters import DeadLetterBox
    from pipeline_host_webhook.endpoint import Endpoint

    name = f"{NAME}.{_key(url)}"
    return Endpoint(name, url, options, DeadLetterBox(host.settings.data_dir, name))


def _key(url: str) -> str:
    """Names a URL, the same whatever else is in the options."""
    return hashlib.sha256(url.encode()).hexdigest()[:16]
