"""Retry policies and circuit breakers for one's own code; the client's own requests have both already.

Every request of a client is tried again by itself (`S3Config.max_retries`), and each endpoint has one breaker for the
whole process, which all requests use. What is here goes around whole operations, of several requests or of none.
"""

from __future__ import annotations

import asyncio
import enum
import random
from collections.abc import Awaitable
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from datetime import timedelta
from typing import ClassVar
from typing import Final
from typing import TypeVar

from orbit_fast.core import breaker
from orbit_fast.core.breaker import BreakerLimits
from orbit_fast.core.breaker import Gate
from orbit_fast.core.errors import CircuitOpen
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import Network
from orbit_fast.core.errors import S3Error
from orbit_fast.io.clock import Clock

T = TypeVar("T")


class CircuitState(enum.Enum):
    """What a breaker does with calls."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitBreakerConfig:
    """When a breaker opens and closes.

    Attributes:
        failure_threshold: failures in a row that open it.
        timeout: how long it is open before a call may try.
        success_threshold: calls in a row that must succeed before it is closed again.
    """

    failure_threshold: int = 5
    timeout: timedelta | float = timedelta(seconds=60)
    success_threshold: int = 2

    def __post_init__(self) -> None:
        if self.failure_threshold < 1 or self.success_threshold < 1:
            raise InvalidConfig(
                f"a breaker's thresholds are at least 1, not {self.failure_threshold} and {self.success_threshold}"
            )
        if seconds(self.timeout) < 0:
            raise InvalidConfig(f"timeout: {self.timeout!r} is negative")


class CircuitBreaker:
    """Stops calling what does not work: closed → open → half-open → closed.

    It counts failures in a row: errors that are worth another try, and every exception that is not orbit's. An answer
    such as `NotFound` or `AccessDenied` is none: the service works. For one loop or several threads of calls alike; the
    state is shared by whoever shares the breaker.
    """

    def __init__(self, config: CircuitBreakerConfig | None = None, *, clock: Clock | None = None) -> None:
        """A closed breaker; `clock` is the system's."""
        self.config = config or CircuitBreakerConfig()
        self._clock = clock or Clock()
        open_s = seconds(self.config.timeout)
        self._breaker = breaker.CircuitBreaker(
            BreakerLimits(
                failures_to_open=self.config.failure_threshold,
                first_open_s=open_s,
                longest_open_s=open_s,
                successes_to_close=self.config.success_threshold,
            )
        )

    def __repr__(self) -> str:
        return f"<CircuitBreaker {self.state.value}, {self._breaker.failures} failures in a row>"

    @property
    def state(self) -> CircuitState:
        """What it does with a call now."""
        gate = self._breaker.gate
        if gate is Gate.OPEN and self._breaker.wait_s(self._clock.monotonic_s()) <= 0:
            return CircuitState.HALF_OPEN
        return CircuitState(gate.value)

    def is_open(self) -> bool:
        """Whether a call would be refused now."""
        return self.state is CircuitState.OPEN

    async def call(self, operation: Callable[[], Awaitable[T]]) -> T:
        """Call and await `operation`, unless the breaker is open.

        Raises:
            CircuitOpen: it is; the operation was not called.
            BaseException: what the operation raises.
        """
        if not self._breaker.permits(self._clock.monotonic_s()):
            raise CircuitOpen(f"the circuit breaker is open: {self._breaker.refusal().message}")
        try:
            result = await operation()
        except S3Error as error:
            self._count(error)
            raise
        except Exception as error:
            self._count(Network(f"{type(error).__name__}: {error}"))
            raise
        except BaseException:
            self._breaker.release()
            raise
        self._breaker.record_answer()
        return result

    def _count(self, error: S3Error) -> None:
        if error.is_retryable():
            self._breaker.record_failure(error, self._clock.monotonic_s())
        else:
            self._breaker.record_answer()


_Shared = dict[tuple[tuple[str, str, int], CircuitBreakerConfig], CircuitBreaker]
_SHARED: Final[_Shared] = {}
"""The breakers of this process that belong to an endpoint, by its origin: shared by whoever asks for the same."""


def shared_breaker(origin: tuple[str, str, int], config: CircuitBreakerConfig) -> CircuitBreaker:
    """The one breaker of this process for the endpoint with this origin (scheme, host, port)."""
    return _SHARED.setdefault((origin, config), CircuitBreaker(config))


class Backoff(enum.Enum):
    """How waits grow from one try to the next."""

    FIXED = "fixed"
    LINEAR = "linear"
    EXPONENTIAL = "exponential"


@dataclass(frozen=True, slots=True)
class BackoffStrategy:
    """How waits grow: `BackoffStrategy.FIXED`, `BackoffStrategy.LINEAR`, or `BackoffStrategy.exponential`.

    Attributes:
        kind: which.
        multiplier: of an exponential one.
    """

    kind: Backoff
    multiplier: float = 2.0

    FIXED: ClassVar[BackoffStrategy]
    """Always the same."""
    LINEAR: ClassVar[BackoffStrategy]
    """Once, twice, three times the first."""
    EXPONENTIAL: ClassVar[BackoffStrategy]
    """Twice as long each time."""

    def __post_init__(self) -> None:
        if self.multiplier < 1:
            raise InvalidConfig(f"multiplier: {self.multiplier!r} makes waits shorter")

    @classmethod
    def exponential(cls, multiplier: float = 2.0) -> BackoffStrategy:
        """`multiplier` times as long each time."""
        return cls(Backoff.EXPONENTIAL, multiplier)

    def delay_s(self, first_s: float, attempt: int, longest_s: float) -> float:
        """The wait after try number `attempt` (from 1), in seconds."""
        if self.kind is Backoff.FIXED:
            return min(first_s, longest_s)
        if self.kind is Backoff.LINEAR:
            return min(first_s * attempt, longest_s)
        wait_s = first_s
        for _ in range(attempt - 1):
            wait_s *= self.multiplier
            if wait_s >= longest_s:
                break
        return min(wait_s, longest_s)


