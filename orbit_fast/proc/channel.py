"""Framed messages over a pair of pipes: orders one way, events the other.

A frame is a header of 16 bytes and a payload::

    magic and version (4) | length (4) | length, every bit flipped (4) | CRC32 of the payload (4) | payload

The length stands there twice so that a damaged one is noticed at once: with a checksum over the payload alone the
reader would first have to wait for bytes that never come. A reader that meets anything else than a whole, intact frame
raises `BrokenFrame`, and its process gives up the one at the other end: a message is understood exactly or not at all.

Both ends are non-blocking and neither side ever waits in a write: what the pipe does not take stays in the queue, and
`is_congested` tells the producer to stop making more. The same `Channel` serves the supervisor's selector loop and a
worker's asyncio loop; who watches the file descriptors is told by one callback when there is a backlog to write.
"""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from orbit_fast.core.errors import Internal

MAGIC = b"orb\x02"
"""Three letters and the version of the framing."""
MAX_PAYLOAD = 16 << 20
"""Longest payload: a listing page of 1,000 keys of 1,024 bytes, or the facts of 10,000 parts, fits ten times."""
HIGH_WATER = 1 << 20
"""Queued bytes from which a channel is congested: as much again as the pipe itself holds."""
CAPACITY = 64 << 20
"""Queued bytes from which `send` refuses: the producer did not heed `is_congested`."""
PIPE_BYTES = 1 << 20
"""What a pipe is asked to hold; an unprivileged process may ask for this much (``fs.pipe-max-size``)."""
READ_BYTES = 256 << 10
"""Bytes taken from a pipe at once: stays in a core's cache."""

_HEADER = struct.Struct("<4sIII")
_FLIP = 0xFFFFFFFF
_IOV_MAX = 512
_SMALL = 32 << 10


class BrokenFrame(Internal):
    """What arrived is not an intact frame of this version."""


class PeerGone(Internal):
    """The process at the other end has closed the pipe or is dead."""


class ChannelFull(Internal):
    """More was sent than the queue may hold."""


def encode_frame(payload: bytes) -> bytes:
    """`payload` with its header before it.

    Raises:
        ValueError: it is longer than `MAX_PAYLOAD`.
    """
    return encode_header(payload) + payload


def encode_header(payload: bytes) -> bytes:
    """The header of `payload`.

    Raises:
        ValueError: it is longer than `MAX_PAYLOAD`.
    """
    length = len(payload)
    if length > MAX_PAYLOAD:
        raise ValueError(f"a message of {length} bytes does not fit a frame of {MAX_PAYLOAD}")
    return _HEADER.pack(MAGIC, length, length ^ _FLIP, zlib.crc32(payload))


class FrameReader:
    """Bytes in, payloads out; no file descriptor, no loop."""

    __slots__ = ("_held", "_wanted")

    def __init__(self) -> None:
        self._held = bytearray()
        self._wanted = 0

    @property
    def is_mid_frame(self) -> bool:
        """Whether the bytes so far end inside a frame."""
        return bool(self._held)

    def feed(self, data: bytes | bytearray | memoryview) -> list[memoryview]:
        """The payloads that are complete with `data`.

        They are views of `data` or of memory of their own: valid as long as the caller leaves `data` as it is.

        Raises:
            BrokenFrame: not a frame, or a damaged one. The reader is of no use afterwards.
        """
        if self._held:
            self._held += data
            if len(self._held) < self._wanted:
                return []
            data, self._held = self._held, bytearray()
        view = memoryview(data)
        payloads: list[memoryview] = []
        position, end = 0, len(view)
        while end - position >= _HEADER.size:
            size = _HEADER.size + _length(view[position : position + _HEADER.size])
            if end - position < size:
                self._wanted = size
                break
            payloads.append(_payload(view[position : position + size]))
            position += size
        else:
            self._wanted = _HEADER.size
        if position < end:
            self._held += view[position:]
        return payloads


def _length(header: memoryview) -> int:
    """The payload length that a header announces."""
    magic, length, flipped, _ = _HEADER.unpack(header)
    if magic != MAGIC:
        raise BrokenFrame(f"a frame begins with {magic.hex()} instead of {MAGIC.hex()}")
    if length ^ _FLIP != flipped or length > MAX_PAYLOAD:
        raise BrokenFrame(f"a frame announces an impossible length ({length})")
    return int(length)


def _payload(frame: memoryview) -> memoryview:
    """The payload of a whole frame, proven."""
    payload = frame[_HEADER.size :]
    checksum = _HEADER.unpack(frame[: _HEADER.size])[3]
    if zlib.crc32(payload) != checksum:
        raise BrokenFrame(f"a frame of {len(payload)} bytes is damaged")
    return payload


