"""The tail of a service's answers: which requests wait so much longer than others that they are made once more.

One answer in a thousand may come after seconds where all others take milliseconds, and a job of many objects ends with
its slowest one. Nobody measures each answer for that: once a second the pool says how many have come in all, and how
many exchanges are under way. What is under way, divided by what comes in a second, is how long one takes (Little's
law). Where few have come, it is the late ones themselves that are under way, and nothing is concluded from them: a
stretch lasts until enough have come.

A request that is made a second time costs the service twice. So that happens to one in a hundred at most, to few in
the same second (of all that were under way of late: where more wait, it is the service that has stopped, not an answer
that is late), and to none that a service as slow as this one might answer yet.
"""

from __future__ import annotations

LEAST_S = 0.95
"""Nothing that has waited less is late: two looks a second apart, by a timer that may be early."""

TIMES = 10
"""Nothing is late that has not waited so many times as long as others take."""

SHARE = 100
"""One in so many may be made again."""

ENOUGH = 32
"""So many answers say how long one takes."""

_AT_ONCE = 16
"""One in so many that are under way may be made again in the same second, and one in any case."""

_KEPT = 0.9
"""Of what was found a second ago: a service that has become faster is believed slowly, one that has become slower at
once."""


class Tail:
    """See the module's text. Seconds are those of the pool's clock.

    Attributes:
        usual_s: how long an exchange takes, about; 0 as long as nothing is known.
        moved: requests that were found late.
    """

    __slots__ = ("_answered", "_crowd", "_left", "_seen_s", "_under_way", "moved", "usual_s")

    def __init__(self) -> None:
        self.usual_s = 0.0
        self.moved = 0
        self._left = 0  # may be made again until the next look
        self._crowd = 0.0  # were under way of late
        # When the present stretch began.
        self._answered = 0
        self._under_way: int | None = None
        self._seen_s = 0.0

    def look(self, answered: int, under_way: int, now_s: float) -> None:
        """Note that `answered` exchanges have ended in all, and how many are under way."""
        came, passed_s = answered - self._answered, now_s - self._seen_s
        if came >= ENOUGH and passed_s > 0:
            # The fewer of both: a job begins and ends with many that come and few that are under way.
            before = under_way if self._under_way is None else self._under_way
            self.usual_s = max(min(under_way, before) * passed_s / came, self.usual_s * _KEPT)
            self._answered, self._under_way, self._seen_s = answered, under_way, now_s
        self._crowd = max(under_way, self._crowd * _KEPT)
        self._left = max(0, min(1 + int(self._crowd) // _AT_ONCE, answered // SHARE - self.moved))

    def is_late(self, waited_s: float) -> bool:
        """Whether an exchange that has waited so long is late, and may be made again; then it is counted as that."""
        if not self._left or waited_s < max(LEAST_S, TIMES * self.usual_s):
            return False
        self._left -= 1
        self.moved += 1
        return True
