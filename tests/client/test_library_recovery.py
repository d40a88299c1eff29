"""Retry policies and circuit breakers: numbers, states, what is tried again and what is not."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from orbit_fast import AccessDenied
from orbit_fast import BackoffStrategy
from orbit_fast import CircuitBreaker
from orbit_fast import CircuitBreakerConfig
from orbit_fast import CircuitOpen
from orbit_fast import CircuitState
from orbit_fast import InvalidConfig
from orbit_fast import Network
from orbit_fast import NotFound
from orbit_fast import RateLimitExceeded
from orbit_fast import RetryPolicy
from orbit_fast import with_retry
from orbit_fast.client.session import breaker_of
from orbit_fast.core.breaker import Gate
from tests.kit.clock import FakeClock
from tests.kit.library import on_loop
from tests.kit.library import opened

NOW = RetryPolicy(max_attempts=4, initial_delay=0, max_delay=0)


def _failing(*failures):
    """An operation that fails in these ways, one after the other, and then succeeds; and its calls."""
    left = list(failures)
    calls = []

    async def operation():
        calls.append(len(calls))
        await asyncio.sleep(0)
        if left:
            raise left.pop(0)
        return "done"

    return operation, calls


def test_the_presets_have_the_guides_numbers():
    """And its defaults."""
    fast, slow, network = RetryPolicy.fast(), RetryPolicy.slow(), RetryPolicy.network()
    milli = timedelta(milliseconds=1)
    assert (fast.max_attempts, fast.initial_delay, fast.max_delay) == (3, 50 * milli, 1000 * milli)
    assert (slow.max_attempts, slow.initial_delay, slow.max_delay) == (5, 200 * milli, 10_000 * milli)
    assert (network.max_attempts, network.initial_delay, network.max_delay) == (5, 100 * milli, 5000 * milli)
    assert [policy.use_circuit_breaker for policy in (fast, slow, network)] == [False, False, True]
    config = CircuitBreakerConfig()
    assert (config.failure_threshold, config.timeout, config.success_threshold) == (5, timedelta(seconds=60), 2)


@pytest.mark.parametrize(
    ("backoff", "delays"),
    [
        (BackoffStrategy.FIXED, [1.0, 1.0, 1.0, 1.0, 1.0]),
        (BackoffStrategy.LINEAR, [1.0, 2.0, 3.0, 4.0, 5.0]),
        (BackoffStrategy.EXPONENTIAL, [1.0, 2.0, 4.0, 8.0, 9.0]),
        (BackoffStrategy.exponential(multiplier=3.0), [1.0, 3.0, 9.0, 9.0, 9.0]),
    ],
)
def test_waits_grow_up_to_a_limit(backoff, delays):
    """And jitter makes them longer by its part, never shorter."""
    policy = RetryPolicy(initial_delay=1.0, max_delay=9.0, backoff=backoff, jitter_factor=0.5)
    assert [policy.calculate_delay(attempt).total_seconds() for attempt in range(1, 6)] == delays
    jittered = [policy.calculate_delay(attempt, random01=1.0).total_seconds() for attempt in range(1, 6)]
    assert jittered == [delay * 1.5 for delay in delays]
    assert policy.calculate_delay(10_000).total_seconds() == (1.0 if backoff is BackoffStrategy.FIXED else 9.0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: RetryPolicy(max_attempts=0),
        lambda: RetryPolicy(initial_delay=-1),
        lambda: RetryPolicy(jitter_factor=-0.1),
        lambda: BackoffStrategy.exponential(0.5),
        lambda: CircuitBreakerConfig(failure_threshold=0),
        lambda: CircuitBreakerConfig(timeout=-1),
    ],
)
def test_what_cannot_be_is_refused(make):
    """At once."""
    with pytest.raises(InvalidConfig):
        make()


@pytest.mark.parametrize(
    "failure", [Network("reset"), RateLimitExceeded("slow down"), TimeoutError(), ConnectionError()]
)
def test_what_may_pass_is_tried_again(failure):
    """Until it succeeds."""
    operation, calls = _failing(failure, failure)
    assert on_loop(with_retry(NOW, operation)) == "done"
    assert len(calls) == 3


@pytest.mark.parametrize("failure", [NotFound("b", "k"), AccessDenied("no"), ValueError("a mistake")])
def test_what_will_not_pass_is_not(failure):
    """One call, and its error."""
    operation, calls = _failing(failure)
    with pytest.raises(type(failure)):
        on_loop(with_retry(NOW, operation))
    assert len(calls) == 1


def test_tries_have_an_end():
    """The last one's error is raised."""
    operation, calls = _failing(*[Network(str(number)) for number in range(9)])
    with pytest.raises(Network, match="3"):
        on_loop(with_retry(NOW, operation))
    assert len(calls) == NOW.max_attempts


