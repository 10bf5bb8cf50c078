"""How long a call of the extension client takes, for whoever makes it.

    python benchmarks/client.py

Each kind of call is made again and again, at a pace at which an editor or an agent might: with a
server that answers, with one that can't be reached, and with the queue kept on disk. The longest
calls say most about the machine: on a busy one, whoever else has the processor or Python's lock.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from pipeline_host.client import ExtensionClient
from pipeline_host.testing.server import LiveServer, hold_port

LIMIT = 0.001
"""What a call is to take at most, in seconds."""

LINE = "a line of output of ordinary length, with a number in it: "


def calls(client: ExtensionClient) -> dict[str, Callable[[int], Any]]:
    """What is measured, by name; each takes the number of the call."""
    client.submit({"id": "one", "promptPreview": "p"})
    prompt = "Look at the change below and say what could go wrong with it. " * 16
    return {
        "submit": lambda n: client.submit({"promptPreview": f"p{n}", "fullPrompt": prompt}),
        "update": lambda n: client.update("one", {"result": f"{n}", "metadata": {"step": n}}),
        "output": lambda n: client.output("one", f"{LINE}{n}\n", "stdout"),
    }


def measure(call: Callable[[int], Any], number: int, pause: float) -> list[float]:
    """How long each of ``number`` calls took, in seconds."""
    times = []
    for count in range(number):
        before = time.perf_counter()
        call(count)
        times.append(time.perf_counter() - before)
        time.sleep(pause)
    return times


@contextmanager
def situations() -> Iterator[dict[str, dict[str, Any]]]:
    """The options of a client, by what they stand for."""
    with ExitStack() as ending:
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory()))
        server = ending.enter_context(LiveServer(folder / "data"))
        hold = ending.enter_context(hold_port())
        away = f"http://127.0.0.1:{hold.getsockname()[1]}"
        yield {
            "online": {"server_url": server.url},
            "online, spool": {"server_url": server.url, "spool": folder / "online"},
            "unreachable": {"server_url": away},
            "unreachable, spool": {"server_url": away, "spool": folder / "unreachable"},
            "offline": {"server_url": away, "offline": True},
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=2000, help="calls of each kind")
    parser.add_argument("--pause", type=float, default=0.001, help="seconds between two calls")
    options = parser.parse_args()
    logging.disable(logging.WARNING)  # a full queue reports what it drops
    print(f"{'microseconds a call':32}{'p50':>8}{'p99':>8}{'max':>8}{'over 1 ms':>11}")
    over = 0
    with situations() as all_of_them:
        for situation, given in all_of_them.items():
            with ExtensionClient(**given) as client:
                for name, call in calls(client).items():
                    times = measure(call, options.calls, options.pause)
                    over += row(f"{situation}: {name}", times)
                client.close(0)
    total = options.calls * 3 * len(all_of_them)
    print(f"{over} of {total} calls took longer than a millisecond")


def row(name: str, times: list[float]) -> int:
    """Print one line of the table; how many calls took too long."""
    cuts = statistics.quantiles(times, n=100)
    slow = sum(each > LIMIT for each in times)
    figures = (cuts[49], cuts[98], max(times))
    print(f"{name:32}{''.join(f'{each * 1e6:8.0f}' for each in figures)}{slow:11}")
    return slow


if __name__ == "__main__":
    main()
