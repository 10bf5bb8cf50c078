"""The main job: a real program, wrapped, is followed live and byte for byte."""

from __future__ import annotations

import asyncio
import email
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import requests
from playwright.sync_api import Browser

from pipeline_host.testing.server import LiveServer
from pipeline_host.testing.waiting import wait_until

FOLLOW = """id => new Promise(resolve => {
    const source = new EventSource(`/api/processes/${id}/stream`);
    let content = "";
    source.addEventListener("chunk", event => { content += JSON.parse(event.data).content; });
    source.addEventListener("done", () => { source.close(); resolve(content); });
})"""


def contents(frames: str) -> str:
    return "".join(
        json.loads(frame.split("data: ", 1)[1])["content"]
        for frame in frames.split("\n\n")
        if "event: chunk\n" in frame
    )


def test_a_real_build_is_followed_by_curl_and_a_browser_byte_for_byte(
    live_server: Callable[..., LiveServer], chromium: Browser, tmp_path: Path
) -> None:
    server = live_server(workers=2)
    for package in (asyncio, email):
        folder = Path(package.__file__ or "").parent
        shutil.copytree(folder, tmp_path / folder.name)
    build = (
        "import compileall, sys; print('building', flush=True); sys.stdin.readline();"
        f" [compileall.compile_dir({str(tmp_path)!r}, force=True) for _ in range(5)]"
    )
    command = [sys.executable, "-u", "-c", build]
    run = [sys.executable, "-m", "pipeline_host", "run", "--server", server.url, "--id", "build"]
    runner = subprocess.Popen([*run, "--", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    stream = f"{server.url}/api/processes/build/stream"
    wait_until(lambda: requests.get(stream.rsplit("/", 1)[0], timeout=10).ok)
    curl = subprocess.Popen(["curl", "-sN", stream], stdout=subprocess.PIPE)
    page = chromium.new_page()
    page.goto(f"{server.url}/api/health")
    page.evaluate(f"() => {{ window.seen = ({FOLLOW})('build'); }}")

    own, _ = runner.communicate(b"go\n", timeout=120)
    assert runner.returncode == 0
    assert own.count(b"\n") > 200
    followed, _ = curl.communicate(timeout=60)
    assert contents(followed.decode()).encode() == own
    assert page.evaluate("() => window.seen").encode() == own
    assert requests.get(f"{server.url}/api/processes/build/output", timeout=20).content == own
    page.close()


def test_a_pipe_into_curl_is_live(live_server: Callable[..., LiveServer]) -> None:
    server = live_server()
    url = f"{server.url}/api/processes"
    body = {
        "id": "piped",
        "promptPreview": "p",
        "status": "running",
        "startTime": "2026-11-22T07:00:00.000Z",
    }
    assert requests.post(url, json=body, timeout=20).status_code == 201
    upload = subprocess.Popen(
        ["curl", "-sS", "-T", "-", f"{url}/piped/output"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert upload.stdin is not None
    for text in ("one\n", "no newline", " déjà"):
        upload.stdin.write(text.encode())
        upload.stdin.flush()
        wait_until(lambda t=text: requests.get(f"{url}/piped/output", timeout=20).text.endswith(t))
    answer, _ = upload.communicate(timeout=20)
    assert json.loads(answer) == {"offset": len("one\nno newline déjà".encode())}