def test_a_policy_keeps_its_breaker_from_call_to_call():
    """So that one that is shared stops calling what does not work."""
    policy = RetryPolicy(
        max_attempts=2, initial_delay=0, use_circuit_breaker=True, circuit_breaker_threshold=3, jitter_factor=0
    )
    operation, calls = _failing(*[Network("reset")] * 9)
    for _ in range(3):
        with pytest.raises(Network):
            on_loop(with_retry(policy, operation))
    assert len(calls) == 3
    assert policy.circuit_breaker.is_open()


def test_a_breaker_opens_probes_and_closes():
    """Closed, open after five failures, half-open after its time, closed after two successes."""
    clock = FakeClock()
    breaker = CircuitBreaker(clock=clock)
    fail, fails = _failing(*[Network("reset")] * 6)
    succeed, successes = _failing()

    async def main():
        for _ in range(5):
            assert breaker.state is CircuitState.CLOSED
            with pytest.raises(Network, match="reset"):
                await breaker.call(fail)
        assert breaker.is_open()
        with pytest.raises(CircuitOpen, match="reset"):
            await breaker.call(fail)
        assert len(fails) == 5
        clock.advance(60)
        assert (breaker.state, breaker.is_open()) == (CircuitState.HALF_OPEN, False)
        with pytest.raises(Network, match="reset"):
            await breaker.call(fail)
        assert breaker.is_open()
        clock.advance(60)
        assert await breaker.call(succeed) == "done"
        assert breaker.state is CircuitState.HALF_OPEN
        assert await breaker.call(succeed) == "done"
        assert breaker.state is CircuitState.CLOSED
        assert len(successes) == 2

    on_loop(main())
    assert repr(breaker) == "<CircuitBreaker closed, 0 failures in a row>"


def test_an_answer_is_no_failure():
    """A service that says no is alive; what is not orbit's counts, a cancelled call does not."""
    breaker = CircuitBreaker(CircuitBreakerConfig(failure_threshold=2))

    async def main():
        for failure in (NotFound("b", "k"), AccessDenied("no"), Network("reset")):
            with pytest.raises(type(failure)):
                await breaker.call(_failing(failure)[0])
        task = asyncio.ensure_future(breaker.call(asyncio.Event().wait))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not breaker.is_open()
        with pytest.raises(ValueError, match="mistake"):
            await breaker.call(_failing(ValueError("mistake"))[0])
        assert breaker.is_open()

    on_loop(main())


def test_a_probe_that_is_cancelled_makes_room_for_another():
    """Otherwise nobody would find out that all is well again."""
    clock = FakeClock()
    breaker = CircuitBreaker(CircuitBreakerConfig(failure_threshold=1, success_threshold=1), clock=clock)

    async def main():
        with pytest.raises(Network):
            await breaker.call(_failing(Network("reset"))[0])
        clock.advance(60)
        task = asyncio.ensure_future(breaker.call(asyncio.Event().wait))
        await asyncio.sleep(0)
        with pytest.raises(CircuitOpen):
            await breaker.call(_failing()[0])
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await breaker.call(_failing()[0]) == "done"

    on_loop(main())


def test_an_endpoint_has_one_breaker_for_all_clients(server):
    """That of requests, which opens for all of them; and one for whoever asks, by its configuration."""

    async def main():
        async with opened(server) as one, opened(server, max_retries=0) as other:
            assert await one.circuit_breaker() is await other.circuit_breaker()
            assert (
                await one.circuit_breaker(CircuitBreakerConfig(failure_threshold=1))
                is not await other.circuit_breaker()
            )
            await one.list_objects()
            shared = breaker_of(("http", "127.0.0.1", server.port))
            assert shared.has_answered
            shared.gate = Gate.OPEN
            shared._opens_at_s = float("inf")
            for client in (one, other):
                client._session._client.limits = type(client._session._client.limits)(attempts=1)
                with pytest.raises(Network):
                    await client.exists("k")
            shared.record_answer()
            assert not await one.exists("k")

    on_loop(main())
