"""How much the whole job may have in flight, when the service says "slow down".

Additive increase, multiplicative decrease, over all workers together: hundreds of requests that back off one by one
still arrive together, a lower limit does not. A burst of refusals is one signal, so the limit is halved at most once a
second; it grows back by a sixty-fourth of its ceiling each second without a refusal.
"""

from __future__ import annotations

FLOOR = 4
"""A job keeps so many requests in flight, whatever the service says: it must be able to notice that it may go on."""

HALVE_EVERY_S = 1.0
GROW_EVERY_S = 1.0


class Throttle:
    """The limit, moved by what was counted since the last look.

    Attributes:
        ceiling: the limit that the user set.
        limit: what may be in flight now.
    """

    def __init__(self, ceiling: int) -> None:
        self.ceiling = ceiling
        self.limit = ceiling
        self._seen = 0
        self._moved_s = 0.0

    @property
    def is_low(self) -> bool:
        """The service is being spared."""
        return self.limit < self.ceiling

    def look(self, refusals: int, in_flight: int, now_s: float) -> int:
        """The limit at `now_s`, when `refusals` were counted in all and so much is in flight."""
        is_refused, self._seen = refusals > self._seen, refusals
        if is_refused and (not self.is_low or now_s - self._moved_s >= HALVE_EVERY_S):
            # What is in flight is what the service refused: a limit far above it would be halved for nothing.
            self.limit = max(min(FLOOR, self.ceiling), min(self.limit, max(in_flight, FLOOR)) // 2)
            self._moved_s = now_s
        elif not is_refused and self.is_low and now_s - self._moved_s >= GROW_EVERY_S:
            self.limit = min(self.ceiling, self.limit + max(1, self.ceiling // 64))
            self._moved_s = now_s
        return self.limit


def shares(limit: int, workers: int) -> list[int]:
    """The limit, dealt out to `workers` workers as evenly as whole numbers allow, at least one each."""
    each, more = divmod(limit, workers)
    return [max(1, each + (number < more)) for number in range(workers)]
