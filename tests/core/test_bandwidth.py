"""The token bucket of a whole job, and how it is dealt out: seconds and bytes as numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.bandwidth import BURST_S
from orbit_fast.core.bandwidth import TokenBucket
from orbit_fast.core.bandwidth import deal
from orbit_fast.core.bandwidth import step_of

RATE = 1_000_000


@pytest.mark.parametrize(
    ("looks", "levels"),
    [
        ([(5.0, 0), (5.1, 0)], [0, 100_000]),
        ([(5.0, 0), (5.1, 40_000), (5.2, 40_000)], [0, 60_000, 160_000]),
        ([(5.0, 0), (9.0, 0), (9.1, 0)], [0, 250_000, 250_000]),
        ([(5.0, 0), (5.1, 300_000), (5.2, 300_000), (5.4, 300_000)], [0, 0, 0, 100_000]),
        ([(5.0, 0), (7.0, 2_000_000), (7.1, 2_000_000)], [0, 0, 100_000]),
    ],
    ids=["fills from nothing", "what was moved is missing", "holds a burst", "debts are paid", "catches up"],
)
def test_level(looks, levels):
    """At a megabyte a second, after each look."""
    bucket = TokenBucket(RATE)
    assert [bucket.look(now_s, moved) for now_s, moved in looks] == pytest.approx(levels, abs=1)


@given(
    steps=st.lists(st.tuples(st.floats(0.001, 0.3), st.floats(0, 1)), min_size=1, max_size=60),
    overdraft=st.integers(0, 300_000),
)
def test_never_more_than_the_rate_and_one_burst(steps, overdraft):
    """Whoever takes what is there, and now and then a chunk more, has the rate and at most a burst and that chunk."""
    bucket = TokenBucket(RATE)
    now_s, moved = 100.0, 0
    bucket.look(now_s, moved)
    for passed_s, share in steps:
        now_s += passed_s
        level = bucket.look(now_s, moved)
        if level:
            moved += int(level * share) + overdraft
        assert moved <= RATE * (now_s - 100.0 + BURST_S) + overdraft + 1


@given(waits=st.lists(st.floats(0.001, BURST_S), min_size=1, max_size=60))
def test_nothing_is_lost_while_somebody_wants_it(waits):
    """Who takes all there is, at least as often as a burst lasts, has the whole rate."""
    bucket = TokenBucket(RATE)
    now_s, moved = 0.0, 0
    bucket.look(now_s, moved)
    for passed_s in waits:
        now_s += passed_s
        moved += bucket.look(now_s, moved)
    assert moved == pytest.approx(RATE * now_s, abs=len(waits) + 1)


@pytest.mark.parametrize(
    ("level", "wants", "dealt"),
    [
        (100, [None], [100]),
        (100, [10], [10]),
        (100, [None, None, None], [33, 33, 34]),
        (100, [10, None], [10, 90]),
        (100, [90, None], [50, 50]),
        (100, [None, 20, 200, None], [27, 20, 26, 27]),
        (0, [None, 5], [0, 0]),
        (5, [], []),
    ],
)
def test_deal(level, wants, dealt):
    """Who wants little gets it; the others get the rest, all as much."""
    assert deal(level, wants) == dealt


@given(st.integers(0, 10**9), st.lists(st.none() | st.integers(0, 10**9), min_size=1, max_size=9))
def test_all_is_dealt_that_is_wanted_and_no_more(level, wants):
    """The shares make the level, unless everybody has what they want; nobody has more than they want."""
    dealt = deal(level, wants)
    assert all(want is None or share <= want for share, want in zip(dealt, wants, strict=True))
    is_enough = None not in wants and sum(wants) <= level
    assert sum(dealt) == (sum(wants) if is_enough else level)


@pytest.mark.parametrize(("rate", "step"), [(1, 1024), (10_000_000, 25_000), (10**9, 256 << 10)])
def test_steps(rate, step):
    """A four-hundredth of a second, within reason."""
    assert step_of(rate) == step
