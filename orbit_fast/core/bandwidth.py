"""A limit on bytes per second that many processes keep together: a token bucket, and how what is in it is dealt out.

Nobody shares the bucket: the supervisor has it. It sees what every worker has moved so far, and says, a few dozen times
a second, how much each may have moved in all. What was not used is not lost to the others, because nothing is ever
handed over: the next time everything that is in the bucket is dealt out anew. What a worker has moved beyond its share
(a chunk is sent whole or not at all) is missing in the bucket, so the sum is right whatever the workers do.
"""

from __future__ import annotations

from collections.abc import Sequence

BURST_S = 0.25
"""What the bucket holds at most: so much can be made good when the supervisor or a worker was busy for a moment."""

_STEPS_A_SECOND = 400
_LEAST_STEP = 1 << 10
_LARGEST_STEP = 256 << 10


def step_of(rate: int) -> int:
    """Bytes that one connection moves at once under a limit of `rate` bytes per second: few, so none waits long."""
    return max(_LEAST_STEP, min(_LARGEST_STEP, rate // _STEPS_A_SECOND))


class TokenBucket:
    """Fills at `rate` bytes per second, up to `BURST_S` seconds' worth; is empty at first."""

    __slots__ = ("_level", "_looked_s", "_moved", "rate")

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._level = 0.0
        self._looked_s: float | None = None
        self._moved = 0

    def look(self, now_s: float, moved: int) -> int:
        """Bytes that may be moved at `now_s`, when `moved` have been in all; 0 where more were than should have been.

        Args:
            now_s: seconds of a clock that never goes back.
            moved: bytes; never less than the last time.
        """
        if self._looked_s is None:
            self._looked_s, self._moved = now_s, moved
        level = self._level + self.rate * (now_s - self._looked_s) - (moved - self._moved)
        self._looked_s, self._moved = now_s, moved
        self._level = min(level, self.rate * BURST_S)
        return max(0, int(self._level))


def deal(level: int, wants: Sequence[int | None]) -> list[int]:
    """Divide what is in the bucket: everybody gets what they want, or as much as everybody else who wants more.

    Args:
        level: bytes.
        wants: of each, bytes; None for all they can get.
    """
    dealt = [0] * len(wants)
    left, waiting = level, len(wants)
    for want, number in sorted((want, number) for number, want in enumerate(wants) if want is not None):
        dealt[number] = min(want, left // waiting)
        left -= dealt[number]
        waiting -= 1
    for number in (number for number, want in enumerate(wants) if want is None):
        dealt[number] = left // waiting
        left -= dealt[number]
        waiting -= 1
    return dealt
