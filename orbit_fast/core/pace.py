"""How fast bytes have moved lately."""

from __future__ import annotations

from collections import deque

SPAN_S = 5.0
"""Seconds that a rate looks back: long enough not to jump, short enough to be about now."""


class Pace:
    """A moving average of a counter that only grows."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, int]] = deque()

    def rate(self, now_s: float, moved: int) -> float:
        """Bytes per second over the last seconds, when `moved` bytes have been moved in all at `now_s`."""
        self._points.append((now_s, moved))
        while len(self._points) > 2 and now_s - self._points[0][0] > SPAN_S:
            self._points.popleft()
        first_s, first = self._points[0]
        return (moved - first) / (now_s - first_s) if now_s > first_s else 0.0
