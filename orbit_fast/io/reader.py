"""Takes in one reply after the other from the bytes of a connection: heads, interim heads, and the four kinds of body.

It has no socket: somebody asks `buffer` where the next bytes go, puts them there, and says so with `updated`. Between
the two nothing else may run, so all readers of a pool share one scratch memory for heads and for whatever has to be
looked at first (chunks, collected bodies). The body of a reply of known length goes straight into its sink's memory, at
most as many bytes as are left of it, so that a reply can never write behind its end.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from dataclasses import field

from orbit_fast.core.chunked import ChunkedDecoder
from orbit_fast.core.directory_buckets import MARK
from orbit_fast.core.errors import BadReply
from orbit_fast.core.http1 import ReplyHead
from orbit_fast.core.http1 import find_head_end
from orbit_fast.core.http1 import parse_head
from orbit_fast.core.limits import MAX_ERROR_BYTES
from orbit_fast.core.limits import MAX_HEAD_BYTES
from orbit_fast.core.limits import MAX_INTERIM_REPLIES
from orbit_fast.io.exchange import Exchange
from orbit_fast.io.flow import Sink

_GIVEN_UP = frozenset({400, 408})
"""Answers after which services close a connection, or have stopped to read it (RequestTimeout)."""


class Phase(enum.Enum):
    """What the next bytes are. HEAD → SINK | COLLECT | CHUNKED | UNTIL_CLOSE → ENDED → (`begin`) → HEAD."""

    HEAD = "head"
    SINK = "body for the sink"
    COLLECT = "body to collect"
    CHUNKED = "chunks"
    UNTIL_CLOSE = "body until the connection closes"
    ENDED = "nothing"


_HEAD = Phase.HEAD
_SINK = Phase.SINK
_ENDED = Phase.ENDED


@dataclass(slots=True)
class Scratch:
    """Memory that is good from `buffer` to `updated` and no longer; all connections of a pool share it.

    Attributes:
        size: bytes. Over TLS 256 KiB, because uvloop decrypts up to that much at once, and drops what it could not
            hand over when the peer's end of the connection comes right behind; else 64 KiB.
        data: the memory.
        view: the same, as a view (asyncio over TLS needs one).
    """

    size: int
    data: bytearray = field(init=False)
    view: memoryview = field(init=False)

    def __post_init__(self) -> None:
        self.data = bytearray(self.size)
        self.view = memoryview(self.data)


class ReplyReader:
    """The reading half of a connection.

    Attributes:
        phase: what the next bytes are.
        is_last: the connection cannot be used for another exchange.
        has_heard: a byte of the present reply has arrived.
        left: bytes of the body still to come, or -1 where that is not known.
    """

    __slots__ = (
        "_chunks",
        "_content",
        "_exchange",
        "_interim",
        "_partial",
        "_scratch",
        "_sink",
        "has_heard",
        "is_last",
        "left",
        "phase",
    )

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        self._exchange: Exchange | None = None
        self._sink: Sink | None = None
        self._partial: bytearray | None = None  # the start of a head whose end has not arrived
        self._interim = 0
        self._chunks: ChunkedDecoder | None = None
        self._content: bytearray | None = None
        self.phase = _ENDED
        self.is_last = False
        self.has_heard = False
        self.left = 0

    @property
    def has_sink(self) -> bool:
        """Whether the body goes into a sink."""
        return self._sink is not None

    def begin(self, exchange: Exchange) -> None:
        """A request has gone out: its reply comes next."""
        self._exchange = exchange
        self.phase = _HEAD
        self.has_heard = False

    def forget(self) -> None:
        """Let go of the exchange and of everything that was read for it."""
        self._exchange = None
        self._sink = None
        self._partial = None
        self._interim = 0
        self._chunks = None
        self._content = None
        self.phase = _ENDED

    def buffer(self) -> memoryview:
        """Where the next bytes go; never empty.

        Raises:
            S3Error: the sink has no memory to give.
        """
        if self.phase is _SINK and self._sink is not None:
            view = self._sink.buffer()
            return view if len(view) <= self.left else view[: self.left]
        return self._scratch.view

    def updated(self, nbytes: int) -> bool:
        """Take in `nbytes` that stand at the start of `buffer`; whether the reply has ended with them.

        Raises:
            BadReply: not HTTP, ambiguous, or more than the call allows.
            S3Error: the sink refuses the reply.
        """
        phase = self.phase
        if phase is _SINK and self._sink is not None:
            self._sink.received(nbytes)
            self.left -= nbytes
            if not self.left:
                self._finish()
        elif phase is _HEAD:
            self.has_heard = True
            self._take_head(nbytes)
        elif phase is _ENDED:
            self.is_last = True  # bytes that nobody asked for: the connection is not to be trusted
            return False
        else:
            self._take_body(self._scratch.view[:nbytes])
        return self.phase is _ENDED

    def eof(self) -> bool:
        """No more bytes will come; whether the reply has ended with that."""
        self.is_last = True
        if self.phase is not Phase.UNTIL_CLOSE:
            return False
        self._finish()
        return True

    # --- heads -------------------------------------------------------------------------------------------------------

    def _take_head(self, nbytes: int) -> None:
        data, at, end = self._scratch.data, 0, nbytes
        if self._partial is not None:
            at = max(0, len(self._partial) - 3)
            self._partial += self._scratch.view[:nbytes]
            data, end = self._partial, len(self._partial)
            self._partial = None
        exchange = self._exchange
        assert exchange is not None
        first = 0
        while True:
            stop = find_head_end(data, at, end)
            if stop < 0:
                self._keep_partial(data[first:end] if first or data is self._scratch.data else data)
                return
            head = parse_head(bytes(data[first:stop]), method=exchange.call.request.method)
            if head.status >= 200:
                break
            self._interim += 1
            if self._interim > MAX_INTERIM_REPLIES:
                raise BadReply(f"more than {MAX_INTERIM_REPLIES} interim replies", code="E_HTTP_LIMIT")
            first = at = stop
        self._begin_body(exchange, head, stop < end)
        if stop < end and self.phase is not _ENDED:
            self._take_body(memoryview(data)[stop:end])

    def _keep_partial(self, rest: bytearray) -> None:
        if rest and not b"HTTP/1.".startswith(rest[:7]):
            raise BadReply(f"not an HTTP reply: {rest[:40].decode('latin-1')!a}", code="E_HTTP")
        if len(rest) > MAX_HEAD_BYTES:
            raise BadReply(f"a reply's head is larger than {MAX_HEAD_BYTES} bytes", code="E_HTTP_LIMIT")
        self._partial = rest or None

    def _begin_body(self, exchange: Exchange, head: ReplyHead, has_more: bool) -> None:  # noqa: FBT001 - hot path
        if exchange.is_of_directory:
            head.headers[MARK] = "1"
        exchange.head = head
        if not head.keeps_alive or head.status in _GIVEN_UP:
            self.is_last = True
        length = head.content_length
        call = exchange.call
        is_good = head.status < 300
        if is_good and call.sink is not None:
            call.sink.begin(head.status, head.headers, length)
            self._sink = call.sink
        elif is_good and length > call.max_body:
            raise BadReply(f"a reply of {length} bytes, where {call.max_body} are the most", code="E_HTTP_LIMIT")
        self.left = length
        if length == 0:
            self.is_last = self.is_last or has_more
            self._finish()
        elif length > 0:
            self.phase = Phase.COLLECT if self._sink is None else _SINK
        elif head.is_chunked:
            self._chunks = ChunkedDecoder()
            self.phase = Phase.CHUNKED
        else:
            self.phase = Phase.UNTIL_CLOSE

    # --- bodies ------------------------------------------------------------------------------------------------------

    def _take_body(self, data: memoryview) -> None:
        """Bytes of the body that are not in the sink's memory."""
        if self._chunks is not None:
            views, used = self._chunks.feed(data)
            for view in views:
                self._put(view)
            if self.phase is not _ENDED and self._chunks.is_finished:
                self.is_last = self.is_last or used < len(data)
                self._finish()
            return
        size = len(data)
        left = self.left
        if left >= 0:
            if size > left:
                self.is_last = True  # more than was announced
                data = data[:left]
                size = left
            self.left = left - size
        self._put(data)
        if not self.left and self.phase is not _ENDED:
            self._finish()

    def _put(self, data: memoryview) -> None:
        """Copy `data` into the sink, or to what is collected."""
        sink = self._sink
        if sink is None:
            self._collect(data)
            return
        while data:
            view = sink.buffer()
            size = min(len(view), len(data))
            view[:size] = data[:size]
            sink.received(size)
            data = data[size:]

    def _collect(self, data: memoryview) -> None:
        exchange = self._exchange
        if self.phase is _ENDED or exchange is None or exchange.head is None:
            return
        if self._content is None:
            self._content = bytearray()
        self._content += data
        is_good = exchange.head.status < 300
        limit = exchange.call.max_body if is_good else MAX_ERROR_BYTES
        if len(self._content) <= limit:
            return
        if is_good:
            raise BadReply(f"a reply of more than {limit} bytes", code="E_HTTP_LIMIT")
        del self._content[limit:]  # the start of an error tells enough
        self.is_last = True
        self._finish()

    def _finish(self) -> None:
        """The reply has ended as it should. A sink that refuses the whole fails the exchange, not the connection."""
        self.phase = _ENDED
        if self._content is not None and self._exchange is not None:
            self._exchange.content = bytes(self._content)
        if self._sink is not None:
            self._sink.finish()
