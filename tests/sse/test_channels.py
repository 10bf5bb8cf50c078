"""Many followers of one process cost one read and one encoding, and little memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pipeline_host.errors import StoreUnavailable
from pipeline_host.hookspecs import StoreContext
from pipeline_host.live import LiveStore
from pipeline_host.models import Chunk, OutputBatch, Process, Timestamp
from pipeline_host.store import READ_LIMIT
from pipeline_host.testing.waiting import wait_until
from pipeline_host.transitions import completed
from pipeline_host_filestore import plugin
from pipeline_host_sse.channels import Channel, Channels, Piece, PieceCache
from pipeline_host_sse.frames import StatusData

SEEN = StatusData(status="running")


class CountingStore(LiveStore):
    """A store that counts the reads of output, and can't read while it is told so."""

    reads = 0
    unavailable = False

    def read_output(self, process_id: str, after: int = 0, limit: int = READ_LIMIT) -> OutputBatch:
        self.reads += 1
        if self.unavailable:
            raise StoreUnavailable("not now")
        return self.inner.read_output(process_id, after, limit)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CountingStore]:
    (spec,) = plugin.pipeline_host_process_stores()
    inner = spec.factory(StoreContext(tmp_path, spec.options()))
    # The feed looks for itself at the store below, which isn't counted.
    store = CountingStore(inner)
    add(store)
    yield store
    store.close()


def add(store: LiveStore) -> None:
    store.add(
        Process(
            id="p",
            type="clarification",
            prompt_preview="",
            full_prompt="",
            status="running",
            start_time=Timestamp("2026-11-22T07:00:00.000Z"),
        )
    )


def incarnation(store: LiveStore) -> int:
    return store.inner.read_output("p").incarnation


def write(store: LiveStore, content: str) -> None:
    store.append_output("p", [Chunk(content=content)])


def follow(channel: Channel, offset: int) -> tuple[bytes, int, str]:
    events = b""
    while (piece := channel.read(offset)).events:
        events += piece.events
        offset = piece.offset
    return events, offset, piece.state


class TestSharing:
    def test_what_one_has_read_the_others_get_without_a_read(self, store: CountingStore) -> None:
        channels = Channels(store)
        with ExitStack() as stack:
            joined = [
                stack.enter_context(channels.join("p", incarnation(store), lambda: None))
                for _ in range(100)
            ]
            assert len(set(map(id, joined))) == 1
            wait_until(lambda: not store.feed._bell.is_set())
            offset = 0
            for number in range(5):
                write(store, f"chunk {number}")
                store.reads = 0
                told = {follow(channel, offset) for channel in joined}
                assert len(told) == 1
                assert store.reads <= 4
                ((events, offset, state),) = told
                assert f"chunk {number}".encode() in events
                assert state == "open"

    def test_one_alone_keeps_nothing_in_memory(self, store: CountingStore) -> None:
        channels = Channels(store)
        with channels.join("p", incarnation(store), lambda: None) as channel:
            write(store, "x" * 100_000)
            assert len(follow(channel, 0)[0]) > 100_000
            assert channels._cache.used == 0

    def test_it_is_closed_with_the_last_follower(self, store: CountingStore) -> None:
        channels = Channels(store)
        number = incarnation(store)
        with channels.join("p", number, lambda: None), channels.join("p", number, lambda: None):
            assert (len(channels), store.feed.watching) == (1, 1)
        assert (len(channels), store.feed.watching) == (0, 0)

    def test_each_follower_is_woken(self, store: CountingStore) -> None:
        channels = Channels(store)
        bells = [threading.Event() for _ in range(3)]
        with ExitStack() as stack:
            for bell in bells:
                stack.enter_context(channels.join("p", incarnation(store), bell.set))
            write(store, "x")
            assert all(bell.is_set() for bell in bells)


class TestReading:
    @pytest.fixture
    def channel(self, store: CountingStore) -> Iterator[Channel]:
        with Channels(store).join("p", incarnation(store), lambda: None) as channel:
            yield channel

    def test_new_output_is_seen_wherever_it_was_last_read(
        self, store: CountingStore, channel: Channel
    ) -> None:
        write(store, "one")
        assert follow(channel, 0)[1:] == (3, "open")
        write(store, "two")
        assert channel.read(0).offset == 6
        assert channel.read(3).offset == 6
        assert follow(channel, 0)[1:] == (6, "open")

    def test_the_end_is_seen(self, store: CountingStore, channel: Channel) -> None:
        write(store, "one")
        assert follow(channel, 0)[1:] == (3, "open")
        store.update("p", completed("failed", "45s"))
        assert follow(channel, 0)[1:] == (3, "ended")
        assert channel.ending(SEEN) == StatusData(status="failed", duration="45s")

    def test_a_removal_is_seen(self, store: CountingStore, channel: Channel) -> None:
        assert channel.read(0).state == "open"
        store.remove("p")
        assert channel.read(0).state == "removed"
        assert channel.ending(SEEN) == StatusData(status="running", removed=True)

    def test_a_process_of_the_same_id_is_another(
        self, store: CountingStore, channel: Channel
    ) -> None:
        write(store, "mine")
        assert follow(channel, 0)[1:] == (4, "open")
        store.update("p", completed("cancelled"))
        store.remove("p")
        add(store)
        write(store, "not mine")
        assert channel.read(4) == Piece(b"", 4, "removed")
        assert channel.ending(SEEN) == StatusData(status="cancelled", removed=True)

    def test_what_was_seen_of_the_end_is_told_though_it_is_removed(
        self, store: CountingStore, channel: Channel
    ) -> None:
        store.update("p", completed("completed", "45s"))
        seen = StatusData.of(store.get("p"))
        store.remove("p")
        told = channel.ending(seen)
        assert told == StatusData(status="completed", duration="45s", removed=True)

    def test_after_a_failure_it_reads_again(self, store: CountingStore, channel: Channel) -> None:
        follow(channel, 0)
        write(store, "x")
        store.unavailable = True
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                channel.read(0)
        store.unavailable = False
        assert channel.read(0).offset == 1


class TestCache:
    def test_it_holds_what_was_used_last_up_to_its_size(self) -> None:
        cache = PieceCache(size=30)
        keys = [("p", 1, offset) for offset in range(4)]
        for key in keys[:3]:
            cache.put(key, Piece(b"0123456789", 1))
        assert cache.get(keys[0]) is not None
        cache.put(keys[3], Piece(b"0123456789", 1))
        assert [cache.get(key) is not None for key in keys] == [True, False, True, True]
        assert cache.used == 30

    def test_a_piece_put_again_counts_once(self) -> None:
        cache = PieceCache(size=30)
        for _ in range(10):
            cache.put(("p", 1, 0), Piece(b"0123456789", 1))
        assert cache.used == 10
