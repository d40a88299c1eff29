"""``run``: the commands of a script, all in one engine.

A line becomes what its command would be by itself: a copy gets its finders, which hand their objects to the one ledger;
other commands become tasks. Lines run side by side, in no order; what fails names its line.
"""

from __future__ import annotations

import dataclasses
import os
import selectors
from collections.abc import Callable
from collections.abc import Mapping

from msgspec.structs import replace

from orbit_fast.core.console import Console
from orbit_fast.core.errors import S3Error
from orbit_fast.core.location import is_s3_url
from orbit_fast.core.messages import Answer
from orbit_fast.core.messages import Ask
from orbit_fast.core.messages import Failed
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import RunTask
from orbit_fast.core.messages import TaskEnded
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.tasks import task_at
from orbit_fast.core.work import Cat
from orbit_fast.core.work import Copy
from orbit_fast.core.work import Line
from orbit_fast.core.work import Saying
from orbit_fast.core.work import Sync
from orbit_fast.core.work import Work
from orbit_fast.io.clock import Clock
from orbit_fast.proc.cat_lines import CatLines
from orbit_fast.proc.destination_lock import place_of
from orbit_fast.proc.file_lines import FileLines
from orbit_fast.proc.finders import Finder
from orbit_fast.proc.intake import Intake
from orbit_fast.proc.job import Plan
from orbit_fast.proc.job import finders_of
from orbit_fast.proc.job import limits_of
from orbit_fast.proc.job import plan_copy
from orbit_fast.proc.job import worker_count
from orbit_fast.proc.key_stream import Listings
from orbit_fast.proc.line_ledger import LineLedger
from orbit_fast.proc.lines import LineReader
from orbit_fast.proc.open_files import fitted
from orbit_fast.proc.parking import Parking
from orbit_fast.proc.report import Report
from orbit_fast.proc.script_recovery import ScriptRecovery
from orbit_fast.proc.sides import Side
from orbit_fast.proc.stage import script_memory
from orbit_fast.proc.supervisor import Supervisor
from orbit_fast.proc.sync_line import SyncLine
from orbit_fast.proc.sync_line import renumbered
from orbit_fast.proc.sync_line import renumbered_destination
from orbit_fast.proc.sync_turns import SyncTurns
from orbit_fast.proc.syncjob import SyncJob
from orbit_fast.proc.syncjob import lock_of
from orbit_fast.proc.syncjob import plan_sync
from orbit_fast.proc.syncjob import with_memory
from orbit_fast.proc.turns import TurnWriter
from orbit_fast.proc.wanted import cat_keys
from orbit_fast.proc.writer import hold_standard_fds

SLICE = 64
"""Lines that are looked at before the loop turns."""

MOST_AT_ONCE = 256
"""Lines that are still being searched, at most: each of them may hold some pages of a listing."""


