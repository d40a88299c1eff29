"""The job-wide limit: down at once, up slowly, never to nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.throttle import FLOOR
from orbit_fast.core.throttle import Throttle
from orbit_fast.core.throttle import shares


def test_without_refusals_the_limit_is_the_users():
    """Nothing is held back that nobody complained of."""
    throttle = Throttle(256)
    assert [throttle.look(0, 256, now) for now in (0.0, 1.0, 2.0)] == [256, 256, 256]
    assert not throttle.is_low


def test_a_refusal_halves_what_is_in_flight():
    """200 in flight of 256 allowed: 100 are allowed next."""
    assert Throttle(256).look(1, 200, 0.0) == 100


def test_a_burst_is_one_signal():
    """Refusals within a second halve once; going on, once a second."""
    throttle = Throttle(256)
    assert [throttle.look(n, 256, now) for n, now in ((1, 0.0), (50, 0.2), (90, 0.9), (91, 1.0))] == [128, 128, 128, 64]


def test_it_grows_back_by_a_sixty_fourth_a_second():
    """From 128 it takes 32 quiet seconds to 256."""
    throttle = Throttle(256)
    throttle.look(1, 256, 0.0)
    limits = [throttle.look(1, 128, float(now)) for now in range(1, 34)]
    assert limits[0] == 132
    assert limits[30] == 252
    assert limits[31:] == [256, 256]


@pytest.mark.parametrize("ceiling", [1, 2, 3, 4, 5, 256])
def test_it_never_falls_to_nothing(ceiling: int):
    """However long it is refused, a few requests stay allowed."""
    throttle = Throttle(ceiling)
    for second in range(50):
        throttle.look(second + 1, 1, float(second))
    assert throttle.limit == min(FLOOR, ceiling)


@given(st.integers(1, 1000), st.integers(1, 64))
def test_shares_add_up(limit: int, workers: int):
    """Shares differ by one at most, none is nothing, and they are the limit where it reaches."""
    dealt = shares(limit, workers)
    assert len(dealt) == workers
    assert min(dealt) >= 1
    assert max(dealt) - min(dealt) <= 1
    assert sum(dealt) == max(limit, workers)
