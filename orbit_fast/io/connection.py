"""One HTTP/1.1 connection: sends a request, takes in its reply, and is then free for the next one.

It is a protocol of callbacks: no Task and no Future per request. What makes it hard is memory that others own.

**Sending.** A small request is one write of immutable bytes, and can be forgotten. The chunks of a `Body` are views of
memory that the body will use again, and transports keep *references* to what they could not hand to the kernel at once.
So the next chunk is asked for only when the transport's buffer is empty, and an exchange with a body never ends before
that, or before `connection_lost` where the connection was aborted.

**Receiving.** `get_buffer` says where the next bytes go, `buffer_updated` follows at once; nothing runs in between.
uvloop kills a transport that is given an empty buffer, so there is always at least the pool's scratch memory.

**Answers before the end of the request.** A service may refuse a request while its body is still on the way (and close,
which makes our next write fail). Then the sending stops, the answer is read, also out of the socket of a transport that
has failed, and the connection is closed: how far the service has read is not known. A *success* is not believed before
the whole request was sent.

**Keep-alive.** A connection goes back to its pool only when the request went out whole, the reply ended where its head
said, the head allows it, and not one byte came after. Whatever arrives while nothing was asked closes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import os
import socket
import sys
from typing import Protocol
from typing import cast

from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import Internal
from orbit_fast.core.errors import Network
from orbit_fast.core.errors import S3Error
from orbit_fast.io.exchange import Counters
from orbit_fast.io.exchange import Exchange
from orbit_fast.io.flow import Body
from orbit_fast.io.pace import Pace
from orbit_fast.io.pace import Stage
from orbit_fast.io.reader import Phase
from orbit_fast.io.reader import ReplyReader
from orbit_fast.io.reader import Scratch

_CHUNKS_AT_ONCE = 8
"""Chunks handed to a kernel that takes everything, before other connections have their turn."""

_FIRST_WINDOW = 2 << 20
"""Bytes that a service may send ahead of us from the first large body on. Linux would come to as much by itself, but
later; until then the sender stops after every few pieces, which costs both sides a fifth of the CPU of a download."""

_LAST_LOOKS = 4
"""Reads of a failed connection's socket in search of an answer: a refusal is short."""


_READS = frozenset({"GetObject", "HeadObject"})


class State(enum.Enum):
    """What the connection does. OPENING → IDLE ⇄ BUSY → (DRAINING) → IDLE; from anywhere → CLOSING → CLOSED."""

    OPENING = "opening"
    IDLE = "idle"
    BUSY = "busy"
    DRAINING = "waiting for the transport to let go of the request"
    CLOSING = "closing"
    CLOSED = "closed"


_IDLE = State.IDLE
_BUSY = State.BUSY
_CLOSING = State.CLOSING
_CLOSED = State.CLOSED


class Owner(Protocol):
    """What a connection needs of its pool: shared memory, counters, and somebody to tell."""

    @property
    def scratch(self) -> Scratch:
        """Memory for heads, shared by all connections."""

    @property
    def counters(self) -> Counters:
        """Where bytes are counted."""

    def made(self, connection: Connection) -> None:
        """It is open."""

    def release(self, connection: Connection) -> None:
        """It is free for the next exchange."""

    def withdraw(self, connection: Connection) -> None:
        """It was free, and is closing: give it nothing more."""

    def lost(self, connection: Connection) -> None:
        """It is closed."""

    def again(self, exchange: Exchange) -> None:
        """The exchange met a connection that the service had closed long ago, or was late: give it a new one."""

    def is_late(self, waited_s: float) -> bool:
        """Whether an exchange that has waited so long for its answer is to be made over another connection."""


