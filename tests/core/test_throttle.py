"""The job-wide limit: down at once, up slowly, never to nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.throttle import FEW
from orbit_fast.core.throttle import FLOOR
from orbit_fast.core.throttle import Throttle
from orbit_fast.core.throttle import shares


def test_without_refusals_the_limit_is_the_users():
    """Nothing is held back that nobody complained of."""
    throttle = Throttle(256)
    assert [throttle.look(1000 * now, 0, 256, float(now)) for now in range(3)] == [256, 256, 256]
    assert not throttle.is_low


def test_refusals_halve_what_is_in_flight():
    """200 in flight of 256 allowed: 100 are allowed next."""
    assert Throttle(256).look(20, 20, 200, 0.0) == 100


def test_a_burst_is_one_signal():
    """Refusals within a second halve once; going on, once a second."""
    throttle = Throttle(256)
    looks = ((40, 10, 0.0), (200, 100, 0.2), (400, 250, 0.9), (420, 260, 1.0), (430, 265, 1.2))
    assert [throttle.look(sent, refused, 256, now) for sent, refused, now in looks] == [128, 128, 128, 64, 64]


@pytest.mark.parametrize("rate", [4, 20, 100, 1_000, 10_000])
@pytest.mark.parametrize("latency_s", [0.01, 0.5, 5.0])
def test_a_service_that_refuses_one_in_a_hundred_is_not_spared(rate: int, latency_s: float):
    """That is what busy services do to everybody; for ten minutes, however fast the job is."""
    throttle = Throttle(256)
    for look in range(1, 5 * 600):
        sent = rate * look // 5
        throttle.look(sent, sent // 100, max(1, int(rate * latency_s)), look / 5)
    assert throttle.limit == 256


@pytest.mark.parametrize(
    ("rate", "one_in"),
    [(rate, one_in) for rate in (4, 20, 100, 1_000, 10_000) for one_in in (1, 2, 10, 20) if rate > one_in],
)
def test_a_service_that_refuses_many_is_spared(rate: int, one_in: int):
    """Soon, where more than a refusal a second tells of it, and more and more as it goes on."""
    throttle = Throttle(256)
    for look in range(1, 5 * 60):
        sent = rate * look // 5
        throttle.look(sent, sent // one_in, throttle.limit, look / 5)
        assert throttle.is_low or look < 25
    assert throttle.limit <= 32


def test_a_service_that_gives_so_much_and_no_more_is_asked_for_about_that_much():
    """It does 64 at a time and refuses all others: no more than twice that is in flight for long, nor less than half.

    Each answer takes a fifth of a second, and what is refused is sent again.
    """
    throttle, sent, refused, limits = Throttle(256), 0, 0, []
    for look in range(1, 5 * 300):
        sent += throttle.limit
        refused += max(0, throttle.limit - 64)
        limits.append(throttle.look(sent, refused, throttle.limit, look / 5))
    assert max(limits[50:]) <= 128
    assert min(limits) >= 32
    assert refused < sent // 20


def test_chance_is_no_signal():
    """Three of four requests were refused; that happens, and there is little in flight to spare the service of."""
    assert Throttle(256).look(FEW, FEW - 1, 4, 0.0) == 256


def test_it_grows_back_by_a_sixty_fourth_a_second():
    """From 128 it takes 32 quiet seconds to 256; one in a hundred that is refused meanwhile does not matter."""
    throttle = Throttle(256)
    throttle.look(100, 100, 256, 0.0)
    limits = [throttle.look(100 + 1000 * now, 100 + 10 * now, 128, float(now)) for now in range(1, 34)]
    assert limits[0] == 132
    assert limits[30] == 252
    assert limits[31:] == [256, 256]


@pytest.mark.parametrize("ceiling", [1, 2, 3, 4, 5, 256])
def test_it_never_falls_to_nothing(ceiling: int):
    """However long all is refused, a few requests stay allowed."""
    throttle = Throttle(ceiling)
    for second in range(1, 50):
        throttle.look(10 * second, 10 * second, 1, float(second))
    assert throttle.limit == min(FLOOR, ceiling)


@given(st.integers(1, 1000), st.integers(1, 64))
def test_shares_add_up(limit: int, workers: int):
    """Shares differ by one at most, none is nothing, and they are the limit where it reaches."""
    dealt = shares(limit, workers)
    assert len(dealt) == workers
    assert min(dealt) >= 1
    assert max(dealt) - min(dealt) <= 1
    assert sum(dealt) == max(limit, workers)
