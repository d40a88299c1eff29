"""S3 → the stage in one stream, for services that ignore ranges: one GET, whose bytes go to one piece after the other.

The pieces are asked for as ranges would be, and are proven as ranges are: the whole by the supervisor, as the bytes
pass. No more memory is filled than was asked for: while no piece is wanted, nothing is read from the socket. When the
connection breaks, the object is sent again from its beginning, and what was taken before is passed over; all of it is
of one version.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from orbit_fast.core.errors import Cancelled
from orbit_fast.core.errors import Internal
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import SizeMismatch
from orbit_fast.core.errors import WorkerLost
from orbit_fast.core.fetching import Fetch
from orbit_fast.core.fetching import Fetched
from orbit_fast.core.fetching import Pour
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Item
from orbit_fast.core.model import ObjectFacts
from orbit_fast.io.download import get_call
from orbit_fast.io.flow import Flow
from orbit_fast.io.flow import Until
from orbit_fast.io.pouring import Piece
from orbit_fast.io.pouring import Pouring
from orbit_fast.io.sinks import Expected
from orbit_fast.io.sinks import FileSink
from orbit_fast.io.sinks import Target
from orbit_fast.io.transfer import Surroundings

SPARE: Final = 512 << 10
"""Bytes that may have been read before anybody wants them: more than comes at once."""


def pour(around: Surroundings, order: Pour) -> Flow[Fetched]:
    """Have the object sent, to whoever takes pieces of it.

    Raises:
        S3Error: it could not be had; so is everybody told who wants a piece of it.
    """
    pouring = around.pours[order.number] = Pouring()
    sink = PourSink(Expected(key=order.key, size=order.total, etag=order.etag, verify=False), around, pouring)
    item = Item(0, Direction.DOWNLOAD, order.site, order.key, size=order.total, version_id=order.version_id)
    failure: S3Error = Cancelled("given up")
    attempts = 1
    try:
        reply = yield replace(get_call(around, item, sink, sink.expected), hold=sink.hold)
        attempts = reply.attempts
        if sink.has_spare:
            yield Until(sink.wait_spent)  # the end came with bytes that nobody has asked for yet
        failure = SizeMismatch(f"{order.key}: a piece was wanted that is behind its end")
    except S3Error as error:
        failure = error
        if not pouring.is_stopped:
            raise
    finally:
        pouring.end(failure)
    del around.pours[order.number]
    return Fetched(order.number, sink.size, attempts=attempts)


def take_piece(around: Surroundings, order: Fetch, region: memoryview) -> Flow[Fetched]:
    """The next piece of a stream, into `region`.

    Raises:
        S3Error: the stream has failed.
    """
    if not order.size:
        if order.stream in around.pours:
            around.pours[order.stream].stop()
        return Fetched(order.number, 0)
    pouring = around.pours.get(order.stream)
    if pouring is None:
        raise WorkerLost("the process that had the object's stream ended, and the stream with it")
    piece = Piece(order.offset, region[: order.size], order.algorithm)
    pouring.add(piece)
    try:
        if not piece.is_over:
            yield Until(piece.wait)
    finally:
        pouring.drop(piece)
    if piece.failure is not None:
        raise piece.failure
    return Fetched(order.number, order.size, piece.checksum)


class PourSink(FileSink):
    """As `FileSink`, for bytes that go where the next piece of a `Pouring` wants them.

    Attributes:
        expected: what must come.
    """

    def __init__(self, expected: Expected, around: Surroundings, pouring: Pouring) -> None:
        super().__init__(expected, around.receive, lambda _: _NOWHERE)
        self.expected = expected
        self._pouring = pouring
        self._scratch = around.receive
        self._spare = memoryview(bytearray(SPARE))
        self._spared = 0  # bytes there: the last that have come
        self._go_on = _nothing
        self._spent = _nothing
        pouring.on_change = self._changed

    def hold(self, go_on: Callable[[], None]) -> bool:
        """Whether nothing may be read before `go_on` is called."""
        if self._pouring.pieces or self._pouring.is_stopped:
            return False
        self._go_on = go_on
        return True

    @property
    def has_spare(self) -> bool:
        """Whether bytes have come that somebody will want and nobody has asked for."""
        return self._spared > 0 and not self._pouring.is_stopped

    def wait_spent(self, spent: Callable[[], None]) -> None:
        """Have `spent` called when they have been asked for, or no more is wanted."""
        self._spent = spent

    def _open(self, facts: ObjectFacts) -> Target:
        """It comes from the beginning."""
        self._check_wanted()
        self._spared = 0
        if self._pouring.pieces:
            self._pouring.pieces[0].begin_again()
        return super()._open(facts)

    def buffer(self) -> memoryview:
        """Where the next bytes go: what lies before the piece that is wanted is passed over.

        Raises:
            Internal: nobody has waited, or a piece is wanted that is gone.
        """
        if not self._pouring.pieces:
            if self._spared == SPARE:
                raise Internal("more of a stream was read than there is room for")
            return self._spare[self._spared :]
        before = self._next_wanted() - self._position
        if before < 0:
            raise Internal(f"{self.expected.key}: a piece is wanted that has passed already")
        return self._scratch[:before] if before else self._pouring.pieces[0].room()

    def received(self, count: int) -> None:
        """Take what has just arrived.

        Raises:
            SizeMismatch: more than was announced.
            Cancelled: nobody wants it.
        """
        self._check_wanted()
        if 0 <= self._length < self._position + count:
            self._is_spoiled = True
            raise SizeMismatch(f"{self.expected.key}: more bytes arrived than the {self._length} announced")
        pieces = self._pouring.pieces
        if not pieces:
            self._spared += count
        elif self._next_wanted() == self._position:
            self._fill(count)
        self._position += count

    def _next_wanted(self) -> int:
        """The offset of the first byte that is wanted."""
        return self._pouring.pieces[0].offset + self._pouring.pieces[0].filled

    def _fill(self, count: int) -> None:
        """So many bytes stand in the room of the first piece."""
        piece = self._pouring.pieces[0]
        if count == len(piece.room()):
            self._pouring.pieces.popleft()
        piece.take(count)

    def _changed(self) -> None:
        """A piece is wanted: it gets what was read before it was, and then what comes."""
        pieces = self._pouring.pieces
        while pieces and self._spared:
            passed = self._next_wanted() - (self._position - self._spared)
            if passed < 0:
                break  # see `buffer`
            data = self._spare[min(passed, self._spared) : self._spared]
            room = pieces[0].room()
            count = min(len(data), len(room))
            room[:count] = data[:count]
            rest = bytes(data[count:])
            self._spare[: len(rest)] = rest
            self._spared = len(rest)
            if count:
                self._fill(count)
        if pieces or self._pouring.is_stopped:
            go_on, self._go_on = self._go_on, _nothing
            go_on()
        if not self.has_spare:
            spent, self._spent = self._spent, _nothing
            spent()

    def _check_wanted(self) -> None:
        if self._pouring.is_stopped:
            raise Cancelled("no more of it is wanted")


class _Nowhere:
    """Bytes that are where they are to be."""

    def write_at(self, view: memoryview, offset: int) -> None:
        """Nothing is left to do."""


_NOWHERE: Final = _Nowhere()


def _nothing() -> None:
    """Nobody waits."""