BackoffStrategy.FIXED = BackoffStrategy(Backoff.FIXED)
BackoffStrategy.LINEAR = BackoffStrategy(Backoff.LINEAR)
BackoffStrategy.EXPONENTIAL = BackoffStrategy(Backoff.EXPONENTIAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and when `with_retry` tries again. Times are `timedelta` or seconds.

    Attributes:
        max_attempts: tries in all, the first included.
        initial_delay: the first wait.
        max_delay: the longest.
        backoff: how waits grow.
        jitter_factor: each wait is made longer by a random part of it, up to this one (0.1: up to a tenth).
        use_circuit_breaker: calls go through a breaker of this policy object: keep the object, and share it. (One for
            an endpoint, whatever the policy, is `S3Client.circuit_breaker`.)
        circuit_breaker_threshold: failures in a row that open it.
        circuit_breaker_timeout: how long it is open.
    """

    max_attempts: int = 3
    initial_delay: timedelta | float = timedelta(milliseconds=200)
    max_delay: timedelta | float = timedelta(seconds=60)
    backoff: BackoffStrategy = BackoffStrategy(Backoff.EXPONENTIAL)
    jitter_factor: float = 0.1
    use_circuit_breaker: bool = False
    circuit_breaker_threshold: int = 5
    circuit_breaker_timeout: timedelta | float = timedelta(seconds=60)
    circuit_breaker: CircuitBreaker = field(init=False, repr=False, compare=False)
    """The breaker itself."""

    def __post_init__(self) -> None:
        if self.max_attempts < 1:
            raise InvalidConfig(f"max_attempts: {self.max_attempts!r} is less than 1")
        if seconds(self.initial_delay) < 0 or seconds(self.max_delay) < 0 or self.jitter_factor < 0:
            raise InvalidConfig("initial_delay, max_delay and jitter_factor are not negative")
        config = CircuitBreakerConfig(
            failure_threshold=self.circuit_breaker_threshold, timeout=self.circuit_breaker_timeout
        )
        object.__setattr__(self, "circuit_breaker", CircuitBreaker(config))

    @classmethod
    def fast(cls) -> RetryPolicy:
        """For operations that take milliseconds: 3 tries, waits from 50 ms to 1 s."""
        return cls(max_attempts=3, initial_delay=timedelta(milliseconds=50), max_delay=timedelta(seconds=1))

    @classmethod
    def slow(cls) -> RetryPolicy:
        """For operations that take long: 5 tries, waits from 200 ms to 10 s."""
        return cls(max_attempts=5, initial_delay=timedelta(milliseconds=200), max_delay=timedelta(seconds=10))

    @classmethod
    def network(cls) -> RetryPolicy:
        """For networks that come and go: 5 tries, waits from 100 ms to 5 s, with a breaker."""
        return cls(
            max_attempts=5,
            initial_delay=timedelta(milliseconds=100),
            max_delay=timedelta(seconds=5),
            use_circuit_breaker=True,
        )

    def calculate_delay(self, attempt: int, *, random01: float = 0.0) -> timedelta:
        """The wait after try number `attempt` (from 1); `random01` chooses the jitter.

        Returns:
            At most `max_delay`, and the jitter.
        """
        wait_s = self.backoff.delay_s(seconds(self.initial_delay), attempt, seconds(self.max_delay))
        return timedelta(seconds=wait_s * (1 + self.jitter_factor * random01))


async def with_retry(
    policy: RetryPolicy, operation: Callable[[], Awaitable[T]], *, circuit_breaker: CircuitBreaker | None = None
) -> T:
    """Call and await `operation` until it succeeds, fails for good, or `policy` allows no more tries.

    Tried again is what `S3Error.is_retryable` says, and a `TimeoutError` or `ConnectionError`.

    Args:
        policy: how often and when.
        operation: called anew for every try.
        circuit_breaker: instead of the policy's own.

    Raises:
        CircuitOpen: the breaker is open.
        BaseException: what the last try raised.
    """
    used = circuit_breaker or (policy.circuit_breaker if policy.use_circuit_breaker else None)
    attempt = 0
    while True:
        attempt += 1
        try:
            return await (operation() if used is None else used.call(operation))
        except (S3Error, TimeoutError, ConnectionError) as error:
            is_final = isinstance(error, S3Error) and (isinstance(error, CircuitOpen) or not error.is_retryable())
            if is_final or attempt >= policy.max_attempts:
                raise
            asked_s = error.retry_after_s if isinstance(error, S3Error) else None
        wait = policy.calculate_delay(attempt, random01=random.random())  # noqa: S311 - spreads retries, guards nothing
        await asyncio.sleep(max(wait.total_seconds(), min(asked_s or 0.0, seconds(policy.max_delay))))


def seconds(time: timedelta | float) -> float:
    """A time in seconds."""
    return time.total_seconds() if isinstance(time, timedelta) else float(time)
