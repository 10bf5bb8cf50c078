"""The client: what reports processes to a server and follows them there.

It stands alone, on the standard library and requests: importing it loads no server code, so that
an editor's extension or an agent can carry it without the server's dependencies.
"""

import logging

from pipeline_host.client.api import DEFAULT_URL, ApiClient
from pipeline_host.client.errors import ApiError, BadAnswer, ClientError, Unreachable
from pipeline_host.client.extension import ExtensionClient
from pipeline_host.client.follow import Interrupt, changes, follow
from pipeline_host.client.ids import (
    WorkspaceIdentity,
    new_id,
    workspace_folder,
    workspace_id,
    workspace_identity,
)
from pipeline_host.client.items import Drop
from pipeline_host.client.logs import ProcessHandler
from pipeline_host.client.remote import ProcessCancelled, RemoteProcess
from pipeline_host.client.sse import Event, EventParser

__all__ = [
    "DEFAULT_URL",
    "ApiClient",
    "ApiError",
    "BadAnswer",
    "ClientError",
    "Drop",
    "Event",
    "EventParser",
    "ExtensionClient",
    "Interrupt",
    "ProcessCancelled",
    "ProcessHandler",
    "RemoteProcess",
    "Unreachable",
    "WorkspaceIdentity",
    "changes",
    "follow",
    "new_id",
    "workspace_folder",
    "workspace_id",
    "workspace_identity",
]

# Else Python would print warnings on the stderr of programs that don't set up logging.
logging.getLogger("pipeline_host.client").addHandler(logging.NullHandler())
