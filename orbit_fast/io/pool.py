"""The connections to one origin, and who gets one next.

An exchange takes the connection used last (LIFO: the others grow old and are retired before the service closes them,
at 5 s on S3). Where all are busy it waits its turn (FIFO), and new ones are opened up to the limit. A connection that
ends an exchange takes the next waiting one at once. No exchange ever waits without a connection busy, one being opened,
or one to be opened at the next tick; and each of those ends within its own time limit.

A connection that breaks before the first byte of an answer, having served before, was stale: the service closed it
while it was idle, which says nothing about the request. Such an exchange has one second chance, for free, over a new
connection. So has one that only reads and waits for its answer much longer than others do: see `tail`.

The pool's clock counts only the time that it saw pass: a process that was stopped, or a laptop that slept, does not
wake up to find all its requests timed out.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from orbit_fast.core.errors import Cancelled
from orbit_fast.core.errors import Internal
from orbit_fast.core.errors import S3Error
from orbit_fast.io.clock import Clock
from orbit_fast.io.connection import Connection
from orbit_fast.io.exchange import Counters
from orbit_fast.io.exchange import Exchange
from orbit_fast.io.express import ExpressConnection
from orbit_fast.io.reader import Scratch
from orbit_fast.io.tail import Tail

TICK_S = 1.0
IDLE_TICKS = 4
"""Idle connections are closed after so many ticks: S3 closes them at 5 s."""

_LONGEST_TICK_S = 2.0
_SCRATCH_BYTES = 64 * 1024
_TLS_SCRATCH_BYTES = 256 * 1024


_DIALS_AT_FIRST = 8
_DIALS_PER_OPEN = 2


class Opener(Protocol):
    """Opens connections to the pool's origin."""

    @property
    def is_tls(self) -> bool:
        """Whether they are encrypted."""

    async def dial(self, make_protocol: Callable[[], asyncio.BufferedProtocol]) -> None:
        """Open one.

        Raises:
            S3Error: it could not be opened.
        """