class ScriptFinder:
    """Reads lines and has them done.

    Attributes:
        amount: what all lines have found.
        variables: the environment, which says where locks are.
    """

    def __init__(
        self,
        reader: LineReader,
        understand: Callable[[int, str], Line | None],
        *,
        supervisor: Supervisor,
        ledger: LineLedger,
        report: Report,
        cats: CatLines,
    ) -> None:
        """`understand` makes a command of a line's number and text, or None of one that holds none."""
        self._reader = reader
        self._understand = understand
        self._supervisor = supervisor
        self._ledger = ledger
        self._report = report
        self._searching: list[LineFinder] = []
        self._parking = Parking(supervisor.sides)
        self._turns = SyncTurns()
        self._tasks = 0
        self._is_dry = False
        self._cats = cats
        self._listings = Listings(Clock().monotonic_s)
        self.amount = cats.amount
        self._files = FileLines(supervisor, ledger, report, self.amount)
        self.variables: Mapping[str, str] = {}

    @property
    def is_done(self) -> bool:
        """Every line has been read, and what it is about has been found, and written where it is to be written."""
        is_found = self._reader.is_ended and not self._searching and not self._parking and not self._turns
        return is_found and not self._tasks and self._cats.is_done

    @property
    def is_waiting(self) -> bool:
        """Nothing can be done before an answer or another line comes, or a reader takes something."""
        if self._cats.is_full:
            return self._cats.is_waiting
        if any(not finder.is_waiting for finder in self._searching):
            return False
        if self._parking.can_go_on or self._turns.can_go_on or not self._cats.is_waiting:
            return False
        return self._is_dry or self._reader.is_ended or self._has_many

    @property
    def _has_many(self) -> bool:
        """No more lines should be begun now."""
        return max(len(self._searching) + len(self._turns), len(self._cats)) >= MOST_AT_ONCE

    def pull(self) -> None:
        """Go on with what is being searched, and read some more lines.

        Raises:
            S3Error: the script cannot be read.
        """
        if not self._cats.is_waiting:
            self._cats.pull()
        if self._cats.is_full:
            return
        for finder in list(self._searching):
            if self._ledger.has_room and not finder.is_waiting:
                self._advance(finder)
        for line in (*self._parking.take(), *self._turns.take()):
            self._begin(line)
        for _ in range(SLICE):
            if self._is_dry or not self._ledger.has_room or self._has_many:
                return
            taken = self._reader.take()
            if taken is None:
                self._wait_for_lines()
                return
            understood = self._understand(*taken)
            if understood is not None:
                self._begin(understood)

    def answer(self, answer: Answer) -> None:
        """Its lines ask, not it."""
        raise AssertionError(f"nothing was asked: {answer!r}")

    def task_ended(self) -> None:
        """A task of a line has ended."""
        self._tasks -= 1

    def search_ended(self, finder: LineFinder) -> None:
        """All that a line is about has been found."""
        if finder in self._searching:
            self._searching.remove(finder)
            finder.close()

    def stop(self) -> None:
        """Nothing more is to be written."""
        self._cats.stop()

    def close(self) -> None:
        """Give back what lines hold that have not ended."""
        for finder in self._searching:
            finder.close()
        self._cats.close()

    # --- pieces ------------------------------------------------------------------------------------------------------

    def _begin(self, line: Line) -> None:
        """Have a line done."""
        if isinstance(line.plan, Cat):
            self._cats.keep_place(line)
        failure = line.failure
        if failure is None:
            try:
                self._begin_plan(line)
            except S3Error as error:
                failure = Failure.of(error)
        if failure is not None:
            self._cats.drop(line)
            self._turns.leave(line)
            self._report.failed_line(line, failure)

    def _begin_plan(self, line: Line) -> None:
        match line.plan:
            case Work():
                self._begin_work(line, line.plan)
            case Copy():
                self._begin_copy(line, line.plan)
            case Cat():
                self._begin_cat(line, line.plan)
            case Sync():
                self._begin_sync(line, line.plan)
            case Saying():
                self._report.forward(line.plan.text, b"")

    def _begin_work(self, line: Line, work: Work) -> None:
        sides = tuple(Side(bucket, client) for bucket, client in work.reached(line.settings))
        if self._parking.park(line, sides):
            return
        numbers = [self._supervisor.sides.number_of(side) for side in sides]
        variant = self._supervisor.vary(line.settings)
        for task in work.tasks:
            self._tasks += 1
            order = RunTask(0, task_at(task, numbers), variant, line.number)
            self._supervisor.questions.ask(LineTask(line, self, self._report), order)

    def _begin_copy(self, line: Line, copy: Copy) -> None:
        if self._files.take(line, copy):
            return
        line = _with_trees(line, copy)
        plan = plan_copy(copy.sources, copy.destination, line.settings)
        if self._parking.park(line, plan.sides):
            return
        plan = _renumbered(plan, [self._supervisor.sides.number_of(side) for side in plan.sides])
        variant, let_go = self._vary(line)
        intake = Intake(line.settings, plan.destination, self._ledger, self._report)
        intake.serve(self.amount, variant=variant, line=line.number)
        if len(copy.sources) > 1:
            intake.watch_collisions()
        owners: dict[Finder, LineFinder] = {}

        def ask(finder: Finder, order: Ask) -> int:
            return self._supervisor.questions.ask(owners[finder], replace(order, variant=variant))

        try:
            for finder in finders_of(plan, line.settings, intake, ask, self._supervisor.selector, self._listings):
                self._ledger.hold(variant)
                owners[finder] = LineFinder(finder, line, self, self._report, on_end=let_go)
                self._searching.append(owners[finder])
                self._advance(owners[finder])
        finally:
            let_go()

    def _begin_cat(self, line: Line, cat: Cat) -> None:
        keys = cat_keys(cat.sources, line.settings)
        sides = [Side(key.url.bucket, line.settings.source) for key in keys]
        if self._parking.park(line, tuple(sides)):
            return
        numbers = [self._supervisor.sides.number_of(side) for side in sides]
        variant, let_go = self._vary(line)
        self._cats.begin(line, list(zip(keys, numbers, strict=True)), variant, let_go)

    def _begin_sync(self, line: Line, sync: Sync) -> None:
        job = plan_sync(sync.source, sync.destination, line.settings)
        if self._parking.park(line, job.sides):
            return
        if line.settings.output.dry_run:
            self._sync(line, job, lambda: None)
            return
        where = job.target.url or job.target.root
        if not self._turns.enter(line, place_of(where, line.settings.dest.endpoint_url, self.variables)):
            return
        lock = lock_of(job, line.settings, self.variables, self._report)

        def leave() -> None:
            lock.release()
            self._turns.leave(line)

        try:
            lock.take()
            self._sync(line, job, leave)
        except S3Error:
            leave()
            raise

    def _sync(self, line: Line, job: SyncJob, on_end: Callable[[], None]) -> None:
        job = with_memory(job, line.settings, self.variables, self._report)
        job = renumbered(job, [self._supervisor.sides.number_of(side) for side in job.sides])
        done = SyncLine(
            line,
            job,
            supervisor=self._supervisor,
            ledger=self._ledger,
            report=self._report,
            amount=self.amount,
            listings=self._listings,
        )

        def end() -> None:
            done.close()
            on_end()

        finder = LineFinder(done, line, self, self._report, on_end=end)
        done.on_failure = finder.fail
        self._searching.append(finder)

    def _vary(self, line: Line) -> tuple[int, Callable[[], None]]:
        """The number of a line's settings, and what to call when nothing more is begun with them."""
        variant = self._supervisor.vary(line.settings)
        self._ledger.hold(variant)
        return variant, lambda: self._ledger.let_go(variant)

    def _advance(self, finder: LineFinder) -> None:
        finder.pull()
        if finder.is_done:
            self.search_ended(finder)

    def _wait_for_lines(self) -> None:
        """Nobody has written another line yet: look again when there is something."""
        if self._reader.is_ended or not self._reader.is_pollable:
            return
        self._is_dry = True
        self._supervisor.selector.register(self._reader.fileno(), selectors.EVENT_READ, self._has_lines)

    def _has_lines(self) -> None:
        self._supervisor.selector.unregister(self._reader.fileno())
        self._is_dry = False


