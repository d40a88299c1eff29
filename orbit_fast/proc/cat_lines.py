"""The lines of a script that write objects to stdout: one after another, in the order in which they were read."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence

from orbit_fast.core.location import KeySource
from orbit_fast.core.work import Line
from orbit_fast.proc.catjob import Cat
from orbit_fast.proc.outlet import Outlet
from orbit_fast.proc.progress import Amount
from orbit_fast.proc.report import Report
from orbit_fast.proc.supervisor import Supervisor
from orbit_fast.proc.turns import TurnWriter
from orbit_fast.proc.voice import LineVoice
from orbit_fast.proc.wanted import Wanted


class CatLines:
    """All of them. stdout is taken when there is the first.

    Args:
        supervisor: of the script.
        report: likewise.
        turns: the writer of lines, which lets data pass.
        range_size: bytes that are fetched at once.

    Attributes:
        amount: what all lines of the script have found.
    """

    def __init__(self, supervisor: Supervisor, report: Report, turns: TurnWriter, *, range_size: int) -> None:
        self._supervisor = supervisor
        self._report = report
        self._turns = turns
        self.amount = Amount()
        self._range_size = range_size
        self._outlet: Outlet | None = None
        self._cat: Cat | None = None
        self._wanted: dict[int, Wanted] = {}

    def __len__(self) -> int:
        """Lines that are not over."""
        return 0 if self._cat is None else len(self._cat.waiting)

    @property
    def is_done(self) -> bool:
        """Nothing is to be written any more."""
        return self._cat is None or self._cat.is_done

    @property
    def is_waiting(self) -> bool:
        """Nothing can be done before an answer comes, or a reader takes something."""
        return self._cat is None or self._cat.is_done or self._cat.is_waiting

    @property
    def is_full(self) -> bool:
        """So much has been said while data was written that no line should be begun that says more."""
        return self._turns.is_full

    def pull(self) -> None:
        """Find and write some more."""
        if self._cat is not None and not self._cat.is_done:
            self._cat.pull()

    def keep_place(self, line: Line) -> None:
        """A line has been read: whatever it waits for, it comes before those that are read after it."""
        if line.number in self._wanted:
            return
        if self._cat is None:
            self._outlet = Outlet()
            self._cat = Cat(
                self._supervisor, self._report, self._outlet, range_size=self._range_size, turns=self._turns
            )
            self._cat.amount = self.amount
        voice = LineVoice(line.settings, self._report, line, is_data=True)
        self._wanted[line.number] = wanted = Wanted(line.settings, voice, is_line=True)
        self._cat.want(wanted)

    def begin(
        self, line: Line, keys: Sequence[tuple[KeySource, int]], variant: int, on_over: Callable[[], None]
    ) -> None:
        """The objects of a line that has its place can be looked for; `on_over` is called when all have ended."""
        wanted = self._wanted.pop(line.number)
        wanted.variant = variant
        wanted.on_over = on_over
        self._look_in(wanted, keys)

    def drop(self, line: Line) -> None:
        """A line cannot be done."""
        wanted = self._wanted.pop(line.number, None)
        if wanted is not None:
            self._look_in(wanted, ())

    def stop(self) -> None:
        """Write nothing more."""
        if self._cat is not None:
            self._cat.stop()

    def close(self) -> None:
        """Give stdout back."""
        if self._outlet is not None:
            self._outlet.close()

    def _look_in(self, wanted: Wanted, keys: Sequence[tuple[KeySource, int]]) -> None:
        assert self._cat is not None, "who has a place has it there"
        self._cat.look_in(wanted, keys)
