"""When the next attempt is due, told from a clock that the test moves."""

from __future__ import annotations

from pipeline_host.client.waiting import MOST_PAUSED, PROBES, Waiting


def test_a_server_that_is_away_is_asked_soon_and_then_less_and_less_often() -> None:
    waiting = Waiting()
    assert waiting.left(0) is None
    for expected in (*PROBES, 1, 2, 4, 8, 16, 30, 30):
        waiting.stop(100)
        left = waiting.left(100)
        assert left is not None
        assert expected / 2 <= left <= expected
        assert waiting.left(100 + left) == 0
    waiting.resume(200)
    assert waiting.left(200) is None
    waiting.settled("a")
    waiting.stop(300)
    assert (waiting.left(300) or 0) <= PROBES[0]


def test_a_probe_alone_does_not_begin_anew_with_the_shortest_delays() -> None:
    waiting = Waiting()
    for _ in range(6):
        waiting.stop(0)
        waiting.resume(0)
    waiting.stop(0)
    assert (waiting.left(0) or 0) > 1


def test_whoever_waits_for_it_shortens_a_delay_but_not_what_the_server_asked_for() -> None:
    waiting = Waiting()
    waiting.stop(0, retry_after=20)
    waiting.shorten(0, 1)
    assert waiting.left(0) == 20
    waiting = Waiting()
    for _ in range(8):
        waiting.stop(0)
    waiting.shorten(0, 1)
    assert waiting.left(0) == 1


def test_a_lane_waits_by_itself() -> None:
    waiting = Waiting()
    assert waiting.pause("a", 0)
    assert waiting.paused(0) == {"a"}
    left = waiting.lanes_left(0)
    assert left is not None
    assert 0.5 <= left <= 1
    assert waiting.paused(1) == set()
    assert waiting.lanes_left(1) is None
    assert waiting.pause("a", 1)
    assert 1 <= (waiting.lanes_left(1) or 0) <= 2
    waiting.settled("a")
    assert waiting.lanes_left(1) is None


def test_when_the_server_is_back_every_lane_is_tried() -> None:
    waiting = Waiting()
    waiting.pause("a", 0)
    waiting.stop(0)
    waiting.resume(0.01)
    assert waiting.paused(0.01) == set()


def test_where_too_many_lanes_fail_the_others_are_not_tried_any_more() -> None:
    waiting = Waiting()
    answers = [waiting.pause(str(number), 0) for number in range(MOST_PAUSED + 2)]
    assert answers == [*[True] * MOST_PAUSED, False, False]
