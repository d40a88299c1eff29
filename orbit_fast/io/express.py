"""A connection on which small objects pass whole: one write out, one read in, and nothing in between.

A `Parcel` is the request for one small object and everything that is known of it. It is made by `lane`, sent like any
exchange, and looks at what comes back before the general reader does. Where that is the whole, plain, good reply, it is
done. *Whatever else happens* (another status, an unknown head, half a head, a broken connection, a time limit, a
cancellation) the parcel is *taken over*: the general flow of its object begins, its first call turns out to be the
very request that was sent, and the flow goes on from there as if it had sent it, with the bytes that have come. So this
file decides nothing but "plain and good"; what is wrong, what is tried again and what is said about it stays where it
was: in `run`, `upload` and `download`.
"""

from __future__ import annotations

import enum
from typing import Protocol
from typing import cast

from orbit_fast.core.errors import S3Error
from orbit_fast.io.connection import Connection
from orbit_fast.io.connection import State
from orbit_fast.io.exchange import Exchange
from orbit_fast.io.holding import HoldingConnection

_BUSY = State.BUSY
_IDLE = State.IDLE


class Look(enum.Enum):
    """What a parcel makes of the bytes that have come so far."""

    WHOLE = "the whole reply, and a good one"
    PART = "a good head and the first part of its body"
    OTHER = "something else"


_WHOLE = Look.WHOLE
_PART = Look.PART


class Parcel(Protocol):
    """One small object on its way. To the connection's time limits it is an exchange and its call at once.

    Attributes:
        payload: the bytes of its request.
        failure: why it was given up, or None.
        held: bytes of the reply that came before the present ones: a head, and the first part of a body.
    """

    payload: bytes
    failure: S3Error | None
    held: bytes

    def look(self, data: bytearray, size: int) -> Look:
        """Judge the reply, of which ``data[:size]`` has just come; do with a whole one what is to be done."""

    def take_over(self) -> Exchange | None:
        """Begin the general flow; the exchange that continues this one, or None where there is none to continue."""

    def done(self) -> None:
        """Tell whoever asked that all is well. Called once, after a whole reply, when the connection is free."""


class ExpressConnection(HoldingConnection):
    """See the module's text."""

    _parcel: Parcel | None = None

    def send_parcel(self, parcel: Parcel) -> None:
        """Send `parcel`. Only when idle."""
        transport = self._transport
        assert self.state is _IDLE, f"a parcel given to {self!r}"
        assert transport is not None
        self.state = _BUSY
        self._parcel = parcel
        # The connection's clock asks it for nothing but what a parcel has too; everybody else takes it over first.
        self._exchange = cast("Exchange", parcel)
        self._number += 1
        self._reader.has_heard = False
        payload = parcel.payload
        self._sent_bytes += len(payload)
        self._counters.bytes_sent += len(payload)
        transport.write(payload)

    def take_over(self, data: bytes = b"") -> None:
        """Turn the parcel, if there is one, into an exchange of the general flow, and give that what has come."""
        parcel = self._parcel
        if parcel is None:
            return
        self._parcel = None
        failure = parcel.failure
        exchange = parcel.take_over()
        self._exchange = exchange
        if exchange is None:
            self._abort(State.CLOSING)  # what comes on it is nobody's
            return
        exchange.failure = failure
        exchange.holder = self
        self._reader.begin(exchange)
        data = (parcel.held + data)[: self._owner.scratch.size]  # longer than any good reply: the rest is not needed
        if data and self.state is _BUSY:
            self._scratch_view[: len(data)] = data
            self._take_in(len(data))

    # --- what a parcel must not meet ---------------------------------------------------------------------------------

    def close(self) -> None:
        """Close at once; an exchange that is under way fails."""
        self.take_over()
        super().close()

    def tick(self, now_s: float) -> None:
        """Give up an exchange that gets nowhere; the rules for bodies and for late answers are the general flow's."""
        if self._parcel is not None and (self._parcel.held or self._pace.has_seen(self._number)):
            self.take_over()
        super().tick(now_s)

    def eof_received(self) -> None:
        """The service will send no more."""
        self.take_over()
        super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone."""
        self.take_over()
        super().connection_lost(exc)

    # --- receiving ---------------------------------------------------------------------------------------------------

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go. Never empty."""
        if self._parcel is not None:
            return self._scratch_view
        return Connection.get_buffer(self, sizehint)

    def buffer_updated(self, nbytes: int) -> None:
        """`nbytes` have been put where `get_buffer` said."""
        parcel = self._parcel
        if parcel is None or self.state is not _BUSY:
            HoldingConnection.buffer_updated(self, nbytes)
            return
        self._received_bytes += nbytes
        self._counters.bytes_received += nbytes
        look = parcel.look(self._owner.scratch.data, nbytes)
        if look is _WHOLE:
            self._parcel = None
            self._exchange = None
            self.served += 1
            self.state = _IDLE
            self._owner.release(self)
            parcel.done()
        elif look is not _PART:
            self.take_over(bytes(self._scratch_view[:nbytes]))  # whose beginning may use the memory
