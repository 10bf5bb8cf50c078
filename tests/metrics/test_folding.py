"""The numbers of workers that ended: they count once, at any moment, and leave few files."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
import requests

from pipeline_host.testing.pytest_plugin import StartServer
from pipeline_host.testing.waiting import wait_until
from pipeline_host_metrics import folding
from pipeline_host_metrics.folding import COUNTER, HISTOGRAM, MAX, SUM, fold
from pipeline_host_metrics.lives import name_of, runs
from pipeline_host_metrics.shelf import Number, Seconds, Shelf

KINDS = (COUNTER, HISTOGRAM, SUM, MAX)


class Killed(BaseException):
    """Instead of a SIGKILL."""


class Workers:
    """Makes the files of workers that have ended, each of which counted one and took 1.5 s."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "numbers"
        self.folder.mkdir()
        self._apart = folder / "apart"
        self.ended = 0

    def end_one(self) -> None:
        shelf = Shelf(self._apart)
        Number(shelf, COUNTER, "c", "help").count()
        Number(shelf, SUM, "s", "help").set(1)
        Number(shelf, MAX, "m", "help").set(1)
        Seconds(shelf, "h", "help", (), (1.0, 2.0)).observe(1.5)
        shelf.close()
        self.ended += 1
        for kind in KINDS:
            path = self._apart / f"{kind}_{name_of(os.getpid())}.db"
            path.rename(self.folder / f"{kind}_4194999-{self.ended}.db")

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("*.db"))


class Reader:
    """Reads as a worker does that has begun, without a number of its own."""

    def __init__(self, folder: Path) -> None:
        self.shelf = Shelf(folder)
        self.close = self.shelf.close

    def numbers(self) -> dict[str, list[float]]:
        return {each.name: [one.value for one in each.samples] for each in self.shelf.collect()}


def expected(ended: int) -> dict[str, list[float]]:
    return {"c": [ended], "h": [1.5 * ended, 0, ended, ended, ended]} if ended else {}


@pytest.fixture
def workers(tmp_path: Path) -> Workers:
    return Workers(tmp_path)


@pytest.fixture
def reader(workers: Workers) -> Iterator[Reader]:
    with closing(Reader(workers.folder)) as reader:
        yield reader


def test_of_many_that_ended_two_files_are_left(workers: Workers, reader: Reader) -> None:
    own = workers.files()
    for _ in range(5):
        for _ in range(4):
            workers.end_one()
        assert reader.numbers() == expected(workers.ended)
        fold(workers.folder)
        assert reader.numbers() == expected(workers.ended)
    assert len(workers.files()) == len(own) + 2
    assert set(own) < set(workers.files())
    fold(workers.folder)
    assert reader.numbers() == expected(20)


def test_who_begins_folds(workers: Workers) -> None:
    for _ in range(3):
        workers.end_one()
    with closing(Reader(workers.folder)) as reader:
        assert not [name for name in workers.files() if "4194999" in name]
        assert reader.numbers() == expected(3)


@pytest.mark.parametrize("call", range(9))
def test_whoever_is_killed_in_the_middle_takes_or_adds_nothing(
    workers: Workers, reader: Reader, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    """After so many calls that change the folder."""
    for _ in range(2):
        workers.end_one()
        fold(workers.folder)
        workers.end_one()
    calls = 0

    def until_killed(real: Callable[..., object]) -> Callable[..., object]:
        def changing(*args: object) -> object:
            nonlocal calls
            calls += 1
            if calls > call:
                raise Killed
            return real(*args)

        return changing

    with monkeypatch.context() as patched:
        for name in ("unlink", "replace", "write_bytes"):
            patched.setattr(Path, name, until_killed(getattr(Path, name)))
        with suppress(Killed):
            fold(workers.folder)
    assert calls == min(call + 1, 8)
    assert reader.numbers() == expected(4)
    workers.end_one()
    assert reader.numbers() == expected(5)
    fold(workers.folder)
    assert reader.numbers() == expected(5)
    assert len(workers.files()) == len(KINDS) + 2


def test_whoever_reads_meanwhile_sees_each_number_once(workers: Workers, reader: Reader) -> None:
    done = threading.Event()
    seen: list[float] = []

    def read() -> None:
        while not done.is_set():
            seen.append(reader.numbers().get("c", [0.0])[0])

    thread = threading.Thread(target=read)
    thread.start()
    for _ in range(60):
        workers.end_one()
        fold(workers.folder)
    done.set()
    thread.join()
    assert seen == sorted(seen)
    assert reader.numbers() == expected(60)


def test_while_another_folds_nothing_is_done(workers: Workers) -> None:
    workers.end_one()
    before = workers.files()
    with folding._alone(workers.folder) as alone:
        assert alone
        fold(workers.folder)
        assert workers.files() == before


def test_a_file_that_was_just_being_made_is_no_harm(workers: Workers) -> None:
    workers.end_one()
    for kind in KINDS:
        (workers.folder / f"{kind}_4194998-1.db").touch()
    with closing(Reader(workers.folder)) as reader:
        assert reader.numbers() == expected(1)


def test_a_process_is_told_from_another_with_its_number() -> None:
    own = name_of(os.getpid())
    assert runs(own)
    assert not runs(f"{os.getpid()}-1")
    assert not runs("4194999-1")


def test_a_server_whose_workers_end_again_and_again_keeps_few_files(
    live_server: StartServer,
) -> None:
    server = live_server(workers=2)
    for _ in range(8):
        assert requests.get(f"{server.url}/api/stats", timeout=10).ok
        before = server.worker_pids()
        os.kill(before[0], signal.SIGKILL)
        wait_until(lambda pids=before: len(set(server.worker_pids()) - set(pids)) == 1)
        wait_until(lambda: requests.get(f"{server.url}/api/stats", timeout=10).ok)

    def counted() -> int:
        text = requests.get(f"{server.url}/metrics", timeout=10).text
        lines = [line for line in text.splitlines() if 'route="/api/stats"' in line]
        (count,) = [line for line in lines if "_count{" in line]
        return int(float(count.rpartition(" ")[2]))

    def files() -> int:
        return len(list((server.data_dir / "metrics").glob("*/*.db")))

    assert counted() >= 16
    wait_until(lambda: files() <= len(KINDS) * 2 + 2)
