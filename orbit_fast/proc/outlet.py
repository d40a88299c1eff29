"""stdout as a place for data: what may be waited for by nobody, and what a lost reader means.

As with the lines of `writer`, the supervisor must not wait for whoever reads, and must not make the file descriptor
that it was given non-blocking: a pipe or a terminal is opened once more, a socket is written to with a flag, a file
just takes what it is given.
"""

from __future__ import annotations

import fcntl
import os
import select
import selectors
import socket
import stat
import sys
from collections.abc import Callable

from orbit_fast.proc.writer import open_again

STEP = 1 << 20
"""Bytes written at once: a pipe takes no more, and of a file they keep the loop turning."""

PIPE_BYTES = 1 << 20
"""What a pipe may hold if it may be changed: fewer and larger turns for both ends."""


class Outlet:
    """Takes bytes for as long as somebody reads.

    Attributes:
        broken: the error that ended writing, or None.
        is_pollable: whether a selector can watch `fileno`; a file always takes a write.
    """

    def __init__(self, fd: int = 1) -> None:
        """Write to `fd`, which stays the caller's."""
        self._fd = self._given_fd = fd
        self._socket: socket.socket | None = None
        self._limit = STEP
        self.is_pollable = False
        self.broken: OSError | None = None
        try:
            mode = os.fstat(fd).st_mode
        except OSError as error:
            self.broken = error
            return
        is_terminal = os.isatty(fd)
        if is_terminal or stat.S_ISFIFO(mode):
            self.is_pollable = True
            self._fd = open_again(fd, is_terminal=is_terminal)
            if self._fd == fd:
                self._fd = os.dup(fd)  # a number of its own: the writer of lines watches the other
                self._limit = select.PIPE_BUF  # it may block: so much fits where there is room at all
            elif not is_terminal:
                widen_pipe(self._fd)
        elif stat.S_ISSOCK(mode):
            self.is_pollable = True
            self._socket = socket.socket(fileno=os.dup(fd))
            self._fd = self._socket.fileno()

    def fileno(self) -> int:
        """What to watch for writability, where `is_pollable`."""
        return self._fd

    def write(self, data: memoryview) -> int:
        """Write some of `data` without waiting; how many bytes went, 0 where none can now, or `broken` says why."""
        if self.broken is not None:
            return 0
        piece = data[: self._limit]
        try:
            if self._socket is not None:
                return self._socket.send(piece, socket.MSG_DONTWAIT)
            if self._limit < STEP and not self._has_room():
                return 0
            return os.write(self._fd, piece)
        except BlockingIOError:
            return 0
        except OSError as error:
            self.broken = OSError(error.errno, error.strerror)  # without the frames, which hold views of the data
            return 0
        finally:
            piece.release()

    def watch(self, selector: selectors.BaseSelector, go_on: Callable[[], None], *, wanted: bool) -> None:
        """Have `go_on` called when somebody has read, or not any more."""
        if not self.is_pollable:
            return
        is_watched = self._fd in selector.get_map()
        if wanted and not is_watched and self.broken is None:
            selector.register(self._fd, selectors.EVENT_WRITE, go_on)
        elif is_watched and (not wanted or self.broken is not None):
            selector.unregister(self._fd)

    def close(self) -> None:
        """End. Stop watching `fileno` first; closing twice is harmless."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        elif self._fd != self._given_fd:
            os.close(self._fd)
        self._fd = self._given_fd

    def _has_room(self) -> bool:
        poller = select.poll()
        poller.register(self._fd, select.POLLOUT)
        return bool(poller.poll(0))


def widen_pipe(fd: int) -> None:
    """Let a pipe hold more, where the system allows it."""
    if sys.platform == "linux":
        try:
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        except OSError:
            return  # more than a user may have in all, or a pipe that holds more than this already