class FrameWriter:
    """The queue of frames on their way into one non-blocking file descriptor."""

    __slots__ = ("_fd", "_high_water", "_queue", "queued_bytes")

    def __init__(self, fd: int, *, high_water: int = HIGH_WATER) -> None:
        self._fd = fd
        self._high_water = high_water
        self._queue: deque[bytes | memoryview] = deque()
        self.queued_bytes = 0

    @property
    def is_congested(self) -> bool:
        """Whether the producer should wait before it sends more."""
        return self.queued_bytes >= self._high_water

    def send(self, payload: bytes) -> None:
        """Queue one message; `flush` writes it.

        Raises:
            ValueError: it is longer than `MAX_PAYLOAD`.
            ChannelFull: `CAPACITY` bytes are queued already.
        """
        if self.queued_bytes >= CAPACITY:
            raise ChannelFull(f"{self.queued_bytes} bytes wait for a process that does not read")
        header = encode_header(payload)
        if len(payload) <= _SMALL:
            self._queue.append(header + payload)
        else:
            self._queue.append(header)
            self._queue.append(payload)
        self.queued_bytes += len(header) + len(payload)

    def flush(self) -> bool:
        """Write what the pipe takes now, many frames in one call; whether nothing is left.

        Raises:
            PeerGone: nobody will read it.
        """
        while self._queue:
            try:
                written = os.writev(self._fd, list(islice(self._queue, _IOV_MAX)))
            except BlockingIOError:
                return False
            except (BrokenPipeError, ConnectionResetError) as error:
                raise PeerGone("the process at the other end of the pipe does not read any more") from error
            self._forget(written)
        return True

    def discard(self) -> None:
        """Drop what is queued."""
        self._queue.clear()
        self.queued_bytes = 0

    def _forget(self, written: int) -> None:
        """Take `written` bytes from the front of the queue."""
        self.queued_bytes -= written
        queue = self._queue
        while written:
            first = queue.popleft()
            if len(first) > written:
                queue.appendleft(memoryview(first)[written:])
                return
            written -= len(first)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """The two file descriptors that one process has of a channel."""

    read_fd: int
    write_fd: int

    def close(self) -> None:
        """Close both."""
        os.close(self.read_fd)
        os.close(self.write_fd)


def open_pipe() -> tuple[int, int]:
    """A pipe (read end, write end), not inherited by exec, holding 1 MiB where the system allows.

    Raises:
        OSError: no file descriptors left.
    """
    read_fd, write_fd = os.pipe()
    set_size = getattr(fcntl, "F_SETPIPE_SZ", None)
    if set_size is not None:
        try:
            fcntl.fcntl(write_fd, set_size, PIPE_BYTES)
        except OSError:
            # The user's pages for pipes are used up: the 64 KiB it has are slower, not wrong.
            return read_fd, write_fd
    return read_fd, write_fd


def open_channel() -> tuple[Ends, Ends]:
    """Two pipes: the supervisor's ends and the worker's.

    Raises:
        OSError: no file descriptors left.
    """
    orders_read, orders_write = open_pipe()
    try:
        events_read, events_write = open_pipe()
    except OSError:
        os.close(orders_read)
        os.close(orders_write)
        raise
    return Ends(read_fd=events_read, write_fd=orders_write), Ends(read_fd=orders_read, write_fd=events_write)


class Channel:
    """One process's side of a pair of pipes.

    Attributes:
        read_fd: watch it for readability and call `read`.
        write_fd: watch it for writability while there is a backlog, and call `flush`.
        is_ended: the other side has closed its end: nothing more will come.
        watch_backlog: called with True when something could not be written at once (watch `write_fd`, call `flush`
            when it is writable) and with False when all of it has gone.
    """

    __slots__ = (
        "_buffer",
        "_has_backlog",
        "_is_closed",
        "_reader",
        "_writer",
        "is_ended",
        "read_fd",
        "watch_backlog",
        "write_fd",
    )

    def __init__(
        self,
        ends: Ends,
        *,
        watch_backlog: Callable[[bool], None] | None = None,
        high_water: int = HIGH_WATER,
    ) -> None:
        self.read_fd = ends.read_fd
        self.write_fd = ends.write_fd
        os.set_blocking(ends.read_fd, False)
        os.set_blocking(ends.write_fd, False)
        self.watch_backlog = watch_backlog
        self.is_ended = False
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._reader = FrameReader()
        self._writer = FrameWriter(ends.write_fd, high_water=high_water)
        self._has_backlog = False
        self._is_closed = False

    @property
    def is_congested(self) -> bool:
        """Whether the producer should wait before it sends more."""
        return self._writer.is_congested

    @property
    def queued_bytes(self) -> int:
        """Bytes sent that the pipe has not taken yet."""
        return self._writer.queued_bytes

    def read(self) -> list[memoryview]:
        """The payloads that have arrived: one read of the pipe, valid until the next call.

        Sets `is_ended` when the other side has closed.

        Raises:
            BrokenFrame: a damaged frame, or an end in the middle of one.
        """
        try:
            count = os.readv(self.read_fd, [self._buffer])
        except BlockingIOError:
            return []
        except ConnectionResetError:
            count = 0
        if count:
            return self._reader.feed(self._buffer[:count])
        self.is_ended = True
        if self._reader.is_mid_frame:
            raise BrokenFrame("the other process ended in the middle of a message")
        return []

    def send(self, payload: bytes) -> None:
        """Queue one message; `flush` writes it, together with all that are queued.

        Raises:
            ValueError: it is longer than `MAX_PAYLOAD`.
            ChannelFull: the queue holds `CAPACITY` bytes already.
        """
        self._writer.send(payload)

    def flush(self) -> bool:
        """Write what the pipe takes now; whether nothing is left.

        Raises:
            PeerGone: nobody will read it.
        """
        is_empty = self._writer.flush()
        if self._has_backlog == is_empty:
            self._has_backlog = not is_empty
            if self.watch_backlog is not None:
                self.watch_backlog(self._has_backlog)
        return is_empty

    def close(self) -> None:
        """Close both ends and drop what is queued. Stop watching them first; closing twice is harmless."""
        if self._is_closed:
            return
        self._is_closed = True
        self._writer.discard()
        os.close(self.read_fd)
        os.close(self.write_fd)

    def __repr__(self) -> str:
        state = "closed" if self._is_closed else "ended" if self.is_ended else "open"
        return f"<Channel {state} read_fd={self.read_fd} write_fd={self.write_fd} queued={self.queued_bytes}>"
