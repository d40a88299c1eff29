"""The circuit breaker's states."""

from __future__ import annotations

import pytest

from orbit_fast.core.breaker import FAILURES_TO_OPEN
from orbit_fast.core.breaker import FIRST_OPEN_S
from orbit_fast.core.breaker import LONGEST_OPEN_S
from orbit_fast.core.breaker import BreakerLimits
from orbit_fast.core.breaker import CircuitBreaker
from orbit_fast.core.breaker import Gate
from orbit_fast.core.errors import ConnectFailed
from orbit_fast.core.errors import Network

DEAD = Network("reset")


def _opened(now_s: float = 0.0) -> CircuitBreaker:
    breaker = CircuitBreaker()
    for _ in range(FAILURES_TO_OPEN):
        breaker.record_failure(DEAD, now_s)
    return breaker


def test_it_opens_after_failures_in_a_row_only():
    """An answer in between starts the count again."""
    breaker = CircuitBreaker()
    for _ in range(FAILURES_TO_OPEN - 1):
        breaker.record_failure(DEAD, 0.0)
    breaker.record_answer()
    for _ in range(FAILURES_TO_OPEN - 1):
        breaker.record_failure(DEAD, 0.0)
    assert breaker.gate is Gate.CLOSED
    assert breaker.permits(0.0)
    breaker.record_failure(DEAD, 0.0)
    assert breaker.gate is Gate.OPEN
    assert not breaker.permits(0.0)


def test_one_probe_goes_out_when_the_wait_is_over():
    """The first to ask tries; the others are still refused."""
    breaker = _opened()
    assert not breaker.permits(FIRST_OPEN_S - 0.01)
    assert breaker.permits(FIRST_OPEN_S)
    assert breaker.gate is Gate.HALF_OPEN
    assert not breaker.permits(FIRST_OPEN_S)


def test_a_good_probe_closes_it():
    """Everything is let through again, and the next wait is short again."""
    breaker = _opened()
    breaker.permits(FIRST_OPEN_S)
    breaker.record_answer()
    assert breaker.gate is Gate.CLOSED
    assert breaker.permits(FIRST_OPEN_S)
    assert breaker.failures == 0


def test_bad_probes_make_the_waits_longer_up_to_a_limit():
    """1 s, 2 s, 4 s, 8 s, 15 s, 15 s."""
    breaker = _opened()
    now_s = 0.0
    waits = []
    for _ in range(6):
        waits.append(breaker.wait_s(now_s))
        now_s += waits[-1]
        assert breaker.permits(now_s)
        breaker.record_failure(DEAD, now_s)
    assert waits == [FIRST_OPEN_S, 2.0, 4.0, 8.0, LONGEST_OPEN_S, LONGEST_OPEN_S]


def test_a_probe_that_never_reports_does_not_close_the_road():
    """After the longest wait another probe goes out."""
    breaker = _opened()
    assert breaker.permits(FIRST_OPEN_S)
    assert not breaker.permits(FIRST_OPEN_S + LONGEST_OPEN_S - 0.01)
    assert breaker.permits(FIRST_OPEN_S + LONGEST_OPEN_S)


def test_late_failures_of_requests_already_out_do_not_lengthen_the_wait():
    """Only a probe's failure doubles it."""
    breaker = _opened(now_s=0.0)
    breaker.record_failure(DEAD, 0.9)
    assert breaker.wait_s(0.9) == pytest.approx(FIRST_OPEN_S - 0.9)


def test_a_refusal_says_what_the_last_failure_said_and_may_be_retried():
    """It counts as not sent: a connection was never made."""
    refusal = _opened().refusal()
    assert isinstance(refusal, ConnectFailed)
    assert refusal.message == "reset"
    assert refusal.is_retryable()
    assert refusal is not _opened().refusal()


def test_it_remembers_that_the_endpoint_has_answered():
    """Which tells a wrong endpoint from one that has gone away."""
    breaker = CircuitBreaker()
    assert not breaker.has_answered
    breaker.record_answer()
    breaker.record_failure(DEAD, 0.0)
    assert breaker.has_answered


def test_its_limits_are_given():
    """Two failures open it for three seconds, however often; two good probes in a row close it."""
    limits = BreakerLimits(failures_to_open=2, first_open_s=3.0, longest_open_s=3.0, successes_to_close=2)
    breaker = CircuitBreaker(limits)
    breaker.record_failure(DEAD, 0.0)
    assert breaker.permits(0.0)
    breaker.record_failure(DEAD, 0.0)
    assert not breaker.permits(2.9)
    assert breaker.permits(3.0)
    breaker.record_answer()
    assert breaker.gate is Gate.HALF_OPEN
    assert breaker.permits(3.0)
    breaker.record_failure(DEAD, 3.0)
    assert not breaker.permits(5.9)
    for _ in range(2):
        assert breaker.permits(6.0)
        breaker.record_answer()
    assert breaker.gate is Gate.CLOSED


def test_a_probe_that_is_given_up_makes_room():
    """The next one may try at once; a closed or open breaker takes no notice."""
    breaker = _opened()
    breaker.release()
    assert not breaker.permits(0.0)
    assert breaker.permits(FIRST_OPEN_S)
    assert not breaker.permits(FIRST_OPEN_S)
    breaker.release()
    assert breaker.permits(FIRST_OPEN_S)
