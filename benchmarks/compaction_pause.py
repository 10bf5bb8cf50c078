"""How long a worker answers nothing while the journal is compacted, in milliseconds.

    python benchmarks/compaction_pause.py [--processes 40000] [--outputs 20000] [--python PYTHON]…

Each PYTHON is one that has a pipeline_host of its own, so that two versions are compared in one
run; without any it is this one. Each gets a copy of the same data, most of whose journal is
history. A write makes its one worker compact; meanwhile ``/api/health`` is asked again and again.
"""

from __future__ import annotations

import argparse
import http.client
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

from pipeline_host.models import Chunk, Process, ProcessPatch, Timestamp
from pipeline_host.testing.server import hold_port
from pipeline_host.transitions import patch
from pipeline_host_filestore.options import FileStoreOptions
from pipeline_host_filestore.store import FileProcessStore

TEXT = "Look at the change below and say what could go wrong with it. " * 16


def fill(folder: Path, processes: int, outputs: int) -> None:
    """Processes that ended, whose metadata was changed several times."""
    store = FileProcessStore(folder, FileStoreOptions(durability="os", compact_size=10**15))
    for number in range(processes):
        process = Process(
            id=f"process-{number}",
            type="code-review",
            prompt_preview=TEXT[:60],
            full_prompt=TEXT,
            status="running",
            start_time=Timestamp("2026-11-22T07:00:00.000Z"),
        )
        store.add(process)
        if number < outputs:
            store.append_output(process.id, [Chunk(content=TEXT)])
        for turn in range(3):
            store.update(process.id, patch(ProcessPatch(metadata={"text": TEXT, "turn": turn})))
        store.update(process.id, patch(ProcessPatch(status="completed")))
    store.close()


class Prober:
    """Asks for the health until it is stopped; how long each answer took, in seconds."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._stopped = threading.Event()
        self.times: list[float] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", self._port)) as connection:
            while not self._stopped.wait(0.001):
                begun = time.perf_counter()
                connection.request("GET", "/api/health")
                connection.getresponse().read()
                self.times.append(time.perf_counter() - begun)


def request(port: int, method: str, path: str, body: str | None = None) -> int:
    with closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        return connection.getresponse().status


def answers(port: int) -> bool:
    try:
        return request(port, "GET", "/api/health") == 200
    except OSError:
        return False


def measure(python: str, data: Path, rest: float) -> str:
    """Compact once; ``rest`` is how long to look on after that, in seconds."""
    hold = hold_port()
    port = hold.getsockname()[1]
    serve = [python, "-m", "pipeline_host", "serve", "--no-open", "--port", str(port)]
    server = subprocess.Popen([*serve, "--data-dir", str(data)], stdout=subprocess.DEVNULL)
    try:
        while not answers(port):
            time.sleep(0.1)
        prober = Prober(port)
        time.sleep(1)
        quiet = len(prober.times)
        journal = (data / "journal.jsonl").stat().st_ino
        body = '{"metadata": {"turn": "last"}}'
        if request(port, "PATCH", "/api/processes/process-0", body) != 200:
            raise SystemExit("the write was refused")
        begun = time.perf_counter()
        while (data / "journal.jsonl").stat().st_ino == journal:
            time.sleep(0.01)
        took = time.perf_counter() - begun
        time.sleep(rest)
        prober.stop()
    finally:
        server.terminate()
        server.wait()
        hold.close()
    before, after = prober.times[:quiet], prober.times[quiet:]
    return (
        f"longest stop {1000 * max(after):6.1f}, p99 {1000 * p99(after):5.1f}"
        f" (idle: {1000 * max(before):.1f}, {1000 * p99(before):.1f}); written in {took:.1f} s"
    )


def p99(times: list[float]) -> float:
    return statistics.quantiles(times, n=100)[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=40_000)
    parser.add_argument("--outputs", type=int, default=20_000)
    parser.add_argument("--python", action="append")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--rest", type=float, default=8.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        fill(data, options.processes, options.outputs)
        for _ in range(options.rounds):
            for python in options.python or [sys.executable]:
                copy = Path(folder) / "copy"
                shutil.copytree(data, copy)
                print(f"{python}: {measure(python, copy, options.rest)}", flush=True)
                shutil.rmtree(copy)


if __name__ == "__main__":
    main()
