"""Who speaks of the objects of one command: counts how each ended, and says so.

A job has one voice, its `Report`. In a script every line that finds and ends objects by itself has one of its own, so
that its failures name it and it knows whether anything of it failed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from orbit_fast.core.events import Landed
from orbit_fast.core.events import Lines
from orbit_fast.core.events import Pair
from orbit_fast.core.events import new_renderer
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Outcome
from orbit_fast.core.messages import Status
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.tally import Tally

if TYPE_CHECKING:
    from orbit_fast.core.work import Line
    from orbit_fast.proc.report import Level
    from orbit_fast.proc.report import Report


class Voice:
    """Counts and says.

    Attributes:
        tally: the counts of the job.
    """

    def __init__(self, settings: JobSettings, tally: Tally, say: Callable[[Lines], None], *, line: int = 0) -> None:
        """`say` takes finished lines; what fails carries the number of the script's `line`, where there is one."""
        self.tally = tally
        self._settings = settings
        self._say = say
        self._line = line
        self._renderer = new_renderer(settings, operation=settings.operation)

    @property
    def tells_done(self) -> bool:
        """Whether anything is said of an object that is done."""
        return True

    def failed(self, pair: Pair, failure: Failure, *, line: int = 0) -> None:
        """An object failed here, before a worker had it or after one gave it up."""
        if failure.code != "E_CANCELLED":
            self.tally.fail(failure)
            self._say(self._renderer.failed(pair, failure, failure.attempts, line=line or self._line))

    def disproved(self, pair: Pair, failure: Failure, size: int) -> None:
        """An object that was said to be done turned out not to be."""
        self.tally.copied -= 1
        self.tally.size -= size
        self.failed(pair, failure)

    def done(self, pair: Pair, landed: Landed) -> None:
        """An object is done, and no worker has said so."""
        self.tally.add(Outcome(0, Status.DONE, landed.size, landed.verified))
        if self.tells_done:
            self._say(self._renderer.done(pair, landed))

    def planned(self, pair: Pair, size: int) -> None:
        """Dry run: an object would have been done."""
        self.tally.add(Outcome(0, Status.PLANNED, size))
        self._say(self._renderer.planned(pair, size))

    def skipped(self, pair: Pair, reason: str, size: int | None = None) -> None:
        """An object was left out here."""
        self.tally.skipped += 1
        self.tally.archived += reason == "glacier"
        self._say(self._renderer.skipped(pair, reason, size))


class LineVoice(Voice):
    """The voice of one line of a script.

    Attributes:
        failures: objects of the line that failed.
    """

    def __init__(self, settings: JobSettings, report: Report, line: Line, *, is_data: bool = False) -> None:
        """Events are called by the operation of `settings`; those of a command that writes data go to stderr."""

        def say(lines: Lines) -> None:
            out, err = (b"", lines.out + lines.err) if is_data else lines
            report.forward(out, err)

        super().__init__(settings, report.tally, say, line=line.number)
        self._report = report
        self._of = line
        self._is_data = is_data
        self.failures = 0

    @property
    def tells_done(self) -> bool:
        """Whether anything is said of an object that is done."""
        output = self._settings.output
        return not self._is_data or output.json or output.verbose > 0

    def failed(self, pair: Pair, failure: Failure, *, line: int = 0) -> None:
        """As every voice; the line has failed with it."""
        self.failures += 1
        super().failed(pair, failure, line=line)

    def log(self, level: Level, text: str) -> None:
        """As the job's."""
        self._report.log(level, text)

    def refused(self, failure: Failure, *, stops: bool) -> None:  # noqa: ARG002 - a line is not a job: it just fails
        """What comes last is not done: the line has failed."""
        self._report.failed_line(self._of, failure)
