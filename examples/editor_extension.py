"""Show the processes of an editor on a pipeline_host server, whatever becomes of either.

    python editor_extension.py FOLDER [--server URL]

It stands for an extension that mirrors its editor's own processes. Here these are files: each
``FOLDER/NAME.json`` is a process, which comes, changes and goes on the server as the file does.

    {"promptPreview": "Review of 3 commits", "type": "code-review", "status": "running"}

Nothing here waits for the server, or fails because of it. What it could not be told before this
program ended is in the spool, and is sent by the next one, or by any other with the same spool.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline_host.client import DEFAULT_URL, Drop, ExtensionClient

LOOK = 0.2
"""How often the folder is looked at, in seconds. An editor would get events."""

Process = dict[str, Any]


class Mirror:
    """Tells a client what changed since it was told last.

    Args:
        client: reports the processes.
        state: a file that remembers what was told, for the next start.
    """

    def __init__(self, client: ExtensionClient, state: Path) -> None:
        self._client = client
        self._state = state
        self._told: dict[str, Process] = {}
        if state.exists():
            self._told = json.loads(state.read_text("utf-8"))

    def show(self, processes: Mapping[str, Process]) -> None:
        """Make the server's processes these."""
        if processes == self._told:
            return
        for process_id, process in processes.items():
            if process_id not in self._told:
                self._client.submit({**process, "id": process_id})
            elif process != self._told[process_id]:
                self._client.update(process_id, process)
        for process_id in self._told.keys() - processes.keys():
            self._client.remove(process_id)
        self._told = dict(processes)
        new = self._state.with_suffix(".new")
        new.write_text(json.dumps(self._told), "utf-8")
        new.replace(self._state)


def processes_in(folder: Path) -> dict[str, Process]:
    """The processes that there are now; a file that is just being written is left for later."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        try:
            found[path.stem] = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            continue
    return found


def connection_changed(connected: bool) -> None:
    print("connected" if connected else "not connected; it is all kept for later", flush=True)


def dropped(drop: Drop) -> None:
    print(f"{drop.process_id}: not reported: {drop.reason}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--server", default=DEFAULT_URL, metavar="URL")
    options = parser.parse_args()

    own = options.folder / ".pipeline_host"
    own.mkdir(exist_ok=True)
    closing = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: closing.set())

    client = ExtensionClient(
        options.server,
        workspace=options.folder,
        spool=own / "spool",
        on_connection_change=connection_changed,
        on_drop=dropped,
    )
    client.register_workspace()
    mirror = Mirror(client, own / "told.json")
    while not closing.wait(LOOK):
        mirror.show(processes_in(options.folder))
    # An editor closes now, not when the server is back.
    client.close(timeout=1)


if __name__ == "__main__":
    main()
