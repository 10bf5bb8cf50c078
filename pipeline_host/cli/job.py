"""What ``run`` was asked for, and the records that tell a server of it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipeline_host.cli.common import PROCESS_VARIABLE, URL_VARIABLE
from pipeline_host.client import workspace_folder, workspace_identity
from pipeline_host.client.batch import clean
from pipeline_host.times import now

GRACE_VARIABLE: Final = "PIPELINE_HOST_GRACE"
SPOOL_VARIABLE: Final = "PIPELINE_HOST_SPOOL"
PREVIEW_LENGTH: Final = 100
PAGERS: Final = ("PAGER", "GIT_PAGER", "MANPAGER", "SYSTEMD_PAGER")
"""Variables that name a pager. One that waits for keys which never come would hang."""
INNER_GRACE: Final = 0.8
"""The part of our grace that a run within the command gets, to end its own command before us."""


@dataclass(frozen=True)
class Job:
    """What ``run`` was asked for; times in seconds."""

    command: Sequence[str]
    server: str
    name: str | None
    type: str
    workspace: Path | None
    parent: str | None
    process_id: str | None
    grace: float
    flush_timeout: float
    spool: Path | None
    lease: float
    tty: bool
    """Whether the command sees a terminal where our own output is one."""

    @property
    def preview(self) -> str:
        """What the process is called in lists."""
        if self.name is not None:
            return self.name
        line = " ".join(shlex.join(self.command).split())
        return line if len(line) <= PREVIEW_LENGTH else line[: PREVIEW_LENGTH - 1] + "…"

    def workspace_record(self) -> dict[str, str]:
        return workspace_identity(self.workspace or workspace_folder(_here())).record()

    def process_record(self, workspace: Mapping[str, str]) -> dict[str, Any]:
        fields = {
            "id": self.process_id,
            "type": self.type,
            "promptPreview": self.preview,
            "fullPrompt": shlex.join(self.command),
            "status": "running",
            "startTime": now(),
            "parentProcessId": self.parent,
            "leaseSeconds": self.lease or None,
            "workingDirectory": str(_here()),
            "metadata": {"workspaceId": workspace["id"], "workspaceName": workspace["name"]},
        }
        told = {key: value for key, value in fields.items() if value is not None}
        return {
            key: clean(value) if isinstance(value, str) else value for key, value in told.items()
        }

    def environment(self, process_id: str, *, terminal: bool) -> dict[str, str]:
        """The command's environment variables.

        Args:
            terminal: its standard output is one, in which no key reaches a pager.
        """
        return (
            os.environ
            | dict.fromkeys(PAGERS if terminal else (), "cat")
            | {
                URL_VARIABLE: self.server,
                PROCESS_VARIABLE: process_id,
                GRACE_VARIABLE: str(self.grace * INNER_GRACE),
            }
        )


def _here() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path(os.environ.get("PWD", "/"))
