"""A clock that stands still until a test moves it."""

from __future__ import annotations

from orbit_fast.io.clock import Clock


class FakeClock(Clock):
    """Unix time and monotonic time under the test's control.

    Attributes:
        unix_s: what `now_s` starts from.
        mono_s: what `monotonic_s` gives.
    """

    __slots__ = ("mono_s", "unix_s")

    def __init__(self, unix_s: float = 1_767_323_045.0, mono_s: float = 1000.0) -> None:
        super().__init__()
        self.unix_s = unix_s
        self.mono_s = mono_s

    def now_s(self) -> float:
        """The time the test has set, plus the offset."""
        return self.unix_s + self.offset_s

    def monotonic_s(self) -> float:
        """The time the test has set."""
        return self.mono_s

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.unix_s += seconds
        self.mono_s += seconds
