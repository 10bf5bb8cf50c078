"""Reading ``/api/processes/{id}/output``: all of it, or a range of its bytes."""

from __future__ import annotations

import pytest

from .client import Answer, Api, item

TEXT = "0123 € 日本\nend"
DATA = TEXT.encode()
SIZE = len(DATA)


@pytest.fixture
def output(api: Api) -> str:
    """The path of an output that holds :data:`TEXT`, written in three pieces."""
    path = item(api.create()["id"], "/output")
    for content in (TEXT[:5], TEXT[5:8], TEXT[8:]):
        api.post(path, {"content": content})
    return path


def test_the_whole_output_is_plain_text(api: Api, output: str) -> None:
    answer = api.get(output)
    assert (answer.status, answer.body) == (200, DATA)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-length"] == str(SIZE)
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not answer.headers.keys() & {"content-range", "x-output-start"}


def test_a_process_without_output_has_an_empty_one(api: Api) -> None:
    answer = api.get(item(api.create()["id"], "/output"))
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "0")


def test_the_output_stays_readable_after_the_end(api: Api, output: str) -> None:
    api.request("POST", output.replace("/output", "/cancel"))
    assert api.get(output).body == DATA


@pytest.mark.parametrize(
    ("header", "first", "last"),
    [
        ("bytes=0-3", 0, 3),
        ("bytes=5-5", 5, 5),
        ("bytes=6-10", 6, 10),
        ("bytes=9-", 9, SIZE - 1),
        ("bytes=0-", 0, SIZE - 1),
        ("bytes=-4", SIZE - 4, SIZE - 1),
        ("bytes=-4000", 0, SIZE - 1),
        ("bytes=3-4000", 3, SIZE - 1),
    ],
)
def test_a_range_counts_bytes_and_may_cut_characters(
    api: Api, output: str, header: str, first: int, last: int
) -> None:
    answer = api.get(output, Range=header)
    assert (answer.status, answer.body) == (206, DATA[first : last + 1])
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{SIZE}"
    assert answer.headers["content-length"] == str(last + 1 - first)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("header", [f"bytes={SIZE}-", "bytes=5000-6000", "bytes=-0"])
def test_a_range_of_bytes_that_are_not_there_is_416(api: Api, output: str, header: str) -> None:
    answer = api.get(output, Range=header)
    assert answer.status == 416
    assert answer.headers["content-range"] == f"bytes */{SIZE}"
    assert answer.error.startswith("Range: expected ")


def test_of_an_empty_output_every_byte_is_not_there(api: Api) -> None:
    path = item(api.create()["id"], "/output")
    answer = api.get(path, Range="bytes=0-")
    assert (answer.status, answer.headers["content-range"]) == (416, "bytes */0")
    assert api.get(path, Range="bytes=-10").status == 200


@pytest.mark.parametrize(
    "header", ["bytes=0-1,3-4", "bytes=4-2", "bytes=x", "bytes=", "lines=1-2", "bytes=-"]
)
def test_a_range_that_is_malformed_or_not_one_is_ignored(
    api: Api, output: str, header: str
) -> None:
    answer = api.get(output, Range=header)
    assert (answer.status, answer.body) == (200, DATA)


def test_a_range_that_depends_on_a_version_is_ignored_as_there_are_none(
    api: Api, output: str
) -> None:
    answer = api.get(output, Range="bytes=0-1", If_Range='"etag"')
    assert (answer.status, answer.body) == (200, DATA)


def test_head_tells_the_length_without_the_text(api: Api, output: str) -> None:
    answer = api.request("HEAD", output, headers={"Range": "bytes=0-1"})
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-length"] == str(SIZE)


def follow_with_ranges(api: Api, path: str, step: int) -> bytes:
    """Read an output in ranges, as a client that resumes does."""
    data = b""
    while True:
        answer: Answer = api.get(path, Range=f"bytes={len(data)}-{len(data) + step - 1}")
        if answer.status == 416:
            return data
        assert answer.status == 206
        data += answer.body


def test_ranges_put_together_are_the_whole(api: Api) -> None:
    path = item(api.create()["id"], "/output")
    text = "".join(f"line {i} of an output that is longer than one batch €\n" for i in range(12000))
    api.request("PUT", path, text.encode())
    assert len(text) > 2 * 256 * 1024
    assert api.get(path).body == text.encode()
    assert api.request("HEAD", path).headers["content-length"] == str(len(text.encode()))
    assert follow_with_ranges(api, path, 200_001) == text.encode()
    cut = text.encode()[300_001:600_002]
    assert api.get(path, Range="bytes=300001-600001").body == cut
