"""A circuit breaker for one endpoint: when nobody answers, one request asks at a time and the others do not.

CLOSED lets everything through and counts failures in a row. Too many open it. OPEN refuses for a while, longer each
time. Then it is HALF_OPEN: one request may try; its success closes the breaker (or, where more than one is asked for,
lets the next one try), its failure opens it again.

Of an endpoint only the network's failures count. One that answers 503 is alive, and throttling is not the breaker's
business.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from orbit_fast.core.errors import ConnectFailed
from orbit_fast.core.errors import S3Error

FAILURES_TO_OPEN = 10
FIRST_OPEN_S = 1.0
LONGEST_OPEN_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerLimits:
    """When a breaker opens and closes.

    Attributes:
        failures_to_open: failures in a row that open it.
        first_open_s: how long it is open the first time; twice as long each time after that.
        longest_open_s: and at most so long.
        successes_to_close: probes in a row that must succeed.
    """

    failures_to_open: int = FAILURES_TO_OPEN
    first_open_s: float = FIRST_OPEN_S
    longest_open_s: float = LONGEST_OPEN_S
    successes_to_close: int = 1


class Gate(enum.Enum):
    """What the breaker does with a request."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class CircuitBreaker:
    """The state of one endpoint. Time is passed in: monotonic seconds.

    Attributes:
        gate: what happens to requests now.
        failures: failures in a row.
        has_answered: the endpoint has answered at least once.
    """

    __slots__ = ("_last", "_limits", "_open_s", "_opens_at_s", "_successes", "failures", "gate", "has_answered")

    def __init__(self, limits: BreakerLimits = BreakerLimits()) -> None:
        self._limits = limits
        self._successes = 0
        self.gate = Gate.CLOSED
        self.failures = 0
        self.has_answered = False
        self._open_s = limits.first_open_s
        self._opens_at_s = 0.0
        self._last: S3Error | None = None

    def permits(self, now_s: float) -> bool:
        """Whether a request may go out now. Where the wait is over, the one that asks first becomes the probe."""
        if self.gate is Gate.CLOSED:
            return True
        if now_s < self._opens_at_s:
            return False
        # A probe that never reports must not close the road for ever: the next one may go after as long again.
        self.gate = Gate.HALF_OPEN
        self._opens_at_s = now_s + self._limits.longest_open_s
        return True

    def wait_s(self, now_s: float) -> float:
        """Seconds until a request may go out, as far as is known now."""
        return 0.0 if self.gate is Gate.CLOSED else max(0.0, self._opens_at_s - now_s)

    def record_answer(self) -> None:
        """The endpoint answered something."""
        self.has_answered = True
        self.failures = 0
        if self.gate is Gate.CLOSED:
            return
        self._successes += 1
        if self._successes < self._limits.successes_to_close and self.gate is Gate.HALF_OPEN:
            self._opens_at_s = 0.0  # the next one may try at once
            return
        self.gate = Gate.CLOSED
        self._open_s = self._limits.first_open_s
        self._last = None

    def record_failure(self, failure: S3Error, now_s: float) -> None:
        """Nobody answered a request that had been let through."""
        self.failures += 1
        self._last = failure
        if self.gate is Gate.HALF_OPEN:
            self._open_s = min(self._limits.longest_open_s, self._open_s * 2)
        elif self.gate is Gate.OPEN or self.failures < self._limits.failures_to_open:
            return
        self.gate = Gate.OPEN
        self._successes = 0
        self._opens_at_s = now_s + self._open_s

    def release(self) -> None:
        """A probe was given up before it came to anything: another one may try."""
        if self.gate is Gate.HALF_OPEN:
            self._opens_at_s = 0.0

    def refusal(self) -> S3Error:
        """The failure of a request that was not let through: the last one's, as a fresh error."""
        last = self._last
        if last is None:
            return ConnectFailed("the endpoint does not answer")
        return ConnectFailed(last.message, code=last.code)

    def __repr__(self) -> str:
        return f"<CircuitBreaker {self.gate.value}, {self.failures} failures in a row>"
