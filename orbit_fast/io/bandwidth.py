"""Connections that keep a limit on bytes per second; where none is set, nothing here is loaded.

How much this process may have moved in all stands in a cell that the supervisor writes (`core.bandwidth`); what it has
moved, its counters say. Whoever would move more waits: a connection stops to send, or to read (then the service's own
window closes), a request that has not been sent stays with its pool. They go on in turn, a little at a time, so that
hundreds of connections all live on a small limit. Everything that passes is counted: heads, small objects, listings.

Whoever waits here is not stalled: such a second does not count for the time limits of `pace`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from typing import cast

from orbit_fast.core.errors import Internal
from orbit_fast.io.clock import Clock
from orbit_fast.io.connection import Connection
from orbit_fast.io.connection import Owner
from orbit_fast.io.connection import State
from orbit_fast.io.exchange import Counters
from orbit_fast.io.exchange import Exchange
from orbit_fast.io.express import ExpressConnection
from orbit_fast.io.flow import Body
from orbit_fast.io.pace import Pace
from orbit_fast.io.pool import Opener
from orbit_fast.io.pool import Pool

LOOK_EVERY_S = 0.005

_BUSY = State.BUSY


@dataclass(slots=True, kw_only=True)
class Share:
    """This process's share of the limit.

    Attributes:
        granted: bytes that may have been moved in all, by `counters`.
        tell: takes the number of those who wait, whenever there is something new to say about them.
        step: bytes that one connection moves at once.
    """

    granted: Callable[[], int]
    tell: Callable[[int], None]
    step: int


class Bandwidth:
    """Who waits, and until when. One for all connections of a process; everything runs on the loop's thread.

    Attributes:
        step: bytes that one connection moves at once.
    """

    __slots__ = ("_counters", "_granted", "_loop", "_share", "_timer", "_waiting", "step")

    def __init__(self, loop: asyncio.AbstractEventLoop, counters: Counters, share: Share) -> None:
        self.step = share.step
        self._loop = loop
        self._counters = counters
        self._share = share
        self._granted = 0
        self._waiting: deque[Callable[[], None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_spent(self) -> bool:
        """Whether nothing more may be moved now."""
        return self._left() <= 0

    def wait(self, wake: Callable[[], None]) -> None:
        """Call `wake` when it is somebody's turn again who has to wait now."""
        self._waiting.append(wake)
        if self._timer is None:
            self._share.tell(len(self._waiting))
            self._timer = self._loop.call_later(LOOK_EVERY_S, self._look)

    def new_pool(self, loop: asyncio.AbstractEventLoop, clock: Clock, opener: Opener, **limits: Any) -> LimitedPool:
        """A pool that keeps to it; arguments as of `Pool`."""
        pool = LimitedPool(loop, clock, opener, **limits)
        pool.bandwidth = self
        return pool

    def _left(self) -> int:
        moved = self._counters.bytes_sent + self._counters.bytes_received
        if moved >= self._granted:
            self._granted = self._share.granted()
        return self._granted - moved

    def _look(self) -> None:
        self._timer = None
        left = self._left()
        for _ in range(len(self._waiting)):
            if left <= 0:
                break
            self._waiting.popleft()()
            left = min(left - self.step, self._left())  # who reads has nothing moved yet
        self._share.tell(len(self._waiting))
        if self._waiting and self._timer is None:
            self._timer = self._loop.call_later(LOOK_EVERY_S, self._look)