class Connection(asyncio.BufferedProtocol):
    """See the module's text. Made by the pool, opened by the loop, used for one `Exchange` at a time.

    Attributes:
        state: what it does now.
        idle_since: the pool's tick at which it became idle.
        served: exchanges that have ended on it.
    """

    def __init__(self, owner: Owner, loop: asyncio.AbstractEventLoop, idle_s: float) -> None:
        self.state = State.OPENING
        self.idle_since = 0
        self.served = 0
        self._owner = owner
        self._loop = loop
        self._counters = owner.counters
        self._scratch_view = owner.scratch.view
        self._reader = ReplyReader(owner.scratch)
        self._pace = Pace(idle_s)
        self._transport: asyncio.Transport | None = None
        self._is_tls = False
        self._is_wide = False  # the kernel has been asked for `_FIRST_WINDOW`
        self._exchange: Exchange | None = None
        self._body: Body | None = None
        self._unsent = 0  # bytes of the body that have not been asked of it
        self._is_late = False
        self._is_sending = False  # inside `_send_more`: a transport may call `resume_writing` out of `write`
        self._number = 0  # of the exchange
        self._sent_bytes = 0
        self._received_bytes = 0

    # --- the pool's side ---------------------------------------------------------------------------------------------

    def start(self, exchange: Exchange) -> None:
        """Send `exchange`. Only when idle."""
        transport = self._transport
        assert self.state is _IDLE, f"{exchange!r} given to {self!r}"
        assert transport is not None
        self.state = _BUSY
        self._exchange = exchange
        exchange.holder = self
        exchange.was_sent = True
        self._number += 1
        self._reader.begin(exchange)
        if exchange.call.sink is not None and not self._is_wide:
            self._is_wide = True
            _widen(transport.get_extra_info("socket"))
        size = len(exchange.payload)
        self._sent_bytes += size
        self._counters.bytes_sent += size
        transport.write(exchange.payload)
        body = exchange.call.body
        if body is not None:
            self._body = body
            self._unsent = body.size
            self._send_more()

    def abandon(self, exchange: Exchange, failure: S3Error) -> None:
        """End the exchange with `failure` once the transport is gone."""
        if exchange is self._exchange:
            self._fail(failure)

    def close(self) -> None:
        """Close at once; an exchange that is under way fails."""
        self._fail(Network("the connection was closed on this side"))

    def discard(self) -> None:
        """The dial that made it failed: its loop closes the transport, and uvloop never calls `connection_lost`."""
        if self.state is State.OPENING:
            self.state = _CLOSED
            return
        self.close()
        self.connection_lost(None)

    def tick(self, now_s: float) -> None:
        """Give up an exchange that gets nowhere. Called once a second."""
        exchange, transport = self._exchange, self._transport
        if exchange is None or transport is None or self.state is _CLOSING:
            return
        held = transport.get_write_buffer_size()
        stage = Stage.SENDING if held or self._unsent else Stage.WAITING
        if self._reader.has_heard:
            stage = Stage.RECEIVING
        self._pace.look(self._number, stage, self._sent_bytes - held + self._received_bytes, now_s)
        is_bulk = self._body is not None if stage is Stage.SENDING else self._reader.has_sink
        failure = self._pace.verdict(now_s, first_byte_s=exchange.call.first_byte_s, is_bulk=is_bulk)
        if failure is not None:
            self._fail(failure)
        elif _can_move(exchange) and self._owner.is_late(self._pace.waited_s(now_s)):
            self._is_late = True
            self._abort(_BUSY)  # which heard nothing, as one that was stale: `connection_lost` gives it away

    # --- the transport's side: sending -------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection (and the TLS handshake) is there."""
        stream = cast("asyncio.Transport", transport)
        self._transport = stream
        self._is_tls = stream.get_extra_info("ssl_object") is not None
        # Over TLS a limit of 0 counts as reached by an empty buffer: every write would pause.
        stream.set_write_buffer_limits(high=1 if self._is_tls else 0, low=0)
        if self.state is State.OPENING:
            self.state = _IDLE
            self._owner.made(self)
        else:
            stream.abort()

    def pause_writing(self) -> None:
        """Nothing to do: the size of the transport's buffer is asked before every chunk."""

    def resume_writing(self) -> None:
        """The transport has let go of everything."""
        if self._unsent:
            self._send_more()
        elif self.state is State.DRAINING and not self._is_held():
            self._end()

    def _send_more(self) -> None:
        """Hand over chunks for as long as the kernel takes them at once."""
        if self._is_sending:
            return
        self._is_sending = True
        try:
            for _ in range(_CHUNKS_AT_ONCE):
                if not self._unsent or self._is_held() or self._transport is None or self._transport.is_closing():
                    return
                self._send_chunk()
            self._loop.call_soon(self.resume_writing)  # which does nothing when this body is not the present one
        except S3Error as error:
            self._fail(error)
        except BaseException as error:
            self._fail(Internal(f"a request body failed: {type(error).__name__}: {error}"))
            raise
        finally:
            self._is_sending = False

    def _send_chunk(self) -> None:
        body, transport = self._body, self._transport
        assert body is not None
        assert transport is not None
        chunk = body.next_chunk()
        size = len(chunk)
        if not 0 < size <= self._unsent:
            raise Internal(f"a request body gave {size} bytes where {self._unsent} were left")
        self._unsent -= size
        self._sent_bytes += size
        self._counters.bytes_sent += size
        transport.write(chunk)

    def _is_held(self) -> bool:
        """Whether the transport still holds bytes of the request."""
        return self._transport is not None and self._transport.get_write_buffer_size() > 0

    # --- the transport's side: receiving -----------------------------------------------------------------------------

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """Where the next bytes go. Never empty."""
        if self.state is _BUSY:
            try:
                return self._reader.buffer()
            except S3Error as error:
                self._fail(error)
        return self._scratch_view

    def buffer_updated(self, nbytes: int) -> None:
        """`nbytes` have been put where `get_buffer` said."""
        self._received_bytes += nbytes
        self._counters.bytes_received += nbytes
        self._take_in(nbytes)

    def _take_in(self, nbytes: int) -> None:
        """Make something of `nbytes` that stand where `get_buffer` says."""
        if self.state is not _BUSY:
            self._reader.is_last = True
            if self.state is _IDLE:
                self._withdraw()
            return
        try:
            has_ended = self._reader.updated(nbytes)
            if self._unsent:
                self._stop_early()
        except S3Error as error:
            has_ended = self._refuse_reply(error)
        if has_ended:
            self._finish()

    def _stop_early(self) -> None:
        """Something came before the whole request was sent; an interim reply changes nothing."""
        head = cast("Exchange", self._exchange).head
        if head is None:
            return
        self._unsent = 0
        self._reader.is_last = True
        if head.status < 300:
            raise BadReply(f"{head.status} before the whole request had been sent", code="E_HTTP")

    def _refuse_reply(self, error: S3Error) -> bool:
        """The reply is no good. Where it has ended all the same, the connection still is."""
        if self._reader.phase is not Phase.ENDED or self._exchange is None:
            self._fail(error)
            return False
        self._exchange.failure = error
        return True

    def eof_received(self) -> None:
        """The service will send no more."""
        if self.state is _IDLE:
            self._withdraw()
        elif self.state is _BUSY:
            try:
                has_ended = self._reader.eof()
            except S3Error as error:
                has_ended = self._refuse_reply(error)
            if has_ended:
                self._finish()
            else:
                self._abort(_BUSY)

    # --- ends --------------------------------------------------------------------------------------------------------

    def _finish(self) -> None:
        """The reply has ended. The exchange has too, unless the transport still holds bytes of its body."""
        head = cast("Exchange", self._exchange).head
        if self._body is None or not self._is_held():
            self._end()
        elif head is not None and head.status < 300:
            self.state = State.DRAINING  # a success counts when the whole request has gone out
        else:
            self._abort(_CLOSING)

    def _end(self) -> None:
        """The exchange is over and the transport holds nothing of it: give the connection back, then say so."""
        exchange = cast("Exchange", self._exchange)
        self._forget()
        self.served += 1
        if self._reader.is_last:
            self._abort(_CLOSING)
        else:
            self.state = _IDLE
            self._owner.release(self)
        exchange.end()

    def _forget(self) -> None:
        self._exchange = self._body = None
        self._unsent = 0
        self._reader.forget()

    def _fail(self, failure: S3Error) -> None:
        """Give the exchange up; `connection_lost` ends it, when the transport holds nothing any more."""
        if self.state is _CLOSED:
            return
        if self._exchange is not None and self._exchange.failure is None:
            self._exchange.failure = failure
        self._abort(_CLOSING)

    def _withdraw(self) -> None:
        self._owner.withdraw(self)
        self._abort(_CLOSING)

    def _abort(self, state: State) -> None:
        """Drop the transport. `state` says what `connection_lost` makes of an exchange that is still here."""
        self.state = state
        self._unsent = 0
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone, and at the loop's next turn every reference to memory of ours is."""
        if self.state is _CLOSED:
            return
        if self.state is _BUSY and isinstance(exc, OSError):
            # What the service said before it closed may still be in the socket (not over TLS).
            pending = None if self._transport is None or self._is_tls else self._transport.get_extra_info("socket")
            if pending is not None:
                self._reader.is_last = True
                _take_rest(self, pending)
        exchange, is_broken = self._exchange, self.state is _BUSY or self.state is State.DRAINING
        had_body, is_stale = self._body is not None, False
        if exchange is not None and is_broken and exchange.failure is None:
            exchange.failure = _breakage(exchange, self._reader, self.state, exc)
            # Closed by the service while it was idle, or here: then the failure says nothing about the request.
            was_idle = (self.served > 0 or self._is_late) and not self._reader.has_heard
            is_stale = was_idle and exchange.call.is_idempotent and not exchange.is_second_chance
        self._forget()
        self.state = _CLOSED
        self._transport = None
        self._owner.lost(self)
        if exchange is None:
            return
        if is_stale:
            self._owner.again(exchange)
        else:
            _end_after_loss(exchange, self._loop, had_body=had_body)

    def __repr__(self) -> str:
        on = f" with {self._exchange!r}" if self._exchange is not None else ""
        return f"<Connection {self.state.value}, served {self.served}{on}>"


