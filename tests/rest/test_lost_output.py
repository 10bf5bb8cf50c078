"""Where a part of the output is lost, what is left stays in its place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline_host.testing import LiveServer

from .client import Api, item
from .plugins import install

START = 10
WITHOUT_HEAD = f'''
from msgspec.structs import replace
from pipeline_host.hookspecs import StoreSpec, hookimpl
from pipeline_host_filestore.store import FileProcessStore

class WithoutHead(FileProcessStore):
    """Keeps of every output what comes after its first {START} bytes."""

    def read_output(self, process_id, after=0, limit=256 * 1024):
        batch = super().read_output(process_id, max(after, {START}), limit)
        return replace(batch, start=min({START}, batch.end))

@hookimpl
def pipeline_host_process_stores():
    return [StoreSpec("headless", "Drops heads", lambda context: WithoutHead(context.data_dir))]
'''


@pytest.fixture
def headless(tmp_path: Path) -> Iterator[Api]:
    """A server whose store drops the head of every output."""
    path = install(tmp_path / "site", "headless_store", WITHOUT_HEAD)
    environment = {"PYTHONPATH": path}
    with LiveServer(tmp_path / "data", "--store", "headless", env=environment) as server:
        yield Api(server.port)


def test_where_the_head_was_dropped_offsets_count_from_the_true_beginning(headless: Api) -> None:
    output = item(headless.create()["id"], "/output")
    data = b"0123456789abcdefghij"
    assert headless.request("PUT", output, data).json() == {"offset": 20}
    whole = headless.get(output)
    assert (whole.status, whole.body) == (200, data[START:])
    assert whole.headers["x-output-start"] == str(START)
    assert whole.headers["content-length"] == "10"
    part = headless.get(output, Range="bytes=5-14")
    assert (part.status, part.body) == (206, data[START:15])
    assert part.headers["content-range"] == "bytes 10-14/20"
    assert part.headers["x-output-start"] == str(START)
    assert headless.get(output, Range="bytes=12-13").body == data[12:14]
    assert headless.get(output, Range="bytes=-100").headers["content-range"] == "bytes 10-19/20"
    gone = headless.get(output, Range="bytes=0-9")
    assert (gone.status, gone.headers["content-range"]) == (416, "bytes */20")
    assert gone.headers["x-output-start"] == str(START)


def test_where_all_of_it_was_dropped_nothing_is_left(headless: Api) -> None:
    output = item(headless.create()["id"], "/output")
    headless.request("PUT", output, b"0123456789")
    whole = headless.get(output)
    assert (whole.status, whole.body, whole.headers["x-output-start"]) == (200, b"", "10")


def test_damage_in_the_middle_of_an_output_does_not_move_what_follows(tmp_path: Path) -> None:
    texts = ["before it ", "the damaged one ", "after it"]
    data = "".join(texts).encode()
    with LiveServer(tmp_path / "data") as server:
        api = Api(server.port)
        output = item(api.create()["id"], "/output")
        for text in texts:
            api.post(output, {"content": text})
        assert api.get(output).body == data
        server.stop()
        (file,) = [path for path in files(tmp_path) if b"the damaged one" in path.read_bytes()]
        file.write_bytes(file.read_bytes().replace(b"the damaged one", b"the DAMAGED one"))
        server.start()
        answer = api.get(output)
        assert (answer.status, len(answer.body)) == (200, len(data))
        assert answer.body.startswith(b"before it ")
        assert answer.body.endswith(b"after it")
        assert answer.body[10:26].decode() == "\ufffd" * 5 + "?"
        assert api.get(output, Range="bytes=26-").body == b"after it"


@pytest.mark.parametrize("gone", [False, True])
def test_an_output_that_lost_its_end_does_not_look_whole(tmp_path: Path, gone: bool) -> None:
    texts = ["before it ", "the lost one"]
    with LiveServer(tmp_path / "data") as server:
        api = Api(server.port)
        process = api.create()["id"]
        output = item(process, "/output")
        for text in texts:
            api.post(output, {"content": text})
        api.patch(item(process), {"status": "completed"})
        server.stop()
        (file,) = [path for path in files(tmp_path) if b"the lost one" in path.read_bytes()]
        if gone:
            file.unlink()
        else:
            file.write_bytes(file.read_bytes().splitlines(keepends=True)[0])
        server.start()
        kept = b"" if gone else b"before it "
        answer = api.get(output)
        missing = 22 - len(kept)
        filler = "\ufffd".encode() * (missing // 3) + b"?" * (missing % 3)
        assert (answer.status, answer.body) == (200, kept + filler)
        assert api.get(output, Range="bytes=20-").headers["content-range"] == "bytes 20-21/22"
        stream = api.get(item(process, "/stream")).body.decode()
        assert f'event: gap\ndata: {{"missingBytes":{missing}}}\n' in stream
        assert stream.index("event: gap") < stream.index("event: status")


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and "output" in str(path)]