class LimitedConnection(ExpressConnection):
    """A connection that moves a step at a time, when it may."""

    def __init__(self, owner: Owner, loop: asyncio.AbstractEventLoop, idle_s: float, bandwidth: Bandwidth) -> None:
        super().__init__(owner, loop, idle_s)
        self._idle_s = idle_s
        self._bandwidth = bandwidth
        self._is_wide = True  # a window that is filled at once is as much beyond the limit
        self._rest: memoryview | None = None  # of a chunk, or of a request with a small body
        self._awaits_sending = False
        self._awaits_reading = False
        self._has_waited = False

    def start(self, exchange: Exchange) -> None:
        """Send `exchange`. Only when idle."""
        payload = exchange.payload
        step = self._bandwidth.step
        if len(payload) <= step or exchange.call.body is not None:
            super().start(exchange)
            return
        exchange.payload = payload[:step]
        super().start(exchange)
        exchange.payload = payload
        self._rest = memoryview(payload)[step:]
        self._unsent = len(self._rest)
        self._send_more()

    def tick(self, now_s: float) -> None:
        """Give up an exchange that gets nowhere, unless it is we who hold it."""
        if self._has_waited or self._awaits_sending or self._awaits_reading:
            self._has_waited = False
            self._pace = Pace(self._idle_s)
        super().tick(now_s)

    # --- sending -----------------------------------------------------------------------------------------------------

    def _send_more(self) -> None:
        if self._unsent and self._bandwidth.is_spent:
            if not self._awaits_sending:
                self._awaits_sending = self._has_waited = True
                self._bandwidth.wait(self._go_on_sending)
        else:
            super()._send_more()

    def _go_on_sending(self) -> None:
        self._awaits_sending = False
        self.resume_writing()

    def _send_chunk(self) -> None:
        """As the parent's, but a step of a chunk, or of a request with a small body, at a time."""
        transport = self._transport
        assert transport is not None
        step, chunk = self._bandwidth.step, self._rest
        if chunk is None:
            chunk = memoryview(cast("Body", self._body).next_chunk())
            if not 0 < len(chunk) <= self._unsent:
                raise Internal(f"a request body gave {len(chunk)} bytes where {self._unsent} were left")
        self._rest = chunk[step:] if len(chunk) > step else None
        piece = chunk[:step]
        self._unsent -= len(piece)
        self._sent_bytes += len(piece)
        self._counters.bytes_sent += len(piece)
        transport.write(piece)

    def _forget(self) -> None:
        self._rest = None
        super()._forget()

    # --- receiving ---------------------------------------------------------------------------------------------------

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go. Never empty."""
        view = super().get_buffer(sizehint)
        # A TLS transport drops what it could not hand over before the service closed: see `reader.Scratch`.
        return view if self._is_tls else view[: self._bandwidth.step]

    def buffer_updated(self, nbytes: int) -> None:
        """`nbytes` have been put where `get_buffer` said."""
        super().buffer_updated(nbytes)
        transport = self._transport
        if self._awaits_reading or self.state is not _BUSY or transport is None or transport.is_closing():
            return
        if self._bandwidth.is_spent:
            transport.pause_reading()
            self._awaits_reading = self._has_waited = True
            self._bandwidth.wait(self._go_on_reading)

    def _go_on_reading(self) -> None:
        self._awaits_reading = False
        self._read_on()

    @property
    def _may_read(self) -> bool:
        """Nothing speaks against reading."""
        return not self._awaits_reading and super()._may_read


class LimitedPool(Pool):
    """A pool whose requests wait until they may be sent.

    Attributes:
        bandwidth: what there is; to be set before the first request.
    """

    bandwidth: Bandwidth
    _is_held = False

    @property
    def is_spent(self) -> bool:
        """Whether nothing may be sent now."""
        return self.bandwidth.is_spent

    def submit(self, exchange: Exchange) -> None:
        """Send `exchange` as soon as a connection is free and it may be sent. It always ends."""
        if self._closed is not None or (not self._is_held and not self.is_spent):
            super().submit(exchange)
            return
        exchange.holder = self
        self._waiting.append(exchange)
        self._hold()

    def release(self, connection: Connection) -> None:
        """A connection is free."""
        is_kept = self._closed is None and len(self._open) <= self.limit
        if is_kept and self._waiting and (self._is_held or self.is_spent):
            connection.idle_since = self._ticks
            self.idle.append(connection)
            self._hold()
        else:
            super().release(connection)

    def _new_connection(self) -> LimitedConnection:
        return LimitedConnection(self, self._loop, self._idle_s, self.bandwidth)

    def _grow(self) -> None:
        if not self._is_held:
            super()._grow()

    def _hold(self) -> None:
        if not self._is_held:
            self._is_held = True
            self.bandwidth.wait(self._go_on)

    def _go_on(self) -> None:
        self._is_held = False
        while self._waiting and self.idle and not self.is_spent:
            self.idle.pop().start(self._waiting.popleft())
        if self._waiting and self.idle:
            self._hold()
        elif self._waiting and self._closed is None:
            self._grow()
