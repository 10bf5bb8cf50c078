"""The lines of all files: what is damaged is found, and costs nothing else."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_host_filestore import codec
from pipeline_host_filestore.codec import Damage, Record

NUMBERS = st.integers(0, 2**63 - 1)
PAYLOADS = st.dictionaries(st.text(max_size=5), st.text(max_size=30), max_size=3).map(
    lambda value: json.dumps(value, ensure_ascii=False).encode()
)
CONTENT = st.lists(st.tuples(NUMBERS, PAYLOADS), min_size=1, max_size=4)


def lines(content: list[tuple[int, bytes]]) -> list[bytes]:
    return [codec.encode(number, payload) for number, payload in content]


def told(records: list[Record]) -> list[tuple[int, bytes]]:
    return [(record.number, record.payload) for record in records]


def test_a_line_is_as_documented() -> None:
    assert codec.encode(7, b'{"a":1}') == b'00000009 9a50c846 7 {"a":1}\n'


@given(CONTENT, st.integers(0, 1000))
def test_what_was_written_is_read(content: list[tuple[int, bytes]], offset: int) -> None:
    data = b"".join(lines(content))
    found = codec.scan(data, offset)
    assert told(found.records) == content
    assert (found.damage, found.end) == ([], offset + len(data))
    place = offset
    for record, line in zip(found.records, lines(content), strict=True):
        assert (record.start, record.end) == (place, place + len(line))
        place = record.end


@given(CONTENT)
@settings(max_examples=25)
def test_cut_off_anywhere_all_whole_lines_are_read(content: list[tuple[int, bytes]]) -> None:
    rows = lines(content)
    data = b"".join(rows)
    for cut in range(len(data)):
        found = codec.scan(data[:cut])
        whole = 0
        while sum(map(len, rows[: whole + 1])) <= cut:
            whole += 1
        assert told(found.records) == content[:whole]
        assert found.damage == []
        assert found.end == sum(map(len, rows[:whole]))


@given(CONTENT, st.integers(1, 255), st.data())
def test_a_changed_byte_costs_at_most_its_own_record(
    content: list[tuple[int, bytes]], change: int, data: st.DataObject
) -> None:
    rows = lines(content)
    whole = b"".join(rows)
    at = data.draw(st.integers(0, len(whole) - 2))
    found = codec.scan(whole[:at] + bytes([whole[at] ^ change]) + whole[at + 1 :])
    row, start = 0, 0
    while start + len(rows[row]) <= at:
        start += len(rows[row])
        row += 1
    end = start + len(rows[row])
    if at == end - 1:
        assert told(found.records) == content
        assert found.damage == [Damage(at, end)]
    else:
        assert told(found.records) == content[:row] + content[row + 1 :]
        assert found.damage == [Damage(start, end)]
    assert found.end == len(whole)


@given(CONTENT, CONTENT, st.binary(min_size=1, max_size=50))
def test_anything_between_lines_is_one_damage(
    before: list[tuple[int, bytes]], after: list[tuple[int, bytes]], between: bytes
) -> None:
    head, rest = b"".join(lines(before)), b"".join(lines(after))
    found = codec.scan(head + between + b"\n" + rest)
    assert told(found.records) == before + after
    assert found.damage == [Damage(len(head), len(head) + len(between) + 1)]


def test_a_hole_of_zeros_is_damage_in_the_middle_and_incomplete_at_the_end() -> None:
    line = codec.encode(1, b"{}")
    hole = bytes(5000)
    middle = codec.scan(line + hole + line + line)
    assert (len(middle.records), middle.damage) == (
        2,
        [Damage(len(line), 2 * len(line) + len(hole))],
    )
    end = codec.scan(line + hole)
    assert (len(end.records), end.damage, end.end) == (1, [], len(line))
