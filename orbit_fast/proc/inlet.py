"""stdin as a source of data, read without waiting where it can be waited for."""

from __future__ import annotations

import os
import selectors
import socket
import stat
from collections.abc import Callable

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import S3Error
from orbit_fast.io.diskerrors import Side
from orbit_fast.io.diskerrors import local_error
from orbit_fast.proc.outlet import widen_pipe
from orbit_fast.proc.writer import open_again

STEP = 4 << 20
"""Bytes read at once, at most: keeps the loop turning."""


class Inlet:
    """Gives bytes until there are no more.

    Attributes:
        is_pollable: whether a selector can watch `fileno`; a file is always ready.
    """

    def __init__(self, fd: int = 0) -> None:
        """Read from `fd`, which stays the caller's.

        Raises:
            InvalidConfig: it is closed, or a terminal: nobody types an object.
        """
        self._fd = self._given_fd = fd
        self._socket: socket.socket | None = None
        try:
            mode = os.fstat(fd).st_mode
        except OSError:
            raise InvalidConfig("stdin is closed: give it the bytes of the object") from None
        if os.isatty(fd):
            raise InvalidConfig("stdin is a terminal: give it the bytes of the object (program | orbit pipe URL)")
        if stat.S_ISDIR(mode):
            raise InvalidConfig("stdin is a directory: give it the bytes of the object")
        self.is_pollable = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
        if stat.S_ISFIFO(mode):
            self._fd = open_again(fd, is_terminal=False, access=os.O_RDONLY)
            if self._fd != fd:
                widen_pipe(self._fd)
        elif stat.S_ISSOCK(mode):
            self._socket = socket.socket(fileno=os.dup(fd))
            self._fd = self._socket.fileno()

    def fileno(self) -> int:
        """What to watch for readability, where `is_pollable`."""
        return self._fd

    def read(self, into: memoryview) -> int | None:
        """Bytes that were read into `into` without waiting; 0 at the end, None where there are none yet.

        Raises:
            S3Error: it cannot be read.
        """
        piece = into[:STEP]
        try:
            if self._socket is not None:
                return self._socket.recv_into(piece, 0, socket.MSG_DONTWAIT)
            return os.readv(self._fd, [piece])
        except BlockingIOError:
            return None
        except OSError as error:
            raise _unreadable(error) from None
        finally:
            piece.release()

    def watch(self, selector: selectors.BaseSelector, go_on: Callable[[], None]) -> None:
        """Have `go_on` called when there is something to read."""
        if self._fd not in selector.get_map():
            selector.register(self._fd, selectors.EVENT_READ, go_on)

    def unwatch(self, selector: selectors.BaseSelector) -> None:
        """Not any more."""
        if self._fd in selector.get_map():
            selector.unregister(self._fd)

    def close(self) -> None:
        """End. Closing twice is harmless."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        elif self._fd != self._given_fd:
            os.close(self._fd)
        self._fd = self._given_fd


def _unreadable(error: OSError) -> S3Error:
    return local_error(error, b"stdin", Side.SOURCE)
