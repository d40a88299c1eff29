"""When an answer is late, and how many may be."""

from __future__ import annotations

import pytest

from orbit_fast.io.tail import Tail


def seen(*looks: tuple[int, int]) -> Tail:
    """A tail that was shown (answered so far, under way) once a second."""
    tail = Tail()
    for second, (answered, under_way) in enumerate(looks, start=1):
        tail.look(answered, under_way, float(second))
    return tail


@pytest.mark.parametrize(
    ("looks", "usual_s"),
    [
        ([(0, 8)], 0.0),
        ([(1000, 50)], 0.05),
        ([(1000, 0), (1100, 0)], 0.0),
        # The end of a job: nine are left, and those that have ended were many.
        ([(1000, 64), (1640, 9)], 0.0576),
        # Those that are late, and the few answers beside them, say nothing of the others.
        ([(1000, 64), (1640, 9), (1643, 6), (1643, 6)], 0.0576),
        # A slow service takes more than a second to say enough.
        ([(1000, 50), (1010, 50)], 0.05),
        ([(1000, 50), (1010, 50), (1020, 50), (1030, 50), (1040, 50)], 5.0),
        # Slower is believed at once, faster by and by.
        ([(1000, 50), (1040, 50)], 1.25),
        ([(100, 100), (10_100, 100)], 0.9),
    ],
)
def test_how_long_one_takes(looks, usual_s):
    """What is under way, divided by what comes in a second."""
    assert seen(*looks).usual_s == pytest.approx(usual_s)


@pytest.mark.parametrize(
    ("looks", "waited_s", "is_late"),
    [
        ([(1000, 30)], 0.9, False),
        ([(1000, 30)], 0.999, True),
        ([(1000, 500)], 4.9, False),
        ([(1000, 500)], 5.0, True),
        ([(99, 1)], 60.0, False),
        ([], 60.0, False),
    ],
)
def test_what_is_late(looks, waited_s, is_late):
    """A second at least (by a timer that may be early), ten times what is usual, and a hundred answers for each."""
    tail = seen(*looks)
    assert tail.is_late(waited_s) is is_late
    assert tail.moved == is_late


def test_one_in_a_hundred_is_made_again():
    """And those that were are remembered."""
    tail = Tail()
    moved = 0
    for second in range(1, 50):
        tail.look(10 * second, 1, float(second))
        moved += tail.is_late(1e9)
        assert moved == 10 * second // 100


def test_a_service_that_stops_is_not_asked_everything_again():
    """Of 64 that wait, five in a second."""
    tail = seen((100_000, 64))
    assert [tail.is_late(30.0) for _ in range(64)].count(True) == 5


def test_the_last_ones_of_a_job_are_made_again_together():
    """Nine are left of 256, and all of them wait: they are the exceptions, and the service is as good as ever."""
    tail = seen((6_000, 256), (8_991, 9), (8_991, 9))
    assert [tail.is_late(1.0) for _ in range(9)] == [True] * 9
