"""Lines of text from a file, a pipe or a terminal, without ever waiting for them."""

from __future__ import annotations

import os
import select
import stat
from collections import deque

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import LocalError

READ_BYTES = 64 << 10
MAX_LINE_BYTES = 1 << 20
"""A longer line is no command; who writes one has given the wrong file."""


class LineReader:
    """Reads lines from a file descriptor.

    Attributes:
        number: lines given out so far.
        is_pollable: whether a selector can tell when there is more; a regular file always has more, until its end.
    """

    def __init__(self, fd: int, title: str = "the commands") -> None:
        """`fd` stays the caller's; `title` is what errors call what it gives."""
        self._fd = fd
        self._title = title
        self._partial = b""
        self._lines: deque[bytes] = deque()
        self._is_at_end = False
        self.number = 0
        self.is_pollable = not stat.S_ISREG(os.fstat(fd).st_mode)

    def fileno(self) -> int:
        """What to watch for readability while there is nothing to take, where `is_pollable`."""
        return self._fd

    @property
    def is_ended(self) -> bool:
        """All lines have been given out."""
        return self._is_at_end and not self._lines

    def take(self) -> tuple[int, str] | None:
        """The next line, with its number; None where there is none now.

        Bytes that are not UTF-8 become lone surrogates, as in arguments of a command line.

        Raises:
            InvalidConfig: it is longer than `MAX_LINE_BYTES`.
            LocalError: the source cannot be read.
        """
        taken = self.take_bytes()
        return None if taken is None else (taken[0], os.fsdecode(taken[1]))

    def take_bytes(self) -> tuple[int, bytes] | None:
        """As `take`, as bytes.

        Raises:
            InvalidConfig: as `take`.
            LocalError: as `take`.
        """
        if not self._lines and not self._is_at_end:
            self._read()
        if not self._lines:
            return None
        self.number += 1
        return self.number, self._lines.popleft()

    def _read(self) -> None:
        try:
            if self.is_pollable and not _has_something(self._fd):
                return
            data = os.read(self._fd, READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            raise LocalError(f"{self._title} cannot be read: {error.strerror}") from None
        whole, _, partial = (self._partial + data).rpartition(b"\n") if data else (self._partial, b"", b"")
        self._is_at_end = not data
        if len(partial) > MAX_LINE_BYTES:
            raise InvalidConfig(
                f"{self._title}:{self.number + 1}: a line of more than {MAX_LINE_BYTES} bytes: is this the right file?"
            )
        if whole or (data and b"\n" in data):
            self._lines.extend(whole.split(b"\n"))
        self._partial = partial


def _has_something(fd: int) -> bool:
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    return bool(poller.poll(0))