class LineFinder:
    """A finder of one line: what would end a job ends the line."""

    def __init__(
        self,
        finder: Finder,
        line: Line,
        script: ScriptFinder,
        report: Report,
        *,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_end` is called when it is done, has failed, or nobody waits for it any more."""
        self.close = on_end
        self._finder = finder
        self._line = line
        self._script = script
        self._report = report
        self._is_over = False

    @property
    def is_done(self) -> bool:
        """Everything has been found, or the line has failed."""
        return self._is_over or self._finder.is_done

    @property
    def is_waiting(self) -> bool:
        """Nothing can be done before an answer comes."""
        return self._finder.is_waiting

    def pull(self) -> None:
        """Find some more."""
        try:
            self._finder.pull()
        except S3Error as error:
            self._fail(Failure.of(error))

    def answer(self, answer: Answer) -> None:
        """What the finder asked for."""
        failure = self._finder.answer(answer)
        if failure is not None:
            self._fail(failure)
        if self.is_done:
            self._script.search_ended(self)

    def fail(self, failure: Failure) -> None:
        """The line cannot be done, and nothing more of it is begun."""
        self._fail(failure)
        self._script.search_ended(self)

    def _fail(self, failure: Failure) -> None:
        self._is_over = True
        self._report.failed_line(self._line, failure)


class LineTask:
    """Who hears the end of a line's task."""

    def __init__(self, line: Line, script: ScriptFinder, report: Report) -> None:
        self._line = line
        self._script = script
        self._report = report

    def answer(self, answer: Answer) -> None:
        """It has ended."""
        self._script.task_ended()
        failure = answer.failure if isinstance(answer, TaskEnded | Failed) else None
        if failure is not None:
            self._report.failed_line(self._line, failure)


def _with_trees(line: Line, copy: Copy) -> Line:
    """The line; in a script a local directory that is a source is meant with all that is in it."""
    if line.settings.selection.recursive or not any(os.path.isdir(one) for one in copy.sources if not is_s3_url(one)):
        return line
    selection = replace(line.settings.selection, recursive=True)
    return dataclasses.replace(line, settings=replace(line.settings, selection=selection))


def _renumbered(plan: Plan, numbers: list[int]) -> Plan:
    """The plan with the job's numbers of its sides."""
    destination = renumbered_destination(plan.destination, numbers)
    sites = tuple(numbers[site] for site in plan.source_sites)
    return dataclasses.replace(plan, destination=destination, source_sites=sites)


def run_script(
    fd: int,
    understand: Callable[[int, str], Line | None],
    settings: JobSettings,
    environment: Mapping[str, str],
    console: Console,
) -> int:
    """Do the commands that `fd` gives, report on stdout and stderr, and find the exit code."""
    hold_standard_fds()
    turns = TurnWriter(1)
    report = Report(settings, console, Clock().monotonic_s, command="run", out=turns)
    report.tally.is_script = True
    processes = worker_count(settings)
    settings = fitted(settings, processes)
    recovery = ScriptRecovery(settings, environment, report, limits_of(settings, processes))
    ledger = recovery.ledger
    stage, range_size = script_memory(settings)
    supervisor = Supervisor(settings, environment, report, ledger, sides=(), processes=processes, stage=stage)
    cats = CatLines(supervisor, report, turns, range_size=range_size)
    script = ScriptFinder(LineReader(fd), understand, supervisor=supervisor, ledger=ledger, report=report, cats=cats)
    script.variables = environment
    supervisor.on_end_early = script.stop
    supervisor.set_sources([script], script.amount, recovery.last())
    recovery.recall(supervisor, fd)
    try:
        return supervisor.run()
    finally:
        script.close()