def _can_move(exchange: object) -> bool:
    """Whether an exchange may be made again although the service may be at it: only what reads, and only once.

    A write that is late can still be carried out when a second one has been answered, over what came after that.
    """
    if not isinstance(exchange, Exchange):  # an express; before it can be late, its connection makes one of it
        return False
    return exchange.call.request.operation in _READS and not exchange.is_second_chance


def _widen(transport_socket: socket.socket | None) -> None:
    """Let the receive buffer begin at twice `_FIRST_WINDOW`.

    Not by its size: to set that would end its growth, and be cut off at ``net.core.rmem_max``, 208 KiB on many systems.
    But Linux makes room for what a reader wants to wait for, and keeps it when the reader wants a single byte again.
    """
    if sys.platform == "linux" and transport_socket is not None:
        with contextlib.suppress(OSError):
            transport_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, _FIRST_WINDOW)
            transport_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)


def _end_after_loss(exchange: Exchange, loop: asyncio.AbstractEventLoop, *, had_body: bool) -> None:
    """End an exchange whose connection is gone.

    uvloop sends nothing more, but lets go of the chunks that it had queued only when it has closed the handle: after
    `connection_lost`, and before the loop's next turn.
    """
    if had_body:
        loop.call_soon(exchange.end)
    else:
        exchange.end()


