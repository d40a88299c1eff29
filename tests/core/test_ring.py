"""Memory that is taken and given back in order: never twice at once, never lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.ring import PAGE
from orbit_fast.core.ring import Ring


def test_pieces_follow_one_another_and_wrap_around():
    """The first is at 0; what does not fit behind the last goes to the beginning, once that is free."""
    ring = Ring(10 * PAGE)
    assert [ring.take(4 * PAGE), ring.take(4 * PAGE), ring.take(4 * PAGE)] == [0, 4 * PAGE, None]
    ring.give_back(0)
    assert ring.take(4 * PAGE) == 0
    assert ring.take(1) is None
    ring.give_back(4 * PAGE)
    assert ring.take(1) == 4 * PAGE


def test_a_piece_that_comes_back_early_waits_for_those_before_it():
    """Only the oldest frees memory."""
    ring = Ring(2 * PAGE)
    first, second = ring.take(PAGE), ring.take(PAGE)
    ring.give_back(second)
    assert ring.take(PAGE) is None
    ring.give_back(first)
    assert ring.is_empty
    assert ring.take(2 * PAGE) == 0


def test_it_can_become_larger():
    """What was taken stays where it is."""
    ring = Ring(PAGE)
    assert [ring.take(PAGE), ring.take(PAGE)] == [0, None]
    ring.capacity = 3 * PAGE
    assert ring.take(2 * PAGE) == PAGE


@pytest.mark.parametrize("size", [0, -1, PAGE + 1])
def test_what_never_fits_is_a_mistake(size):
    """Nothing, less than nothing, and more than there is."""
    with pytest.raises(ValueError, match="of a ring"):
        Ring(PAGE).take(size)


def test_what_nobody_has_cannot_come_back():
    """Giving back twice is a mistake."""
    ring = Ring(2 * PAGE)
    ring.take(PAGE)
    second = ring.take(PAGE)
    ring.give_back(second)
    with pytest.raises(KeyError):
        ring.give_back(second)


@given(st.lists(st.one_of(st.integers(1, 5 * PAGE), st.none()), max_size=80), st.data())
def test_no_byte_is_ever_taken_twice(steps, data):
    """Whatever is taken and given back, in any order, live pieces do not overlap; and all of it comes back."""
    ring = Ring(12 * PAGE)
    live: dict[int, int] = {}
    for step in steps:
        if step is not None:
            at = ring.take(step)
            if at is not None:
                end = at + step
                assert end <= ring.capacity
                assert all(end <= other or at >= other + size for other, size in live.items())
                live[at] = step
        elif live:
            at = data.draw(st.sampled_from(sorted(live)))
            ring.give_back(at)
            del live[at]
    for at in live:
        ring.give_back(at)
    assert ring.is_empty
    assert ring.take(ring.capacity) == 0
