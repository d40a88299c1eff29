"""What the job says: finished lines out, counts kept, progress shown, and the summary last.

The one writer of stdout lives here, and one for the lines on stderr. Lines of objects arrive finished from the workers
and are forwarded unread; this side renders only what it knows alone.
"""

from __future__ import annotations

import enum
import errno
from collections.abc import Callable
from collections.abc import Sequence
from typing import Protocol

from orbit_fast.core.console import Console
from orbit_fast.core.console import Snapshot
from orbit_fast.core.errors import Exit
from orbit_fast.core.errors import S3Error
from orbit_fast.core.events import Lines
from orbit_fast.core.events import Pair
from orbit_fast.core.events import Totals
from orbit_fast.core.events import new_renderer
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Outcome
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import OutputSettings
from orbit_fast.core.tally import Tally
from orbit_fast.core.visible import clean
from orbit_fast.core.work import Line
from orbit_fast.proc.voice import Voice
from orbit_fast.proc.writer import LineWriter

DRAIN_S = 3600.0
"""How long the end of a job waits for a slow reader of stdout; a reader that never reads is a job that never ends."""

ERRORS_DRAIN_S = 5.0

LOOK_S = 0.2
"""How often that wait looks whether somebody has pressed Ctrl-C."""


class DataWriter(Protocol):
    """Who writes data to stdout."""

    @property
    def broken(self) -> OSError | None:
        """The error that ended writing, or None."""