def _breakage(exchange: Exchange, reader: ReplyReader, state: State, exc: Exception | None) -> Network:
    """What it means that the connection broke at this moment."""
    why = f" ({exc.strerror or exc})" if isinstance(exc, OSError) else ""
    cut = "the service closed the connection"
    if state is State.DRAINING:
        return Network(f"{cut} before the whole request had been sent{why}")
    if reader.phase is not Phase.HEAD:
        head = exchange.head
        status = f" ({head.status})" if head is not None and head.status >= 400 else ""
        missing = f", {reader.left} bytes before the end" if reader.left > 0 else ""
        return Network(f"{cut} in the middle of its answer{status}{missing}{why}", code="E_SHORT_BODY")
    if reader.has_heard:
        return Network(f"{cut} in the middle of the answer's head{why}")
    return Network(f"{cut} before it answered{why}")


def _take_rest(connection: Connection, transport_socket: socket.socket) -> None:
    """Give `connection` what is still in the socket of its failed transport."""
    with contextlib.suppress(OSError), _second(transport_socket) as rest:
        for _ in range(_LAST_LOOKS):
            size = rest.recv_into(connection.get_buffer(-1))
            if size:
                connection.buffer_updated(size)
            else:
                connection.eof_received()
            if not size or connection.state is not _BUSY:
                return


def _second(transport_socket: socket.socket) -> socket.socket:
    """A second, non-blocking socket object for the connection of a transport; the caller closes it."""
    own = socket.socket(fileno=os.dup(transport_socket.fileno()))
    own.setblocking(False)  # noqa: FBT003 - the standard library's signature
    return own
