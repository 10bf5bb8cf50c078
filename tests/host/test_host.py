"""What plugins get from the host."""

from __future__ import annotations

from pipeline_host.host import Draining


def test_draining_calls_everybody_once() -> None:
    draining = Draining()
    calls: list[str] = []
    draining.on_begin(lambda: calls.append("one"))
    draining.on_begin(lambda: calls.append("two"))
    assert not draining.begun
    draining.begin()
    draining.begin()
    assert draining.begun
    assert calls == ["one", "two"]


def test_who_comes_late_is_called_at_once() -> None:
    draining = Draining()
    draining.begin()
    calls: list[str] = []
    draining.on_begin(lambda: calls.append("late"))()
    assert calls == ["late"]


def test_who_has_left_is_not_called() -> None:
    draining = Draining()
    calls: list[str] = []
    leave = draining.on_begin(lambda: calls.append("gone"))
    leave()
    leave()
    draining.begin()
    leave()
    assert calls == []