class Pool:
    """See the module's text. Everything runs on the loop's thread.

    Attributes:
        limit: connections open or being opened at most; may be changed at any time.
        counters: where its connections count.
        scratch: memory shared by its connections.
        idle: connections that are free, the one used last at the end; whoever takes one uses it at once.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        opener: Opener,
        *,
        limit: int,
        idle_s: float,
        counters: Counters,
    ) -> None:
        self.limit = limit
        self.counters = counters
        self.scratch = Scratch(_TLS_SCRATCH_BYTES if opener.is_tls else _SCRATCH_BYTES)
        self._loop = loop
        self._clock = clock
        self._opener = opener
        self._idle_s = idle_s
        self._open: set[Connection] = set()
        self.idle: list[Connection] = []
        self._waiting: deque[Exchange] = deque()
        self._waiting_fresh: deque[Exchange] = deque()  # second chances: only for new connections
        self._dials: set[asyncio.Task[None]] = set()
        self._is_dialing_paused = False
        self._closed: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ticks = 0
        self._tail = Tail()
        self._answered = 0  # over connections that are closed
        self._seen_s = 0.0
        self._ticked_s = 0.0

    @property
    def is_spent(self) -> bool:
        """Whether nothing may be sent now, whatever is idle; only where there is a limit: `bandwidth.LimitedPool`."""
        return False

    # --- state, for tests and for the reader at 3 a.m. ---------------------------------------------------------------

    @property
    def open_connections(self) -> int:
        """Connections that are open."""
        return len(self._open)

    @property
    def busy(self) -> int:
        """Connections with an exchange on them, or closing."""
        return len(self._open) - len(self.idle)

    @property
    def waiting(self) -> int:
        """Exchanges that wait for a connection."""
        return len(self._waiting) + len(self._waiting_fresh)

    @property
    def dialing(self) -> int:
        """Connections being opened."""
        return len(self._dials)

    def __repr__(self) -> str:
        return (
            f"<Pool {self._opener}: open {self.open_connections} (busy {self.busy}, idle {len(self.idle)}),"
            f" dialing {self.dialing}, waiting {self.waiting}, limit {self.limit}>"
        )

    # --- the client's side -------------------------------------------------------------------------------------------

    def submit(self, exchange: Exchange) -> None:
        """Send `exchange` as soon as a connection is free. It always ends."""
        if self.idle:
            self.idle.pop().start(exchange)
            return
        exchange.holder = self
        self._waiting.append(exchange)
        if self._closed is None:
            self._grow()
        else:
            self._loop.call_soon(exchange.abandon, Cancelled("the connections are being closed"))

    def take_over(self) -> None:
        """Turn every express that is under way into an exchange of a run, which can be cancelled."""
        for connection in tuple(self._open):
            if isinstance(connection, ExpressConnection):  # all are: `_dial`
                connection.take_over()

    def abandon(self, exchange: Exchange, failure: S3Error) -> None:
        """End an exchange that still waits for a connection."""
        queue = self._waiting_fresh if exchange in self._waiting_fresh else self._waiting
        queue.remove(exchange)
        exchange.failure = failure
        exchange.end()
        self._settle()

    def close(self) -> None:
        """Close every connection; exchanges that wait or are under way fail."""
        if self._closed is None:
            self._closed = self._loop.create_future()
        for dial in self._dials:
            dial.cancel()
        for exchange in (*self._waiting_fresh, *self._waiting):
            self.abandon(exchange, Cancelled("the connections were closed"))
        for connection in tuple(self._open):
            connection.close()
        self._settle()

    async def wait_closed(self) -> None:
        """Wait, after `close`, until nothing is open any more."""
        assert self._closed is not None, "wait_closed before close"
        await asyncio.shield(self._closed)

    # --- the connections' side ---------------------------------------------------------------------------------------

    def made(self, connection: Connection) -> None:
        """A new connection is open."""
        self._open.add(connection)
        self.counters.connections += 1
        self._start_timer()
        if self._waiting_fresh:
            connection.start(self._waiting_fresh.popleft())
        else:
            self.release(connection)

    def release(self, connection: Connection) -> None:
        """A connection is free."""
        if self._closed is not None or len(self._open) > self.limit:
            connection.close()
        elif self._waiting:
            connection.start(self._waiting.popleft())
        else:
            connection.idle_since = self._ticks
            self.idle.append(connection)

    def withdraw(self, connection: Connection) -> None:
        """An idle connection is closing."""
        if connection in self.idle:
            self.idle.remove(connection)

    def lost(self, connection: Connection) -> None:
        """A connection is closed."""
        self.withdraw(connection)
        if connection in self._open:
            self._open.discard(connection)
            self._answered += connection.served
            self.counters.connections -= 1
        self._grow()
        self._settle()

    def again(self, exchange: Exchange) -> None:
        """Give an exchange that met a stale connection, or was late, its second chance."""
        exchange.is_second_chance = True
        exchange.failure = None
        exchange.was_sent = False
        if self._closed is not None:
            exchange.failure = Cancelled("the connections were closed")
            exchange.end()
            return
        if exchange.call.body is not None:
            exchange.call.body.rewind()
        exchange.holder = self
        self._waiting_fresh.append(exchange)
        while self.idle:  # they are as old as the one that was stale
            self.idle.pop().close()
        self._grow()

    def is_late(self, waited_s: float) -> bool:
        """Whether an exchange that has waited so long for its answer is to be made over another connection."""
        return self._tail.is_late(waited_s)

    # --- opening -----------------------------------------------------------------------------------------------------

    def _grow(self) -> None:
        """Open as many connections as there are exchanges waiting for one, within the limit.

        Not all at once: a few objects would be done over the first connections before the last ones are open, and a
        service would see hundreds of handshakes from one client in the same millisecond.
        """
        if self._closed is not None or (self._is_dialing_paused and self._open):
            return
        at_once = min(self.waiting, max(_DIALS_AT_FIRST, _DIALS_PER_OPEN * len(self._open)))
        while len(self._dials) < at_once and len(self._open) + len(self._dials) < self.limit:
            dial = self._loop.create_task(self._dial())
            self._dials.add(dial)
            dial.add_done_callback(self._dialed)
            self._start_timer()

    async def _dial(self) -> None:
        made: list[Connection] = []

        def make() -> Connection:
            made.append(self._new_connection())
            return made[-1]

        try:
            await self._opener.dial(make)
        except BaseException:
            for connection in made:
                connection.discard()
            raise
        for connection in made[:-1]:
            connection.discard()

    def _new_connection(self) -> Connection:
        return ExpressConnection(self, self._loop, self._idle_s)

    def _dialed(self, dial: asyncio.Task[None]) -> None:
        self._dials.discard(dial)
        failure = None if dial.cancelled() else dial.exception()
        if isinstance(failure, S3Error):
            self._bear(failure)
        elif failure is not None:
            self._bear(Internal(f"opening a connection failed: {type(failure).__name__}: {failure}"))
        self._grow()
        self._settle()

    def _bear(self, failure: S3Error) -> None:
        """No connection came of a dial: one exchange fails with it, unless open connections will serve them all."""
        if self._waiting_fresh:
            self._end_waiting(self._waiting_fresh, failure)
        elif self._open and failure.is_retryable():
            self._is_dialing_paused = True
        elif self._waiting:
            self._end_waiting(self._waiting, failure)

    def _end_waiting(self, queue: deque[Exchange], failure: S3Error) -> None:
        exchange = queue.popleft()
        exchange.failure = failure
        exchange.end()

    # --- time --------------------------------------------------------------------------------------------------------

    def _start_timer(self) -> None:
        if self._timer is None:
            self._ticked_s = self._clock.monotonic_s()
            self._timer = self._loop.call_later(TICK_S, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self.tick()
        if self._open or self._dials or self.waiting:
            self._start_timer()

    def tick(self) -> None:
        """Look after time limits and idle connections. Called once a second."""
        now_s = self._clock.monotonic_s()
        self._seen_s += min(_LONGEST_TICK_S, now_s - self._ticked_s)
        self._ticked_s = now_s
        self._ticks += 1
        self._is_dialing_paused = False
        while self.idle and self._ticks - self.idle[0].idle_since > IDLE_TICKS:
            self.idle.pop(0).close()
        answered = self._answered + sum(connection.served for connection in self._open)
        self._tail.look(answered, self.busy, self._seen_s)
        for connection in tuple(self._open):
            connection.tick(self._seen_s)
        self._grow()

    def _settle(self) -> None:
        """Closing is done when nothing is open and nothing is being opened."""
        if self._open or self._dials or self.waiting:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._closed is not None and not self._closed.done():
            self._closed.set_result(None)
