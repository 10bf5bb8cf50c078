"""Log records as a process's output."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest

from pipeline_host.client import ExtensionClient, ProcessHandler
from pipeline_host.testing.waiting import wait_until

from .scripted import ScriptedServer


class Process:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written: list[tuple[str, str | None]] = []

    def write(self, text: str, stream: str | None = None) -> int:
        self.written.append((text, stream))
        return len(text)


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, which has its handlers and its level back afterwards."""
    logger = logging.getLogger()
    handlers, level = logger.handlers[:], logger.level
    logger.setLevel(logging.DEBUG)
    yield logger
    logger.setLevel(level)
    logger.handlers[:] = handlers


def test_a_record_is_a_line_that_says_when_who_and_how_bad(root: logging.Logger) -> None:
    process = Process()
    root.addHandler(ProcessHandler(process))
    logging.getLogger("app.model").warning("slow: %d s", 7)
    [(text, stream)] = process.written
    assert text.endswith(" WARNING app.model: slow: 7 s\n")
    assert stream == "stderr"


def test_level_format_and_stream_can_be_chosen(root: logging.Logger) -> None:
    process = Process()
    handler = ProcessHandler(process, stream="log", level="ERROR")
    handler.setFormatter(logging.Formatter("%(message)s"))
    root.addHandler(handler)
    root.warning("left out")
    root.error("kept")
    assert process.written == [("kept\n", "log")]


def test_an_exception_comes_with_its_traceback(root: logging.Logger) -> None:
    process = Process()
    root.addHandler(ProcessHandler(process))
    try:
        raise KeyError("model")
    except KeyError:
        root.exception("it failed")
    [(text, _)] = process.written
    assert text.endswith("KeyError: 'model'\n")


@pytest.mark.parametrize(
    "name", ["pipeline_host.client", "urllib3", "urllib3.connectionpool", "requests.sessions"]
)
def test_what_sending_logs_is_left_out(root: logging.Logger, name: str) -> None:
    process = Process()
    root.addHandler(ProcessHandler(process))
    logging.getLogger(name).error("can't send")
    logging.getLogger(f"my{name}").error("another's")
    assert len(process.written) == 1


def test_a_refusal_that_is_logged_is_not_refused_for_ever(
    root: logging.Logger, server: ScriptedServer
) -> None:
    drops: list[str] = []

    def on_drop(drop: object) -> None:
        assert threading.current_thread() is not threading.main_thread()
        logging.getLogger("app").error("dropped")
        drops.append("dropped")

    with ExtensionClient(server.url, on_drop=on_drop) as client, client.process("p") as process:
        client.flush(20)
        server.fault("answer", times=100, status=400, only="/output")
        root.addHandler(ProcessHandler(process))
        logging.getLogger("app").info("refused")
        wait_until(lambda: drops)
        assert client.flush(20)
    assert drops == ["dropped"]


def test_what_cannot_be_formatted_harms_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    process = Process()
    logger = logging.Logger("on its own")
    logger.addHandler(ProcessHandler(process))
    logger.error("%d", "no number")
    assert process.written == []
    assert "no number" in capsys.readouterr().err
