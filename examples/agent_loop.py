"""An agent that works on one task after the other, and can be watched and stopped at it.

    python agent_loop.py [--server URL] < TASKS

Each line is a task, and becomes a process on a pipeline_host server: its answer streams there as
the model writes it, each tool call is a process below it, and what the agent logs is there, too.
Cancel a task (``pipeline-host cancel ID``, or in the dashboard): the agent drops it and takes the
next. Without a server it works all the same.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from pipeline_host.client import (
    DEFAULT_URL,
    ExtensionClient,
    ProcessCancelled,
    ProcessHandler,
    RemoteProcess,
)

log = logging.getLogger("agent")


def model(prompt: str, pause: float) -> Iterator[str]:
    """Stands for a language model: pieces of an answer, slowly; ``[tool: argument]`` is a call."""
    answer = f"I look at what is here. [files: .] You asked: {prompt}\n"
    for word in answer.split(" "):
        time.sleep(pause)
        yield f"{word} "


def use_tool(task: RemoteProcess, name: str, argument: str) -> str:
    """Call a tool; a process of its own, so that anyone sees which of them takes so long."""
    with task.process(f"{name} {argument}", type="pipeline-item") as call:
        if name != "files":
            raise ValueError(f"no such tool: {name}")
        found = sorted(path.name for path in Path(argument).iterdir())
        call.write("\n".join(found) + "\n")
        call.result = f"{len(found)} files"
        return call.result


def work(task: RemoteProcess, prompt: str, pause: float) -> str:
    """Work on one task; its result.

    Raises:
        ProcessCancelled: somebody doesn't want it any more.
    """
    said = ""
    for piece in model(prompt, pause):
        task.check()
        task.write(piece)
        said += piece
        if said.endswith("] "):
            name, _, argument = said[said.rindex("[") + 1 : -2].partition(": ")
            log.info("%s(%s)", name, argument)
            task.write(f"({use_tool(task, name, argument)}) ")
    task.metadata["words"] = len(said.split())
    return said.strip()


def run(client: ExtensionClient, prompt: str, pause: float) -> None:
    """Work on one task and report it; whatever comes of it, the agent goes on."""
    task = client.process(prompt, prompt=prompt, lease=30, backend="example")
    handler = ProcessHandler(task)
    log.addHandler(handler)
    try:
        with task:
            print(f"{task.id} {prompt}", flush=True)
            task.result = work(task, prompt, pause)
    except ProcessCancelled:
        print(f"{task.id} cancelled", flush=True)
    except (OSError, ValueError) as error:
        print(f"{task.id} failed: {error}", flush=True)
    finally:
        log.removeHandler(handler)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--server", default=DEFAULT_URL, metavar="URL")
    parser.add_argument("--pause", type=float, default=0.1, metavar="SECONDS")
    options = parser.parse_args()
    log.setLevel(logging.INFO)
    with ExtensionClient(options.server, workspace=Path.cwd()) as client:
        client.register_workspace()
        for line in sys.stdin:
            if prompt := line.strip():
                run(client, prompt, options.pause)


if __name__ == "__main__":
    main()
