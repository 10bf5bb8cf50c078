"""Fills a server with processes as they look in a working day, over its API.

    python tools/sample_data.py --server http://127.0.0.1:4000 [--many 5000]

It is for looking at the pages: some processes run and some wait, reviews have their parts, one
result is long, one output has colours. ``--many`` adds that many plain ones that have ended.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import requests

WORKSPACES: Final = (
    ("atlas", "/home/kim/src/atlas", "#0e9f6e"),
    ("billing-service", "/home/kim/src/billing-service", "#d9480f"),
    ("docs.example.org", "/home/kim/src/docs.example.org", "#7048e8"),
)
TASKS: Final = (
    "Explain why the import of large CSV files stalls after the last release",
    "Find all callers of legacy_invoice() and say which can move to the new API",
    "Which endpoints lack a rate limit?",
    "Propose names for the settings of the retention job",
    "Summarise the open questions in docs/rfc-014-cursors.md",
    "Why does test_checkout_with_two_vouchers fail on Mondays?",
    "List the places where we swallow exceptions",
    "What would it take to drop Python 3.10?",
)
KINDS: Final = ("clarification", "discovery", "pipeline-execution", "code-review")
RESULT: Final = """\
## What happens

The reader takes the *whole file* before the first row is handed on, since `csv.reader` is wrapped
in `list()`. With files over 2 GB the worker swaps.

| release | 10 MB | 1 GB | 4 GB |
|---|---:|---:|---:|
| 4.1 | 0.4 s | 39 s | 160 s |
| 4.2 | 0.4 s | 71 s | stalls |

## The change

```python
def rows(path: Path) -> Iterator[Row]:
    \"\"\"One row after the other, in constant memory.\"\"\"
    with path.open(newline="", encoding="utf-8") as file:
        yield from map(Row.parse, csv.reader(file))
```

1. Replace the call in `importer/read.py`
2. Delete `importer/cache.py`: nobody uses it after that
3. Add a test with a file that is *larger than memory allows*

> The progress bar then has no total. I'd show bytes instead.

