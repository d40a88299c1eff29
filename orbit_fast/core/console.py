"""What a running job shows the person in front of it: a snapshot of its numbers, and whoever displays them.

The supervisor makes a `Snapshot` from the shared counters a few times a second and gives it to a `Console`. The command
line has one that draws on a terminal and one that draws nothing; a test has a list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The numbers of a running job at one moment.

    Attributes:
        bytes_done: object bytes moved so far, repeated ones not counted.
        bytes_total: of everything planned, or None while the sources are still being listed.
        files_done: objects that ended, skipped and failed ones included.
        files_total: objects planned, or None while the sources are still being listed.
        files_failed: objects that failed.
        in_flight: objects being moved now.
        retries: requests that had to be sent again.
        elapsed_s: seconds since the job began.
        rate_bps: bytes per second over the last few seconds.
    """

    bytes_done: int = 0
    bytes_total: int | None = None
    files_done: int = 0
    files_total: int | None = None
    files_failed: int = 0
    in_flight: int = 0
    retries: int = 0
    elapsed_s: float = 0.0
    rate_bps: float = 0.0

    @property
    def eta_s(self) -> float | None:
        """Seconds until every planned byte is moved at the present rate, or None where that cannot be said."""
        if self.bytes_total is None or self.rate_bps <= 0:
            return None
        return max(0, self.bytes_total - self.bytes_done) / self.rate_bps


class Console(Protocol):
    """Shows a job's progress. Every method returns at once."""

    @property
    def is_stdout_tty(self) -> bool:
        """Whether lines on stdout share a terminal with the display."""

    def show(self, snapshot: Snapshot) -> None:
        """Draw `snapshot` in the place of the one before."""

    def write(self, lines: bytes, *, is_error: bool = False) -> bool:
        """Print whole lines above the display. False means: not taken, write them to the stream yourself."""

    def close(self) -> None:
        """Take the display away and leave the terminal as it was. May be called more than once."""


class SilentConsole:
    """A console that shows nothing: pipes, files, ``--quiet``, ``--json``, tests."""

    is_stdout_tty = False

    def show(self, snapshot: Snapshot) -> None:
        """Nothing."""

    def write(self, lines: bytes, *, is_error: bool = False) -> bool:  # noqa: ARG002  the protocol's arguments
        """Not taken."""
        return False

    def close(self) -> None:
        """Nothing."""
