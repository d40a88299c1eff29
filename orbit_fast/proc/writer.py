"""The one owner of stdout (and, as another instance, of the lines on stderr).

Everything that orbit reports passes through here as whole lines, so that no two lines ever mix and a reader of JSON
Lines never sees half a record. The supervisor must never wait for whoever reads, and it must not make the file
descriptor it was given non-blocking either: that flag belongs to the open file, which the shell and other programs
share. So:

* A terminal or a pipe is opened once more, which makes an open file of our own that can be non-blocking. (``poll``
  alone is not enough: it calls a terminal writable that has room for one byte, and another program may fill the pipe
  between ``poll`` and ``write``.) Where that is not allowed, and for sockets, ``poll`` has to do.
* To these it writes at most ``PIPE_BUF`` bytes at once, which do not mix with the writes of others, up to the end of a
  line wherever one fits.
* To a regular file or a device it just writes.

When the reader is gone, the disk is full or the file descriptor closed, the first error is remembered in `broken`, the
rest is dropped and counted, and the work goes on: losing the report must not cost the transfer. Of a line that a full
disk cut short, the beginning is taken away again.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import selectors
import stat
import sys
from collections.abc import Callable
from collections.abc import Iterable

CAPACITY = 1 << 20
"""Queued bytes from which the writer is congested: some thousand lines."""
FILE_STEP = 256 << 10
"""Bytes written to a file at once, and the most that one `pump` writes: keeps the loop turning."""


def hold_standard_fds() -> tuple[int, ...]:
    """Give stdin, stdout and stderr a place if they are closed; which of them were.

    To be called before anything is opened: else a pipe or a mapping would take number 1 and be written to as stdout.
    The place is the null device, opened for reading, so that a write fails as it would on the closed one.

    Raises:
        OSError: there is no null device.
    """
    closed: list[int] = []
    while True:
        fd = os.open(os.devnull, os.O_RDONLY)
        if fd > 2:
            os.close(fd)
            return tuple(closed)
        closed.append(fd)


class LineWriter:
    """Whole lines, queued, written when there is room.

    Attributes:
        broken: the error that ended writing, or None.
        lost_bytes: bytes of lines that were dropped because of it.
        is_pollable: whether a selector can watch `fileno`; a regular file cannot be watched and always takes a write.
    """

    __slots__ = ("_buffer", "_capacity", "_fd", "_given_fd", "_partial", "broken", "is_pollable", "lost_bytes")

    def __init__(self, fd: int, *, capacity: int = CAPACITY) -> None:
        """Write to `fd`, which stays the caller's and is never closed or reconfigured here."""
        self._fd = self._given_fd = fd
        self._capacity = capacity
        self._buffer = bytearray()
        self._partial = 0
        self.lost_bytes = 0
        self.is_pollable = False
        self.broken: OSError | None = None
        try:
            mode = os.fstat(fd).st_mode
        except OSError as error:
            self.broken = error
        else:
            is_terminal = os.isatty(fd)
            self.is_pollable = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or is_terminal
            if is_terminal or stat.S_ISFIFO(mode):
                self._fd = open_again(fd, is_terminal=is_terminal)

    def close(self) -> None:
        """Drop what is queued and end. Stop watching `fileno` first; closing twice is harmless."""
        self._buffer.clear()
        if self.broken is None:
            self.broken = OSError(errno.EBADF, os.strerror(errno.EBADF))
        if self._fd != self._given_fd:
            os.close(self._fd)
            self._fd = self._given_fd

    def fileno(self) -> int:
        """What to watch for writability while `wants_write`, where `is_pollable`."""
        return self._fd

    @property
    def wants_write(self) -> bool:
        """Whether lines are waiting."""
        return bool(self._buffer)

    @property
    def queued_bytes(self) -> int:
        """Bytes that are waiting."""
        return len(self._buffer)

    @property
    def is_congested(self) -> bool:
        """Whether whoever makes lines should wait."""
        return len(self._buffer) >= self._capacity

    def write(self, lines: bytes) -> None:
        """Queue whole lines. They are dropped where the writer is `broken`.

        Raises:
            ValueError: the last line has no end.
        """
        if not lines:
            return
        if not lines.endswith(b"\n"):
            raise ValueError("a line without its end")
        if self.broken is not None:
            self.lost_bytes += len(lines)
            return
        self._buffer += lines

    def pump(self) -> None:
        """Write what can be written now without waiting, about `FILE_STEP` bytes at most."""
        if not self.is_pollable:
            if self._buffer:
                self._write_some()
            return
        budget = FILE_STEP
        while self._buffer and budget > 0 and self._has_room(0):
            written = self._write_some()
            if not written:
                return
            budget -= written

    def drain(self, timeout_s: float, monotonic_s: Callable[[], float]) -> bool:
        """Write all that is queued, waiting for the reader at most `timeout_s` seconds; whether all was written."""
        end_s = monotonic_s() + timeout_s
        while self._buffer:
            left_s = end_s - monotonic_s()
            if left_s <= 0:
                return False
            if self.is_pollable and not self._has_room(left_s):
                return False
            self.pump()
        return self.broken is None

    def _has_room(self, timeout_s: float) -> bool:
        """Whether a write of ``PIPE_BUF`` bytes would not wait (or would fail at once)."""
        poller = select.poll()
        poller.register(self._fd, select.POLLOUT)
        return bool(poller.poll(timeout_s * 1000))

    def _write_some(self) -> int:
        """One write; how many bytes went, 0 where none can now."""
        size = self._piece_size()
        try:
            with memoryview(self._buffer) as queued, queued[:size] as piece:
                written = os.write(self._fd, piece)
        except BlockingIOError:
            return 0
        except OSError as error:
            self._give_up(error)
            return 0
        line_end = self._buffer.rfind(b"\n", 0, written) + 1
        self._partial = written - line_end if line_end else self._partial + written
        del self._buffer[:written]
        return written

    def _piece_size(self) -> int:
        """How much to write at once: whole lines, unless one is longer than a write may be."""
        limit = select.PIPE_BUF if self.is_pollable else FILE_STEP
        if len(self._buffer) <= limit:
            return len(self._buffer)
        return self._buffer.rfind(b"\n", 0, limit) + 1 or limit

    def _give_up(self, error: OSError) -> None:
        self.broken = error
        self.lost_bytes += self._partial + len(self._buffer)
        self._buffer.clear()
        if self._partial and not self.is_pollable:
            self._take_back_partial()

    def _take_back_partial(self) -> None:
        """Cut the beginning of an unfinished line off the end of the file, unless others have written behind it."""
        try:
            end = os.lseek(self._fd, 0, os.SEEK_CUR)
            facts = os.fstat(self._fd)
            if stat.S_ISREG(facts.st_mode) and end == facts.st_size:
                os.ftruncate(self._fd, end - self._partial)
                os.lseek(self._fd, end - self._partial, os.SEEK_SET)
        except OSError:
            return  # it stays; `broken` says already that the report is not whole

    def __repr__(self) -> str:
        state = f"broken={self.broken}" if self.broken else "open"
        return f"<LineWriter fd={self._fd} {state} queued={len(self._buffer)} lost={self.lost_bytes}>"


def watch_writers(selector: selectors.BaseSelector, writers: Iterable[LineWriter]) -> None:
    """Wake up when a reader of ours has taken something; a file always takes a write, and needs no watching."""
    for writer in writers:
        is_watched = writer.fileno() in selector.get_map()
        wants = writer.is_pollable and writer.wants_write
        if wants and not is_watched:
            with contextlib.suppress(PermissionError):  # epoll takes no file; then the tick looks after it
                selector.register(writer.fileno(), selectors.EVENT_WRITE, writer.pump)
        elif is_watched and not wants:
            selector.unregister(writer.fileno())


def open_again(fd: int, *, is_terminal: bool, access: int = os.O_WRONLY) -> int:
    """The terminal or pipe behind `fd` as a non-blocking open file of our own, or `fd` where that cannot be had."""
    try:
        if is_terminal:
            path = os.ttyname(fd)
        elif sys.platform == "linux":
            path = f"/proc/self/fd/{fd}"
        else:
            return fd
        return os.open(path, access | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:  # another user's pipe, a terminal of another container, a reader that is gone
        return fd
