"""stdout, where lines and data take turns.

Data of an object must not be broken by lines of others, and lines must not be broken by data. So whoever writes data
asks for a turn: it begins when every line that was written before has gone, and while it lasts, lines wait. They wait
in memory, and on disk where they become many: nobody else is made to wait, since the data may come from the same
workers that make the lines. When the turn is over, all lines that have waited are written before the next one begins.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable

from orbit_fast.proc.writer import CAPACITY
from orbit_fast.proc.writer import FILE_STEP
from orbit_fast.proc.writer import LineWriter

FULL_BYTES = 64 << 20
"""Waiting lines from which nothing new should be begun that makes more of them."""


class TurnWriter(LineWriter):
    """The writer of lines, which lets others write between two of them.

    Attributes:
        on_turn: called when a turn that was asked for can begin.
    """

    __slots__ = ("_due", "_is_asked", "_kept", "_kept_at", "_kept_end", "on_turn")

    def __init__(self, fd: int, *, capacity: int = CAPACITY) -> None:
        super().__init__(fd, capacity=capacity)
        self.on_turn: Callable[[], None] = lambda: None
        self._is_asked = False
        self._kept = _new_file()
        self._kept_at = 0
        self._kept_end = 0
        self._due = 0

    def ask_turn(self) -> bool:
        """Have lines wait from now on; whether the turn has come already."""
        self._is_asked = True
        left = -1
        while self.wants_write and left != (left := self.queued_bytes + self._due - self._kept_at):
            self._refill()
            super().pump()
        return self.has_turn

    def end_turn(self) -> None:
        """Nobody writes data any more: what has waited goes first."""
        self._is_asked = False
        self._due = self._kept_end
        self._refill()

    @property
    def has_turn(self) -> bool:
        """Data may be written: every line of before has gone."""
        return self._is_asked and not self._buffer and self._kept_at >= self._due

    @property
    def is_full(self) -> bool:
        """So many lines wait that nothing should be begun that makes more."""
        return self._kept_end - self._kept_at >= FULL_BYTES

    @property
    def wants_write(self) -> bool:
        """Whether lines are waiting that may be written."""
        return bool(self._buffer) or self._kept_at < self._due

    @property
    def is_congested(self) -> bool:
        """Whether whoever makes lines should wait: never while data is written, which would wait with them."""
        return len(self._buffer) >= self._capacity or self._kept_at < self._due

    def write(self, lines: bytes) -> None:
        """Queue whole lines, or have them wait.

        Raises:
            ValueError: the last line has no end.
        """
        if self.broken is not None or not lines.endswith(b"\n") or not (self._is_asked or self._kept_end):
            super().write(lines)
            return
        try:
            self._kept.seek(self._kept_end)
            self._kept.write(lines)
        except OSError as error:
            self.lost_bytes += len(lines) + self._kept_end - self._kept_at
            self._forget()
            self._give_up(error)
            return
        self._kept_end += len(lines)
        if not self._is_asked:
            self._due = self._kept_end

    def pump(self) -> None:
        """As every writer; then tell whoever waits for a turn that it has come."""
        self._refill()
        super().pump()
        if self.has_turn:
            self.on_turn()

    def drain(self, timeout_s: float, monotonic_s: Callable[[], float]) -> bool:
        """As every writer, with what has waited."""
        end_s = monotonic_s() + timeout_s
        while self.wants_write:
            self._refill()
            if not super().drain(end_s - monotonic_s(), monotonic_s):
                return False
        return self.broken is None

    def close(self) -> None:
        """As every writer."""
        super().close()
        self._kept.close()

    def _refill(self) -> None:
        """Take some of what has waited into the queue."""
        while self._kept_at < self._due and len(self._buffer) < FILE_STEP:
            try:
                self._kept.seek(self._kept_at)
                lines = self._kept.read(min(FILE_STEP, self._due - self._kept_at))
                lines += b"" if lines.endswith(b"\n") else self._kept.readline()
            except OSError as error:
                self.lost_bytes += self._kept_end - self._kept_at
                self._forget()
                self._give_up(error)
                return
            self._kept_at += len(lines)
            self._buffer += lines
        if self._kept_end and self._kept_at == self._kept_end:
            self._forget()

    def _give_up(self, error: OSError) -> None:
        super()._give_up(error)
        self.lost_bytes += self._kept_end - self._kept_at
        self._forget()

    def _forget(self) -> None:
        """Nothing waits any more."""
        self._kept_at = self._kept_end = self._due = 0
        with contextlib.suppress(OSError):  # a full disk, which has been told of
            self._kept.close()
        self._kept = _new_file()


def _new_file() -> tempfile.SpooledTemporaryFile[bytes]:
    """In memory, and on disk once it holds as much as a queue of lines may."""
    return tempfile.SpooledTemporaryFile(max_size=CAPACITY)
