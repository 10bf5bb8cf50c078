"""``pipeline-host doctor``: what is wrong is told, with an exit code that says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline_host.dead_letters import DeadLetter, DeadLetterBox, read_dead_letters
from pipeline_host.models import Chunk, Process, Timestamp
from pipeline_host.times import now
from pipeline_host_filestore.store import FileProcessStore

from .running import run

LETTER = DeadLetter(
    time=Timestamp("2026-11-22T07:00:00.000Z"),
    sink="webhook.x",
    target="http://a.test/hook",
    seq=17,
    attempts=8,
    reason="it answered 500",
    message='{"type":"process-added"}',
)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Data with two processes that have some output."""
    folder = tmp_path / "data"
    store = FileProcessStore(folder)
    for process_id in "ab":
        process = Process(
            id=process_id,
            type="t",
            prompt_preview=f"preview of {process_id}",
            full_prompt="",
            status="running",
            start_time=now(),
        )
        store.add(process)
        store.append_output(process_id, [Chunk(content=f"output {n}\n") for n in range(3)])
    store.close()
    return folder


def doctor(data_dir: Path, *args: str) -> tuple[int, str]:
    done = run("doctor", "--data-dir", str(data_dir), *args)
    assert done.stderr == b""
    return done.returncode, done.stdout.decode()


def findings(data_dir: Path) -> dict[str, Any]:
    code, text = doctor(data_dir, "--json")
    found: dict[str, Any] = json.loads(text)
    assert code == (1 if found["problems"] or found["deadLetters"] else 0)
    return found


def break_byte(path: Path, text: bytes) -> None:
    data = path.read_bytes()
    at = data.index(text)
    path.write_bytes(data[:at] + b"?" + data[at + 1 :])


def test_of_data_in_order_it_says_that_nothing_is_wrong(data_dir: Path) -> None:
    assert doctor(data_dir) == (
        0,
        f"Data directory {data_dir}, store file\n  nothing is wrong\n",
    )
    assert findings(data_dir) == {
        "dataDir": str(data_dir),
        "store": "file",
        "problems": [],
        "deadLetters": [],
    }


def test_damage_of_the_journal_is_told_with_its_place(data_dir: Path) -> None:
    break_byte(data_dir / "journal.jsonl", b"preview of a")
    (problem,) = findings(data_dir)["problems"]
    assert problem.startswith(f"{data_dir / 'journal.jsonl'}: bytes ")
    code, text = doctor(data_dir)
    assert code == 1
    assert f"  problem: {problem}\n" in text


def test_damage_of_output_is_told_with_its_process(data_dir: Path) -> None:
    path = next(path for path in data_dir.glob("output/*/*") if path.stat().st_size)
    break_byte(path, b"output 1")
    (problem,) = findings(data_dir)["problems"]
    assert problem.startswith(f"{path}: bytes ")
    assert "(output of process " in problem


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_changes_nothing(data_dir: Path) -> None:
    """Neither what a server would put in order when it starts, nor what it would sweep away."""
    break_byte(data_dir / "journal.jsonl", b"preview of a")
    with (data_dir / "journal.jsonl").open("ab") as journal:
        journal.write(b"an incomplete record")
    before = contents(data_dir)
    assert len(findings(data_dir)["problems"]) == 1
    assert contents(data_dir) == before


def test_it_deletes_no_output_that_nobody_has(data_dir: Path) -> None:
    output = {path: path.read_bytes() for path in data_dir.glob("output/*/*")}
    store = FileProcessStore(data_dir)
    store.remove("a")
    store.close()
    for path, data in output.items():
        path.write_bytes(data)
    before = contents(data_dir)
    doctor(data_dir)
    assert contents(data_dir) == before


def test_a_copy_without_its_lock_is_looked_at_as_it_is(data_dir: Path) -> None:
    (data_dir / "lock").unlink()
    break_byte(data_dir / "journal.jsonl", b"preview of a")
    before = contents(data_dir)
    assert len(findings(data_dir)["problems"]) == 1
    assert contents(data_dir) == before


def test_where_there_are_no_data_it_says_so_and_makes_none(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (problem,) = findings(tmp_path)["problems"]
    assert problem == f"{tmp_path}: there are no data here"
    assert contents(tmp_path) == {tmp_path / "notes.txt": b"mine"}


def test_data_that_cant_be_opened_is_a_problem(data_dir: Path) -> None:
    (data_dir / "journal.jsonl").write_bytes(b"no journal\n" * 100)
    (problem,) = findings(data_dir)["problems"]
    assert "the header at byte 0 is damaged" in problem


def test_a_folder_that_isnt_there_is_a_problem_and_isnt_made(tmp_path: Path) -> None:
    (problem,) = findings(tmp_path / "nowhere")["problems"]
    assert problem.endswith("there is no such folder")
    assert not (tmp_path / "nowhere").exists()


def test_dead_letters_are_listed(data_dir: Path) -> None:
    DeadLetterBox(data_dir, "webhook.x").add(LETTER)
    code, text = doctor(data_dir)
    assert code == 1
    assert (
        "  dead letter: 2026-11-22T07:00:00.000Z webhook.x: change 17 to http://a.test/hook, "
        "tried 8 times: it answered 500\n"
    ) in text
    (letter,) = findings(data_dir)["deadLetters"]
    assert letter["message"] == LETTER.message


def test_of_too_many_dead_letters_the_older_are_forgotten(tmp_path: Path) -> None:
    box = DeadLetterBox(tmp_path, "webhook.x", max_bytes=4000)
    for _ in range(100):
        box.add(LETTER)
    kept = list(read_dead_letters(tmp_path))
    assert 5 < len(kept) < 25
    assert set(kept) == {LETTER}
    path = tmp_path / "dead-letters" / "webhook.x.jsonl"
    assert path.stat().st_size <= 4000
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_dead_letter_that_is_too_large_is_kept_without_its_message(tmp_path: Path) -> None:
    import msgspec

    large = msgspec.structs.replace(LETTER, message="x" * 5000)
    DeadLetterBox(tmp_path, "webhook.x", max_bytes=4000).add(large)
    (kept,) = read_dead_letters(tmp_path)
    assert kept == msgspec.structs.replace(LETTER, message="")


def test_what_a_killed_worker_left_half_written_costs_no_other_letter(tmp_path: Path) -> None:
    box = DeadLetterBox(tmp_path, "webhook.x")
    box.add(LETTER)
    with (tmp_path / "dead-letters" / "webhook.x.jsonl").open("ab") as file:
        file.write(b'{"time":"2026')
    box.add(LETTER)
    assert list(read_dead_letters(tmp_path)) == [LETTER, LETTER]