class Level(enum.IntEnum):
    """How much a log line matters: the values of ``--log-level``."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40


def log_level(output: OutputSettings) -> Level:
    """The least that is logged: ``--log-level``, or what ``-v`` (INFO) and ``-vv`` (DEBUG) ask for beyond it."""
    asked = Level[output.log_level.upper()]
    spoken = {0: Level.ERROR, 1: Level.INFO}.get(output.verbose, Level.DEBUG)
    return min(asked, spoken)


class Report(Voice):
    """The voice of one job.

    Attributes:
        tally: the counts.
        out: the writer of stdout.
        err: the writer of stderr.
        command: the verb, as the summary names it.
        is_data: what goes to stdout is what the user asked to read: without a reader there is nothing left to do.
        leaves_stdout: stdout is for what workers say there; what is said here goes to stderr.
        data: takes stdout for itself, for what the user asked to read; then every line goes to stderr.
        on_close: called with the exit code so far, before the summary; may raise S3Error, which then counts.
        on_wait: called now and then while the end waits for a slow reader: time to look for signals.
    """

    def __init__(
        self,
        settings: JobSettings,
        console: Console,
        monotonic_s: Callable[[], float],
        *,
        command: str = "cp",
        out: LineWriter | None = None,
    ) -> None:
        super().__init__(settings, Tally(), self._speak)
        self.command = command
        self.out = out or LineWriter(1)
        self.err = LineWriter(2)
        self.is_data = False
        self.leaves_stdout = False
        self.data: DataWriter | None = None
        self.on_close: Callable[[int], None] = lambda _: None
        self.on_wait: Callable[[], None] = lambda: None
        self._log_level = log_level(settings.output)
        self._logged: set[str] = set()
        self._console = console
        self._monotonic_s = monotonic_s
        self._started_s = monotonic_s()

    @property
    def writers(self) -> Sequence[LineWriter]:
        """Both writers."""
        return (self.out, self.err)

    @property
    def is_congested(self) -> bool:
        """Whether whoever makes lines should wait for their reader."""
        return self.out.is_congested or self.err.is_congested

    @property
    def is_reader_gone(self) -> bool:
        """Whether whoever read stdout has closed it."""
        broken = self.out.broken if self.data is None else self.data.broken
        return broken is not None and broken.errno == errno.EPIPE

    @property
    def has_had_enough(self) -> bool:
        """Nobody reads what the user asked for, or something failed and nothing was to be done after that."""
        if self._settings.script.fail_fast and self.tally.failed:
            return True
        return self.is_data and self.is_reader_gone

    @property
    def failures(self) -> int:
        """Objects that failed."""
        return self.tally.failed

    @property
    def elapsed_s(self) -> float:
        """Seconds since the job began."""
        return self._monotonic_s() - self._started_s

    def forward(self, out: bytes, err: bytes) -> None:
        """Lines that are finished."""
        if self.data is not None:
            out, err = b"", out + err
        if out and not (self._console.is_stdout_tty and self._console.write(out)):
            self.out.write(out)
        if err and not self._console.write(err, is_error=True):
            self.err.write(err)

    def ended(self, outcome: Outcome) -> None:
        """A worker said how an object ended, and sent its line besides."""
        if outcome.failure is None or outcome.failure.code != "E_CANCELLED":
            self.tally.add(outcome)

    def failed_line(self, line: Line, failure: Failure) -> None:
        """A command of a script could not be done."""
        if failure.code != "E_CANCELLED":
            self.tally.fail(failure)
            renderer = new_renderer(line.settings, operation=line.settings.operation)
            self._say(renderer.failed(line.names, failure, failure.attempts, line=line.number))

    @property
    def tells_done(self) -> bool:
        """Whether anything is said of an object that is done. Where stdout is for data, only events tell of it."""
        return self.data is None or self._settings.output.json or self._settings.output.verbose > 0

    def refused(self, failure: Failure, *, stops: bool) -> None:
        """What comes last is not done; if `stops`, the exit code is this failure's, unless there is a worse one."""
        lines = new_renderer(self._settings, operation=self.command).failed(("", ""), failure)
        self.forward(lines.out, lines.err)
        if stops:
            self.stopped_by_item(failure)

    def stopped(self, failure: Failure, pair: Pair = ("", "")) -> None:
        """The job cannot go on. Only the first reason is said."""
        if self.tally.stopper is None:
            self.tally.stopper = failure
            # A failure that names no object is the command's own.
            renderer = self._renderer if any(pair) else new_renderer(self._settings, operation=self.command)
            self._say(renderer.failed(pair, failure, failure.attempts))

    def stopped_by_item(self, failure: Failure) -> None:
        """The job cannot go on because of what an object's own line has said already."""
        if self.tally.stopper is None:
            self.tally.stopper = failure

    def stopped_by(self, error: S3Error, pair: Pair = ("", "")) -> None:
        """As `stopped`, from an exception."""
        self.stopped(Failure.of(error), pair)

    def log(self, level: Level, text: str) -> None:
        """Something that happened and was dealt with, for whoever wants to hear of such things (on stderr)."""
        if level >= self._log_level:
            self.forward(b"", f"orbit: {level.name.lower()}: {clean(text)}\n".encode())

    def log_once(self, level: Level, text: str) -> None:
        """As `log`; what has been said in the same words already, by another worker say, is not said again."""
        if text not in self._logged:
            self._logged.add(text)
            self.log(level, text)

    def leave_terminal(self) -> None:
        """Data is about to be written to stdout: nothing is drawn any more where that is the same terminal."""
        if self._console.is_stdout_tty:
            self._console.close()

    def show(self, snapshot: Snapshot) -> None:
        """Progress on the terminal."""
        self._console.show(snapshot)

    def progress(self, snapshot: Snapshot) -> None:
        """Progress as an event, where events are wanted."""
        self._say(self._renderer.progress(snapshot))

    def pump(self) -> None:
        """Write what can be written without waiting."""
        for writer in self.writers:
            if writer.wants_write:
                writer.pump()

    def close(self, *, retries: int) -> int:
        """Say the summary, wait for the readers, and find the exit code."""
        self._console.close()
        self._drain()
        try:
            self.on_close(self._exit_code())
        except S3Error as error:
            self.stopped_by(error)
        exit_code = self._exit_code()
        totals = Totals(
            command=self.command,
            files_copied=self.tally.copied,
            files_skipped=self.tally.skipped,
            files_failed=self.tally.failed,
            files_deleted=self.tally.deleted,
            files_found=self.tally.found,
            bytes_copied=0 if self._settings.output.dry_run else self.tally.size,
            duration_s=self.elapsed_s,
            retries=retries,
            unverified=self.tally.unverified,
            exit_code=exit_code,
            interrupted=self.tally.signal != 0,
        )
        self._say(self._renderer.summary(totals))
        self._drain()
        exit_code = self._exit_code()
        self._tell_loss()
        for writer in self.writers:
            writer.close()
        return exit_code

    def _exit_code(self) -> int:
        is_cut = self.out.broken is not None and self.out.lost_bytes > 0
        self.tally.is_report_lost = is_cut or self.out.wants_write
        if self.is_data and self.is_reader_gone:
            return Exit.PIPE_CLOSED
        return self.tally.exit_code(ignores_archived=self._settings.selection.ignore_glacier_warnings)

    def _tell_loss(self) -> None:
        """Say on stderr that stdout did not take the report: the exit code alone would be a riddle."""
        if self.tally.is_report_lost and not (self.is_data and self.is_reader_gone):
            reason = (self.out.broken and self.out.broken.strerror) or "nobody reads it"
            self.err.write(f'ERROR "{self.command}": E_REPORT_LOST: cannot write to stdout: {reason}\n'.encode())
            self.err.drain(ERRORS_DRAIN_S, self._monotonic_s)

    def _drain(self) -> None:
        started_s = self._monotonic_s()
        while self.out.wants_write and not self.out.drain(LOOK_S, self._monotonic_s):
            self.on_wait()
            limit_s = ERRORS_DRAIN_S if self.tally.signal else DRAIN_S
            if self._monotonic_s() - started_s >= limit_s:
                break
        self.err.drain(ERRORS_DRAIN_S, self._monotonic_s)

    def _speak(self, lines: Lines) -> None:
        if self.leaves_stdout:
            lines = Lines(err=lines.out + lines.err)
        self.forward(lines.out, lines.err)
