"""How fast bytes have moved lately."""

from __future__ import annotations

import pytest

from orbit_fast.core.pace import SPAN_S
from orbit_fast.core.pace import Pace


def test_nothing_is_known_at_first():
    """One point makes no rate, nor do two of the same moment."""
    pace = Pace()
    assert pace.rate(10.0, 500) == 0.0
    assert pace.rate(10.0, 900) == 0.0


def test_the_rate_of_the_last_seconds():
    """What was long ago does not count; a change shows within the span."""
    pace = Pace()
    rates = [pace.rate(second, 100 * min(second, 20)) for second in range(60)]
    assert rates[10] == pytest.approx(100)
    assert rates[20] == pytest.approx(100)
    assert 0 < rates[23] < 100
    assert rates[int(20 + SPAN_S) + 1] == 0.0


def test_a_long_silence_is_averaged_over_and_memory_is_bounded():
    """Two points are kept however far apart they are."""
    pace = Pace()
    pace.rate(0.0, 0)
    assert pace.rate(100.0, 1000) == pytest.approx(10)
    for number in range(10_000):
        pace.rate(100 + number / 10, 1000)
    assert len(pace._points) <= SPAN_S * 10 + 3
