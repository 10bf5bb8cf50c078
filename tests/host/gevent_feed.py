"""The feed where gevent patched everything, as in a worker: ``python -m gevent.monkey …``.

Rings come from greenlets and from a real thread; prints the text that was followed, and the end.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import gevent

from pipeline_host.emitter import Completion, OutputEvent
from pipeline_host.hookspecs import StoreContext
from pipeline_host.live import LiveStore
from pipeline_host.models import Chunk
from pipeline_host.testing.store_base import new_process
from pipeline_host_filestore import plugin

NEVER = 3600.0


def main(folder: Path) -> None:
    (spec,) = plugin.pipeline_host_process_stores()
    below = LiveStore(spec.factory(StoreContext(folder, spec.options())))
    store = LiveStore(below, poll=NEVER)
    store.add(new_process("p"))
    texts: list[str] = []
    ended, told = threading.Event(), threading.Event()

    def follow(event: OutputEvent) -> None:
        if isinstance(event, Completion):
            ended.set()
        else:
            texts.append(event.content)
            told.set()

    store.on_process_output("p", follow)
    store.emit_process_output("p", "greenlet,")
    assert told.wait(10), "not told of a write by a greenlet"
    told.clear()
    gevent.sleep(0.01)
    below.inner.append_output("p", [Chunk(content="thread,")])
    gevent.get_hub().threadpool.apply(store.feed.ring, ("p",))
    assert told.wait(10), "not told after a ring by a real thread"
    store.emit_process_complete("p", "completed")
    assert ended.wait(10), "not told of the end"
    store.close()
    print("".join(texts) + "end")


main(Path(sys.argv[1]))
