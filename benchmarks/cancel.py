"""How soon a cancel reaches the command that ``pipeline-host run`` runs, in milliseconds.

    python benchmarks/cancel.py [--workers 4] [--runs 8] [--rounds 5]

In each round several commands run at once, and are cancelled one after the other, on whichever
worker takes the request. A command writes down when SIGTERM reaches it; both clocks are the same.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

from pipeline_host.client import ApiClient
from pipeline_host.testing.server import LiveServer

COMMAND = """
import signal, sys, time
def stop(*_):
    print(time.time(), flush=True)
    sys.exit(143)
signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
time.sleep(600)
"""


def start(url: str, name: str) -> subprocess.Popen[str]:
    run = [sys.executable, "-m", "pipeline_host", "run", "--server", url, "--id", name]
    return subprocess.Popen(
        [*run, "--", sys.executable, "-c", COMMAND], stdout=subprocess.PIPE, text=True
    )


def output(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout


def one_round(url: str, number: int, runs: int) -> list[float]:
    """The delays of one round, in milliseconds."""
    names = [f"round-{number}-run-{run}" for run in range(runs)]
    processes = [start(url, name) for name in names]
    for process in processes:
        assert output(process).readline() == "ready\n"
    delays = []
    for name, process in zip(names, processes, strict=True):
        with ApiClient(url) as api:
            before = time.time()
            api.cancel(name)
        delays.append((float(output(process).readline()) - before) * 1000)
        process.wait()
    return delays


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        LiveServer(Path(folder) / "data", workers=options.workers) as server,
    ):
        delays = sorted(
            delay
            for number in range(options.rounds)
            for delay in one_round(server.url, number, options.runs)
        )
    print(
        f"cancel to SIGTERM, {len(delays)} commands: p50 {statistics.median(delays):.1f} ms, ",
        end="",
    )
    print(f"p90 {delays[len(delays) * 9 // 10]:.1f} ms, max {delays[-1]:.1f} ms")


if __name__ == "__main__":
    main()
