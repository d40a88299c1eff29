"""A circuit breaker for one endpoint: when nobody answers, one request asks at a time and the others do not.

CLOSED lets everything through and counts failures in a row. Too many open it. OPEN refuses for a while, longer each
time. Then it is HALF_OPEN: one request may try; its success closes the breaker, its failure opens it again.

Only the network's failures count. An endpoint that answers 503 is alive, and throttling is not the breaker's business.
"""

from __future__ import annotations

import enum

from orbit_fast.core.errors import ConnectFailed
from orbit_fast.core.errors import S3Error

FAILURES_TO_OPEN = 10
FIRST_OPEN_S = 1.0
LONGEST_OPEN_S = 15.0


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

    __slots__ = ("_last", "_open_s", "_opens_at_s", "failures", "gate", "has_answered")

    def __init__(self) -> None:
        self.gate = Gate.CLOSED
        self.failures = 0
        self.has_answered = False
        self._open_s = FIRST_OPEN_S
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
        self._opens_at_s = now_s + LONGEST_OPEN_S
        return True

    def wait_s(self, now_s: float) -> float:
        """Seconds until a request may go out, as far as is known now."""
        return 0.0 if self.gate is Gate.CLOSED else max(0.0, self._opens_at_s - now_s)

    def record_answer(self) -> None:
        """The endpoint answered something."""
        self.has_answered = True
        self.failures = 0
        if self.gate is not Gate.CLOSED:
            self.gate = Gate.CLOSED
            self._open_s = FIRST_OPEN_S
            self._last = None

    def record_failure(self, failure: S3Error, now_s: float) -> None:
        """Nobody answered a request that had been let through."""
        self.failures += 1
        self._last = failure
        if self.gate is Gate.HALF_OPEN:
            self._open_s = min(LONGEST_OPEN_S, self._open_s * 2)
        elif self.gate is Gate.OPEN or self.failures < FAILURES_TO_OPEN:
            return
        self.gate = Gate.OPEN
        self._opens_at_s = now_s + self._open_s

    def refusal(self) -> S3Error:
        """The failure of a request that was not let through: the last one's, as a fresh error."""
        last = self._last
        if last is None:
            return ConnectFailed("the endpoint does not answer")
        return ConnectFailed(last.message, code=last.code)

    def __repr__(self) -> str:
        return f"<CircuitBreaker {self.gate.value}, {self.failures} failures in a row>"
