"""A spool file says after a kill, at whatever byte, what waited when it was last whole."""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from pipeline_host.client.items import Create, Item, Output, Update, to_json
from pipeline_host.client.spool_file import SpoolFile
from pipeline_host.client.spool_log import Kept, header, pack, replay, torn, unpack

law = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

SERVER = "http://127.0.0.1:4000"

NAMES = st.sampled_from(["a", "b/日", "\x85"])
CONTENT = st.text(max_size=5)
ITEMS: st.SearchStrategy[Item] = st.one_of(
    st.builds(Output, NAMES, CONTENT.map(lambda text: ({"content": text},))),
    st.builds(Update, NAMES, st.dictionaries(st.sampled_from(["result", "error"]), CONTENT)),
    st.builds(Create, NAMES, st.just({"id": "a"}), st.booleans()),
)


@law
@given(st.lists(ITEMS, max_size=6), st.data())
def test_a_file_that_was_cut_anywhere_has_all_whole_records(
    items: list[Item], data: st.DataObject
) -> None:
    records = [header(SERVER), *(pack([n]) for n in range(len(items)))]
    whole = b"".join(records)
    cut = whole[: data.draw(st.integers(0, len(whole)))]
    ends = [sum(map(len, records[: n + 1])) for n in range(len(records))]
    read = list(unpack(cut))
    assert [end for _, end in read] == [end for end in ends if end <= len(cut)]
    assert torn(cut, read[-1][1] if read else 0)


@law
@given(st.binary(max_size=40))
def test_no_bytes_are_read_as_records_by_chance(data: bytes) -> None:
    for value, end in unpack(data):
        assert pack(value)
        assert end <= len(data)


@pytest.mark.parametrize("rest", [bytes(8), bytes(4096), b"\0\0\0\1\xd2\x02\xef\x8d\0"])
def test_what_comes_before_something_unreadable_is_read(rest: bytes) -> None:
    good = pack(["done", 1])
    assert list(unpack(good + rest)) == [(["done", 1], len(good))]
    assert list(unpack(rest)) == []
    assert not torn(good + rest, len(good))


@pytest.mark.parametrize(
    "record", [["put", 1], ["what", 1], {"x": 1}, ["put", 1, {"kind": "x"}], None]
)
def test_what_comes_before_something_that_is_none_of_our_records_is_kept(record: object) -> None:
    item = Update("a", {"result": "r"})
    put = ["put", 7, to_json(item)]
    records = [(put, 10), (record, 20), (["done", 7], 30)]
    assert replay(iter(records), 0) == ({7: Kept([item])}, 10)


@pytest.mark.parametrize("backup", [False, True])
def test_a_file_that_was_deleted_before_it_was_locked_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backup: bool
) -> None:
    file = SpoolFile.create(tmp_path / "spool", SERVER)
    if backup:
        (tmp_path / "backup").hardlink_to(file.path)
    lock = fcntl.flock

    def late(descriptor: int, operation: int) -> None:
        file.close()
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    assert SpoolFile.take_over(file.path, SERVER) is None
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_child_forked_while_a_file_is_written_anew_does_not_keep_it(tmp_path: Path) -> None:
    file = SpoolFile.create(tmp_path / "spool", SERVER)
    item = Create("a", {"id": "a"})
    ticket = file.put(item)
    new = file.rewrite()
    told, tell = os.pipe()
    stay, leave = os.pipe()
    child = os.fork()
    if not child:
        os.close(leave)
        file.abandon()
        os.write(tell, b"x")
        os.read(stay, 1)
        os._exit(0)
    try:
        assert os.read(told, 1)
        new.write([(ticket, item, False, None)])
        file.replace(new)
        file.close()
        taken = SpoolFile.take_over(file.path, SERVER)
        assert taken is not None
        assert taken.waiting == {ticket: Kept([item])}
        taken.close()
    finally:
        os.close(leave)
        os.waitpid(child, 0)
        for descriptor in (told, tell, stay):
            os.close(descriptor)


@settings(law, max_examples=40, stateful_step_count=25)
class Files(RuleBasedStateMachine):
    """A file and a list of what it has to say, through kills and rewrites."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.file = SpoolFile.create(Path(self.folder.name), SERVER)
        self.model: dict[int, Kept] = {}

    @rule(item=ITEMS)
    def put(self, item: Item) -> None:
        self.model[self.file.put(item)] = Kept([item])

    @precondition(lambda self: self.model)
    @rule(item=ITEMS, data=st.data())
    def add(self, item: Item, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from(sorted(self.model)))
        self.file.add(ticket, item, 1)
        self.model[ticket].parts.append(item)

    @precondition(lambda self: self.model)
    @rule(offset=st.none() | st.integers(0, 9), data=st.data())
    def sent(self, offset: int | None, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from(sorted(self.model)))
        self.file.sent(ticket, offset)
        self.model[ticket].sent, self.model[ticket].offset = True, offset

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from(sorted(self.model)))
        self.file.done(ticket)
        del self.model[ticket]

    @precondition(lambda self: all(len(kept.parts) == 1 for kept in self.model.values()))
    @rule(during=st.lists(ITEMS, max_size=2), finished=st.booleans())
    def rewrite(self, during: list[Item], finished: bool) -> None:
        new = self.file.rewrite()
        waiting = [(t, k.parts[0], k.sent, k.offset) for t, k in self.model.items()]
        for item in during:
            self.put(item)
        new.write(waiting)
        if finished:
            self.file.replace(new)
        else:
            self.file.give_up(new)

    @rule(written=st.integers(0, 100))
    def kill(self, written: int) -> None:
        path = self.file.path
        self.file.abandon()
        with path.open("ab") as out:
            out.write(pack(["put", 1, "x" * 100])[:written])
        again = SpoolFile.take_over(path, SERVER)
        assert again is not None
        assert list(path.parent.iterdir()) == [path]  # it doesn't count as damaged
        assert dict(again.waiting) == self.model
        self.file = again

    def teardown(self) -> None:
        if hasattr(self, "file"):
            self.file.close()
            left = list(Path(self.folder.name).iterdir())
            assert len(left) == (1 if self.model else 0)
            self.folder.cleanup()


TestFiles = Files.TestCase