See [the csv module](https://docs.python.org/3/library/csv.html).
"""
STRUCTURED: Final = {
    "severity": "major",
    "confidence": 0.92,
    "files": [
        {"path": "importer/read.py", "lines": [12, 48], "change": "replace"},
        {"path": "importer/cache.py", "change": "delete"},
    ],
    "needsMigration": False,
    "reviewer": None,
}
TESTS: Final = (
    "tests/test_import.py::test_a_row_without_an_end",
    "tests/test_import.py::test_quotes_inside_quotes",
    "tests/test_invoice.py::test_rounding_is_half_even",
    "tests/test_invoice.py::test_a_credit_note_names_its_invoice",
    "tests/test_voucher.py::test_two_vouchers_on_a_monday",
)


class Filler:
    """Creates processes on one server, as they would have been some minutes ago.

    Args:
        url: the server's address.
        seed: the same one makes the same processes.
    """

    def __init__(self, url: str, seed: int = 7) -> None:
        self._api = f"{url.rstrip('/')}/api"
        self._http = requests.Session()
        self._chance = random.Random(seed)
        self._now = datetime.now(UTC)
        self.workspaces = [self._register(*workspace) for workspace in WORKSPACES]

    def fill(self) -> None:
        """One of each kind that the pages have something to show for."""
        self._ended_tasks()
        self._review()
        self._pipeline()
        self._long_result()
        self._failures()
        self._live()

    def many(self, count: int) -> None:
        """``count`` plain processes that have ended, over the last days."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self._plain, range(count)))

    def _ended_tasks(self) -> None:
        for number in range(24):
            minutes = 18 + number * 21 + self._chance.random() * 9
            status = "cancelled" if number % 11 == 5 else "completed"
            self.create(
                f"task-{number:02}",
                TASKS[number % len(TASKS)],
                KINDS[number % len(KINDS)],
                status,
                minutes,
                self._chance.uniform(4, 400),
                workspace=number % 3,
                result="Three places, all in `importer/`." if status == "completed" else None,
            )

    def _review(self) -> None:
        parts = ("errors and exceptions", "tests", "naming", "concurrency", "public API")
        self.create(
            "review-1",
            "Review of feature/streaming-import, 12 files, 5 rules",
            "code-review-group",
            "running",
            6.2,
            workspace=0,
        )
        for number, part in enumerate(parts):
            status = ("completed", "completed", "failed", "running", "queued")[number]
            self.create(
                f"review-1-{number}",
                f"Rule {number + 1}: {part}",
                "code-review",
                status,
                5.9 - number * 0.4,
                61 + 20 * number,
                workspace=0,
                parent="review-1",
                error="The model's answer was cut off at 8,192 tokens" if number == 2 else None,
            )

    def _pipeline(self) -> None:
        self.create(
            "nightly",
            "Nightly: lint, test, build, publish the documentation",
            "pipeline-execution",
            "completed",
            340,
            1260,
            workspace=2,
        )
        for number, step in enumerate(("lint", "test", "build", "publish")):
            self.create(
                f"nightly-{step}",
                f"make {step}",
                "pipeline-item",
                "completed",
                340 - number * 5,
                240,
                workspace=2,
                parent="nightly",
                exit_code=0,
            )
        self.write("nightly-test", test_run())

    def _long_result(self) -> None:
        self.create(
            "import-stall",
            TASKS[0],
            "discovery",
            "completed",
            12,
            194,
            workspace=0,
            result=RESULT,
            structured=json.dumps(STRUCTURED),
            backend="claude-agent-sdk",
            directory="/home/kim/src/atlas",
            prompt=f"{TASKS[0]}.\n\nStart from importer/read.py.",
            output="Reading importer/read.py\nReading importer/cache.py\nMeasuring…\nDone\n",
        )

    def _failures(self) -> None:
        self.create(
            "unit-tests",
            "pytest -n 4 --timeout 150",
            "pipeline-execution",
            "failed",
            33,
            88,
            workspace=1,
            exit_code=1,
            error="exit code 1",
            directory="/home/kim/src/billing-service",
            output=test_run(),
        )
        self.create(
            "deploy-staging",
            "deploy --stage staging --wait",
            "pipeline-execution",
            "failed",
            52,
            31,
            workspace=1,
            error="lost contact with its reporter 30 s ago",
        )

    def _live(self) -> None:
        self.create(
            "docs-build",
            "sphinx-build -W docs build/html",
            "pipeline-execution",
            "running",
            1.4,
            workspace=2,
            directory="/home/kim/src/docs.example.org",
        )
        self.write("docs-build", build_run())
        self.create(
            "rate-limits",
            TASKS[2],
            "clarification",
            "running",
            0.6,
            workspace=1,
            backend="copilot-sdk",
        )
        self.create(
            "stubborn",
            "python tools/reindex.py --all",
            "pipeline-execution",
            "running",
            9.5,
            workspace=0,
        )
        self._http.post(f"{self._api}/processes/stubborn/cancel", timeout=20).raise_for_status()
        for number in range(3):
            self.create(
                f"waiting-{number}",
                TASKS[3 + number],
                "discovery",
                "queued",
                0.4 - number / 10,
                workspace=number,
            )

    def _plain(self, number: int) -> None:
        chance = random.Random(number)
        self.create(
            f"plain-{number:05}",
            f"{TASKS[number % len(TASKS)]} (#{number})",
            KINDS[number % len(KINDS)],
            chance.choices(("completed", "failed", "cancelled"), (90, 7, 3))[0],
            400 + number * 1.7,
            chance.uniform(1, 900),
            workspace=number % 3,
        )

    def create(
        self,
        process_id: str,
        preview: str,
        kind: str,
        status: str,
        minutes_ago: float,
        seconds: float = 60,
        *,
        workspace: int = 0,
        parent: str | None = None,
        output: str | None = None,
        **more: Any,
    ) -> None:
        """One process: begun ``minutes_ago``, ended ``seconds`` after that where it has ended."""
        start = self._now - timedelta(minutes=minutes_ago)
        known = self.workspaces[workspace]
        ended = status not in ("queued", "running")
        body = {
            "id": process_id,
            "type": kind,
            "promptPreview": preview,
            "fullPrompt": more.get("prompt", preview),
            "status": ("running" if status != "cancelled" else "queued") if ended else status,
            "startTime": _time(start),
            "workspaceId": known["id"],
            "metadata": {"workspaceName": known["name"]},
            "parentProcessId": parent,
            "backend": more.get("backend"),
            "workingDirectory": more.get("directory"),
        }
        self._post("/processes", body)
        if output:
            self.write(process_id, output.splitlines(keepends=True))
        if ended:
            patch = {
                "status": status,
                "endTime": _time(min(self._now, start + timedelta(seconds=seconds))),
                "result": more.get("result"),
                "structuredResult": more.get("structured"),
                "error": more.get("error"),
                "exitCode": more.get("exit_code"),
            }
            url = f"{self._api}/processes/{quote(process_id, safe='')}"
            self._http.patch(url, json=_given(patch), timeout=20).raise_for_status()

    def write(self, process_id: str, lines: str | Iterable[str]) -> None:
        """Output, as much of it as is still taken."""
        chunks = [
            {"content": line, "stream": "stderr" if "warning" in line.lower() else "stdout"}
            for line in (lines.splitlines(keepends=True) if isinstance(lines, str) else lines)
        ]
        url = f"{self._api}/processes/{quote(process_id, safe='')}/output"
        self._http.post(url, json={"chunks": chunks}, timeout=20)

    def _register(self, name: str, folder: str, color: str) -> Mapping[str, str]:
        workspace = {
            "id": hashlib.sha256(folder.encode()).hexdigest()[:16],
            "name": name,
            "rootPath": folder,
            "color": color,
        }
        self._post("/workspaces", workspace)
        return workspace

    def _post(self, path: str, body: Mapping[str, Any]) -> None:
        answer = self._http.post(f"{self._api}{path}", json=_given(body), timeout=20)
        answer.raise_for_status()


def test_run() -> str:
    """The output of a test run, with colours."""
    rows = [
        f"{name} \x1b[32mPASSED\x1b[0m\x1b[36m [{20 * i:3}%]\x1b[0m\n"
        for i, name in enumerate(TESTS[:-1], 1)
    ]
    return (
        "\x1b[1m===================== test session starts =====================\x1b[0m\n"
        "platform linux -- Python 3.11.2, pytest-8.3.4\n"
        + "".join(rows)
        + f"{TESTS[-1]} \x1b[31mFAILED\x1b[0m\x1b[36m [100%]\x1b[0m\n\n"
        "\x1b[31m    def test_two_vouchers_on_a_monday():\x1b[0m\n"
        ">       assert total == Decimal('81.00')\n"
        "\x1b[1m\x1b[31mE       AssertionError: Decimal('81.01') == Decimal('81.00')\x1b[0m\n\n"
        "\x1b[31m\x1b[1m1 failed\x1b[0m, \x1b[32m4 passed\x1b[0m in 3.21s\n"
    )


def build_run() -> str:
    """The output of a build that goes on."""
    pages = "".join(
        f"\x1b[1mreading sources... \x1b[0m[{n:3}%] \x1b[35mguide/chapter-{n:03}\x1b[0m\n"
        for n in range(1, 90)
    )
    return (
        "\x1b[01mRunning Sphinx v8.1.3\x1b[39;49;00m\n"
        + pages
        + "\x1b[31mguide/chapter-089.rst:14: WARNING: undefined label: 'retention'\x1b[0m\n"
    )


def _given(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--server", default="http://127.0.0.1:4000", metavar="URL")
    parser.add_argument("--many", type=int, default=0, metavar="COUNT")
    options = parser.parse_args()
    filler = Filler(options.server)
    filler.fill()
    filler.many(options.many)


if __name__ == "__main__":
    main()
