"""Time limits of one exchange, with a clock that is a number."""

from __future__ import annotations

import pytest

from orbit_fast.io.pace import MIN_BYTES_A_SECOND
from orbit_fast.io.pace import Pace
from orbit_fast.io.pace import Stage

IDLE_S = 30.0


def _play(stage: Stage, bytes_a_second: float, *, first_byte_s: float = 60.0, is_bulk: bool, seconds: int = 2000):
    """When, in seconds, and why an exchange is given up that moves so many bytes a second; None if never."""
    pace = Pace(IDLE_S)
    for second in range(seconds):
        pace.look(1, stage, int(second * bytes_a_second), float(second))
        failure = pace.verdict(float(second), first_byte_s=first_byte_s, is_bulk=is_bulk)
        if failure is not None:
            return second, failure.code
    return None


@pytest.mark.parametrize(
    ("stage", "rate", "is_bulk", "given_up"),
    [
        (Stage.WAITING, 0, False, (61, "E_TIMEOUT")),
        (Stage.SENDING, 0, False, (31, "E_TIMEOUT")),
        (Stage.SENDING, 0, True, (30, "E_STALLED")),
        (Stage.RECEIVING, 0, True, (30, "E_STALLED")),
        (Stage.RECEIVING, 0, False, (31, "E_TIMEOUT")),
        (Stage.RECEIVING, 1, True, (30, "E_STALLED")),
        (Stage.SENDING, 1023, True, (30, "E_STALLED")),
        (Stage.SENDING, 1024, True, None),
        (Stage.RECEIVING, 1024, True, None),
        (Stage.SENDING, 1, False, None),
        (Stage.RECEIVING, 1, False, (61, "E_STALLED")),
        (Stage.RECEIVING, 1024, False, None),
    ],
)
def test_when_an_exchange_is_given_up(stage, rate, is_bulk, given_up):
    """Standing still, dripping and never answering have each their limit; 1 KiB/s has none."""
    assert _play(stage, rate, is_bulk=is_bulk) == given_up


def test_a_completion_may_drip_for_its_own_time():
    """Spaces that keep the connection warm are fine for the call's first-byte time, and no longer."""
    second, code = _play(Stage.RECEIVING, 0.5, first_byte_s=900.0, is_bulk=False)
    assert 900 <= second <= 902
    assert code == "E_STALLED"


def test_each_exchange_and_stage_starts_anew():
    """What an earlier exchange took is not counted against the next, nor sending against waiting."""
    pace = Pace(IDLE_S)
    for second in range(100):
        stage = Stage.SENDING if second % 20 < 10 else Stage.WAITING
        pace.look(second // 20, stage, 0, float(second))
        assert pace.verdict(float(second), first_byte_s=11.0, is_bulk=True) is None


def test_a_burst_does_not_buy_time_for_ever():
    """The rate is looked at window by window: a fast start does not pay for a stall."""
    pace = Pace(1e9)
    given_up = None
    for second in range(200):
        moved = min(second, 10) * 1_000_000 * MIN_BYTES_A_SECOND
        pace.look(1, Stage.RECEIVING, moved, float(second))
        if pace.verdict(float(second), first_byte_s=1.0, is_bulk=True):
            given_up = second
            break
    assert given_up == 60


@pytest.mark.parametrize(
    ("idle_s", "first_byte_s", "given_up"),
    [(30.0, 30.0, 31), (5.0, 30.0, 6), (5.0, 60.0, 11), (60.0, 30.0, 61), (5.0, 900.0, 901)],
)
def test_the_wait_for_an_answer_follows_the_users_timeout(idle_s, first_byte_s, given_up):
    """``--timeout 5`` waits 5 s for an answer, twice that after a body; only a commit takes what it takes."""
    pace = Pace(idle_s)
    for second in range(2000):
        pace.look(1, Stage.WAITING, 0, float(second))
        if pace.verdict(float(second), first_byte_s=first_byte_s, is_bulk=False):
            break
    assert second == given_up
