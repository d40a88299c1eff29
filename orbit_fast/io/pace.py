"""Time limits without timers: once a second, is this exchange still getting anywhere?

A timer for each request would cost more than the request. Instead each connection counts the bytes it moves, and once a
second the pool shows that count to the connection's `Pace`, which remembers when it last changed. So limits are kept to
within a second, and the hot path reads no clock.

The limits, for one exchange:

* a request that is being sent, or a reply that is being received, may not stand still for `idle_s`;
* bulk data (a streamed body, a sink) must move at least 1 KiB/s over 30 s;
* the first byte of the answer must come within the call's own `first_byte_s` after the request was sent: that is said
  for the default ``--timeout`` and grows and shrinks with it, but for commits, which take what they take;
* a collected reply must end within `first_byte_s` plus one second for each KiB of it, so that a service which keeps a
  connection warm with spaces may do so for that long and no longer.
"""

from __future__ import annotations

import enum

from orbit_fast.core.errors import Timeout

MIN_BYTES_A_SECOND = 1024
WINDOW_S = 30.0
DEFAULT_IDLE_S = 30.0
COMMITS_ABOVE_S = 60.0


class Stage(enum.Enum):
    """Where an exchange is."""

    SENDING = "sending"
    WAITING = "waiting"
    RECEIVING = "receiving"


class Pace:
    """The progress of one connection's exchanges, looked at once a second. Times are seconds of the pool's clock."""

    __slots__ = ("_bytes", "_exchange", "_idle_s", "_moved_s", "_stage", "_stage_bytes", "_stage_s", "_window")

    def __init__(self, idle_s: float) -> None:
        self._idle_s = idle_s
        self._exchange = -1
        self._stage = Stage.SENDING
        self._stage_s = 0.0
        self._stage_bytes = 0
        self._bytes = 0
        self._moved_s = 0.0
        self._window = (0.0, 0)

    def look(self, exchange: int, stage: Stage, moved: int, now_s: float) -> None:
        """Note that exchange number `exchange` is at `stage`, and that `moved` bytes have gone either way in all."""
        if exchange != self._exchange or stage is not self._stage:
            self._exchange = exchange
            self._stage = stage
            self._stage_s = self._moved_s = now_s
            self._stage_bytes = self._bytes = moved
            self._window = (now_s, moved)
        elif moved != self._bytes:
            self._bytes = moved
            self._moved_s = now_s

    def waited_s(self, now_s: float) -> float:
        """How long the exchange that was looked at last has waited for the first byte of its answer."""
        return now_s - self._stage_s if self._stage is Stage.WAITING else 0.0

    def has_seen(self, exchange: int) -> bool:
        """Whether it is this exchange that was looked at last."""
        return exchange == self._exchange

    def forget(self) -> None:
        """What was looked at last does not count: it was held up on this side."""
        self._exchange = -1

    def verdict(self, now_s: float, *, first_byte_s: float, is_bulk: bool) -> Timeout | None:
        """Why to give up the exchange that was looked at last, or None."""
        spent_s = now_s - self._stage_s
        if first_byte_s <= COMMITS_ABOVE_S:
            first_byte_s *= self._idle_s / DEFAULT_IDLE_S
        if self._stage is Stage.WAITING:
            return Timeout(f"no answer within {first_byte_s:g} s") if spent_s > first_byte_s else None
        if is_bulk:
            slow = self._is_slow(now_s)
            if slow:
                return Timeout(f"less than 1 KiB/s for {WINDOW_S:g} s while {self._stage.value}", code="E_STALLED")
        elif self._stage is Stage.RECEIVING:
            allowed_s = first_byte_s + (self._bytes - self._stage_bytes) / MIN_BYTES_A_SECOND
            if spent_s > allowed_s:
                return Timeout(f"the answer had not ended after {spent_s:.0f} s", code="E_STALLED")
        if now_s - self._moved_s > self._idle_s:
            return Timeout(f"no byte moved for {self._idle_s:g} s while {self._stage.value}")
        return None

    def _is_slow(self, now_s: float) -> bool:
        since_s, before = self._window
        if now_s - since_s < WINDOW_S:
            return False
        self._window = (now_s, self._bytes)
        return self._bytes - before < MIN_BYTES_A_SECOND * (now_s - since_s)
