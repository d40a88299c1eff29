"""How much the whole job may have in flight, when the service says "slow down".

Additive increase, multiplicative decrease, over all workers together: hundreds of requests that back off one by one
still arrive together, a lower limit does not.

What counts is the share of requests that are refused, not that one was. A busy service refuses one in a hundred of
anybody's requests and means nothing by it: whoever halved for each of those would crawl in the end, and each of them
is sent again after a wait of its own as it is. One that is asked for more than it wants to give refuses many. What was
counted is forgotten as time goes by, by half in a few seconds, and is used once: a burst of refusals is one signal, so
the limit is halved at most once a second, and by the second time by what came since. It grows back by a sixty-fourth
of its ceiling each second in which the service refuses few.
"""

from __future__ import annotations

FLOOR = 4
"""A job keeps so many requests in flight, whatever the service says: it must be able to notice that it may go on."""

HALVE_EVERY_S = 1.0
GROW_EVERY_S = 1.0

SHARE = 0.03
"""Of the requests: if more are refused, the service is asked for too much."""

FEW = 4
"""So many refusals come by chance, whatever their share: below, nothing is concluded from them."""

_HALF_LIFE_S = 4.0


class Throttle:
    """The limit, moved by what was counted since the last look.

    Attributes:
        ceiling: the limit that the user set.
        limit: what may be in flight now.
    """

    def __init__(self, ceiling: int) -> None:
        self.ceiling = ceiling
        self.limit = ceiling
        self._seen = (0, 0)
        self._looked_s = 0.0
        self._moved_s = 0.0
        # Since the limit was lowered, fading.
        self._requests = 0.0
        self._refusals = 0.0

    @property
    def is_low(self) -> bool:
        """The service is being spared."""
        return self.limit < self.ceiling

    def look(self, requests: int, refusals: int, in_flight: int, now_s: float) -> int:
        """The limit at `now_s`, when so many requests and refusals were counted in all and so much is in flight."""
        is_refused = refusals > self._seen[1]
        self._count(requests, refusals, now_s)
        is_too_much = self._refusals >= FEW + SHARE * self._requests
        since_s = now_s - self._moved_s
        if is_refused and is_too_much and (not self.is_low or since_s >= HALVE_EVERY_S):
            # What is in flight is what the service refused: a limit far above it would be halved for nothing.
            self.limit = max(min(FLOOR, self.ceiling), min(self.limit, max(in_flight, FLOOR)) // 2)
            self._moved_s = now_s
            self._requests = self._refusals = 0.0
        elif self.is_low and not is_too_much and since_s >= GROW_EVERY_S:
            self.limit = min(self.ceiling, self.limit + max(1, self.ceiling // 64))
            self._moved_s = now_s
        return self.limit

    def _count(self, requests: int, refusals: int, now_s: float) -> None:
        kept = 0.5 ** (max(0.0, now_s - self._looked_s) / _HALF_LIFE_S)
        self._requests = self._requests * kept + requests - self._seen[0]
        self._refusals = self._refusals * kept + refusals - self._seen[1]
        self._seen, self._looked_s = (requests, refusals), now_s


def shares(limit: int, workers: int) -> list[int]:
    """The limit, dealt out to `workers` workers as evenly as whole numbers allow, at least one each."""
    each, more = divmod(limit, workers)
    return [max(1, each + (number < more)) for number in range(workers)]
