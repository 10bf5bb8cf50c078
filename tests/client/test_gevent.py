"""The client inside a program that gevent has patched, as a gunicorn worker is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from pipeline_host.client import ApiClient
from pipeline_host.testing import LiveServer

PROGRAM = """
from gevent import monkey
monkey.patch_all()
import sys, threading
import gevent
from pipeline_host.client import ExtensionClient, ProcessCancelled

ticks = 0
def tick():
    global ticks
    while True:
        gevent.sleep(0.001)
        ticks += 1
gevent.spawn(tick)

with ExtensionClient(sys.argv[1]) as client:
    try:
        with client.process("patched", process_id="a") as process:
            process.write("hello")
            assert client.flush(20)
            followed = next(client.follow("a"))
            assert followed.type == "chunk", followed
            before = ticks
            def cancel():
                while ticks <= before + 10:
                    gevent.sleep(0.001)
                client.api.cancel("a")
            gevent.spawn(cancel)
            assert process.cancelled.wait(20), "it holds up the other greenlets"
            process.check()
    except ProcessCancelled:
        print("cancelled")
"""


def test_it_reports_is_cancelled_and_holds_up_no_greenlet(
    live_server: Callable[..., LiveServer],
) -> None:
    server = live_server()
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, server.url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("cancelled\n", "")
    with ApiClient(server.url) as api:
        process = api.get("a")
        assert process["status"] == "cancelled"
        assert process["cancellation"]["outcome"] == "terminated"
        assert api.output("a") == b"hello"
