"""Signals as something that a selector can wait for.

A Python signal handler runs between two bytecodes of whatever is running, which is no place to decide anything. So the
handlers here only count; the number of the signal goes into a pipe that the supervisor's selector watches together with
everything else, and is dealt with where the loop deals with events.

One case is left to the handler: a process that is asked to end three times and has not looked at its pipe in between is
stuck, and ends there and then. Its workers die with it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from types import FrameType
from typing import Any
from typing import Self

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that ask the job to end."""
WATCHED = (*ENDING, signal.SIGCHLD)
PATIENCE = 3
"""So many unseen requests to end, and the process ends without its loop."""


class SignalWatch:
    """Catches signals from its construction until `restore`. Main thread only; one at a time in a process."""

    __slots__ = ("_previous", "_previous_wakeup", "_read_fd", "_unseen", "_write_fd")

    def __init__(self, signals: Sequence[signal.Signals] = WATCHED) -> None:
        """Watch `signals`. Those of `ENDING` that the process was started to ignore (nohup) stay ignored.

        Raises:
            ValueError: not the main thread.
            OSError: no file descriptors left.
        """
        self._unseen = 0
        self._read_fd, self._write_fd = os.pipe()
        os.set_blocking(self._read_fd, False)
        os.set_blocking(self._write_fd, False)
        self._previous: dict[signal.Signals, Any] = {}
        try:
            # A full pipe holds 64 Ki signals nobody looked at: one more says nothing new.
            self._previous_wakeup = signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False)
        except ValueError:
            os.close(self._read_fd)
            os.close(self._write_fd)
            raise
        for number in signals:
            if number in ENDING and signal.getsignal(number) is signal.SIG_IGN:
                continue
            self._previous[number] = signal.signal(number, self._count)

    def fileno(self) -> int:
        """Readable when a signal has come."""
        return self._read_fd

    def drain(self) -> list[signal.Signals]:
        """The signals that have come since the last call, in order."""
        self._unseen = 0
        numbers: list[signal.Signals] = []
        while True:
            try:
                data = os.read(self._read_fd, 4096)
            except BlockingIOError:
                return numbers
            numbers += [signal.Signals(number) for number in data if number in self._previous]

    def restore(self) -> None:
        """Put back what was there before. Calling it twice is harmless."""
        if self._read_fd < 0:
            return
        for number, handler in self._previous.items():
            # None: a handler that was not set from Python and cannot be set from here
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        signal.set_wakeup_fd(self._previous_wakeup)
        os.close(self._read_fd)
        os.close(self._write_fd)
        self._read_fd = self._write_fd = -1

    def _count(self, number: int, _frame: FrameType | None) -> None:
        if number in ENDING:
            self._unseen += 1
            if self._unseen >= PATIENCE:
                os._exit(128 + number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.restore()
