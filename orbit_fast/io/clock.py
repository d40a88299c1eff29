"""The one home of the clock: Unix time for signatures (with the service's skew) and monotonic time for limits."""

from __future__ import annotations

import time


class Clock:
    """The process's clock. `offset_s` is what the service's clock is ahead of ours, in seconds."""

    __slots__ = ("offset_s",)

    def __init__(self) -> None:
        self.offset_s = 0.0

    def now_s(self) -> float:
        """Seconds since 1970 UTC as the service counts them."""
        return time.time() + self.offset_s

    def monotonic_s(self) -> float:
        """Seconds that never go back, from an unknown start."""
        return time.monotonic()
