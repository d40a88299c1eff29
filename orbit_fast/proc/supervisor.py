"""The supervisor: finds, deals, watches and reports. One process, one thread, one selector.

No payload byte passes here, but for those of stdin and stdout (`pipejob`, `catjob`). It has no event loop and no thread
of its own, so it may fork at any time: the first worker at once, more as the work grows, another one where one died. It
never waits for the network or for a reader of its output; the only things that make it stop are an empty ledger, a
failure that ends the job, and a signal.

How a job ends early, by a signal or by a failure that every other object would share: nothing new is dealt, shared
transfers are called back and kept for a later job (or abandoned), whole items that run may finish. After `GRACE_S`
seconds, or at a second signal, what still runs is called back too; after a last second, workers are killed.
"""

from __future__ import annotations

import os
import selectors
import signal
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence

import msgspec

from orbit_fast.core.errors import Authentication
from orbit_fast.core.errors import Exit
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import Scope
from orbit_fast.core.errors import WorkerLost
from orbit_fast.core.events import pair_of
from orbit_fast.core.ledger import Ledger
from orbit_fast.core.messages import Abandoned
from orbit_fast.core.messages import Answer
from orbit_fast.core.messages import Begun
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import DropItems
from orbit_fast.core.messages import Event
from orbit_fast.core.messages import Failed
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import PartMoved
from orbit_fast.core.messages import Ready
from orbit_fast.core.messages import Report as ItemsEnded
from orbit_fast.core.messages import Said
from orbit_fast.core.messages import Status
from orbit_fast.core.messages import TaskEnded
from orbit_fast.core.notes import NeedCredentials
from orbit_fast.core.notes import Noted
from orbit_fast.core.notes import RegionFound
from orbit_fast.core.settings import JobSettings
from orbit_fast.io.clock import Clock
from orbit_fast.io.files import Landings
from orbit_fast.proc.cells import Cell
from orbit_fast.proc.crew import MAX_DEATHS
from orbit_fast.proc.crew import Crew
from orbit_fast.proc.finders import Finder
from orbit_fast.proc.governor import Governor
from orbit_fast.proc.introductions import Introductions
from orbit_fast.proc.progress import Amount
from orbit_fast.proc.progress import Progress
from orbit_fast.proc.questions import Questions
from orbit_fast.proc.report import Level
from orbit_fast.proc.report import Report
from orbit_fast.proc.search import Last
from orbit_fast.proc.search import Search
from orbit_fast.proc.sidekeeper import SideKeeper
from orbit_fast.proc.sides import Side
from orbit_fast.proc.sides import described
from orbit_fast.proc.signals import SignalWatch
from orbit_fast.proc.slots import SlotArena
from orbit_fast.proc.spawn import WorkerProcess
from orbit_fast.proc.writer import watch_writers

GRACE_S = 5.0
"""How long running objects may go on after the job was told to end."""

LAST_S = 1.0
"""How long what was called back may take to clean up."""

_DENIED = "access was denied to every object so far: the job is stopped (--profile names other credentials)"


class Supervisor:
    """One job, from its first look at the sources to the summary.

    Attributes:
        run_id: 16 hexadecimal digits, the job's own: its temporary files are called after it.
        stage: the memory that the job's own streams pass through.
        on_end_early: called when the job is told to end before it is done.
        on_rows: called with lines for the manifest of what arrived; may raise S3Error, which ends the job.
        questions: what the finders ask.
        sides: the S3 sides; finders of work that is still being read may add to them.
        selector: what the loop waits for; a callable beside a file is called when that is ready.
    """

    def __init__(  # noqa: PLR0913 - what a job is made of
        self,
        settings: JobSettings,
        environment: Mapping[str, str],
        report: Report,
        ledger: Ledger,
        *,
        sides: Sequence[Side],
        processes: int,
        stage: int = 0,
    ) -> None:
        self._settings = settings
        self._report = report
        self._ledger = ledger
        self._processes = processes
        self.run_id = os.urandom(8).hex()
        self._clock = Clock()
        self.selector = selectors.DefaultSelector()
        self._arena = SlotArena.create(max_memory=settings.transfer.max_memory, workers=processes, stage=stage)
        self.stage = self._arena.stage
        self.on_end_early: Callable[[], None] = lambda: None
        self.on_rows: Callable[[bytes], None] = lambda _: None
        self._crew = Crew(self.selector, self._arena, size=processes)
        self._progress = Progress(report, self._arena.board)
        self._governor = Governor(
            self._crew,
            self._arena.board,
            report,
            ceiling=settings.transfer.workers,
            max_bandwidth=settings.transfer.max_bandwidth,
        )
        self.questions = Questions(ledger)
        self.questions.on_failure = self._stop_job
        self.questions.allowed = lambda: self._governor.allowed
        self._signals = SignalWatch()
        self.sides = SideKeeper(tuple(sides), environment, self.selector, self._clock)
        self.sides.on_change = self._sides_changed
        self.sides.on_failure = self._stop_job
        self._introductions = Introductions(
            self._crew,
            ledger,
            self.sides,
            settings=settings,
            processes=processes,
            run=self.run_id,
            environment=environment,
        )
        self._search = Search(ledger, report)
        self._amount = Amount()
        self._deadline_s: float | None = None
        self._is_recalled = self._is_over = False

    def set_sources(self, finders: Sequence[Finder], amount: Amount, last: Last | None = None) -> None:
        """Where objects come from, and whose turn comes when they have ended."""
        self._search.begin(finders, last)
        self._amount = amount

    # --- the loop ----------------------------------------------------------------------------------------------------

    def run(self) -> int:
        """Do the job; the exit code."""
        retries = 0
        try:
            self.selector.register(self._signals, selectors.EVENT_READ, self._take_signals)
            self._crew.start_up_to(1)  # it starts up while the sides are found
            self.sides.start()
            while not self._is_over:
                self._turn()
        except S3Error as error:
            self._report.stopped_by(error)
        finally:
            retries = self._close()
        self._report.on_wait = self._take_signals
        try:
            return self._report.close(retries=retries)
        finally:
            self._signals.restore()

    def _turn(self) -> None:
        has_more = self._find()
        if self.sides.is_found:
            self._crew.send_each(self._ledger.deal())
            self._take_ended()
            if self._deadline_s is None and len(self._crew) < self._processes:
                self._crew.start_up_to(self._ledger.wanted_workers())
        was_found = self._search.is_over
        if self._has_ended():
            self._is_over = True
            return
        has_more = has_more or (was_found and not self._search.is_over)  # what comes last has just begun
        self._crew.listen(wanted=not self._report.is_congested)
        watch_writers(self.selector, self._report.writers)
        for key, _ in self.selector.select(0 if has_more else self._governor.every_s):
            self._dispatch(key)
        self._report.pump()
        self._tick()

    def _dispatch(self, key: selectors.SelectorKey) -> None:
        if isinstance(key.data, WorkerProcess):
            if key.fd == key.data.channel.write_fd:
                self._crew.flush(key.data)
            else:
                self._hear(key.data)
        elif callable(key.data):
            key.data()

    def _has_ended(self) -> bool:
        if self._deadline_s is not None and not len(self._crew):
            return True  # nobody is left who could end anything, and nobody will be started
        return self._ledger.is_idle and self._search.is_over and not self._search.has_last()

    def _find(self) -> bool:
        """Let the finders find; whether they can go on at once."""
        try:
            return self.sides.is_found and not self._search.is_over and self._search.step()
        except S3Error as error:
            self._stop_job(Failure.of(error))
            return False

    # --- workers -----------------------------------------------------------------------------------------------------

    def _hear(self, worker: WorkerProcess) -> None:
        for event in self._crew.read(worker):
            self._take(worker.index, event)
        if worker.channel.is_ended or worker.status is not None:
            self._lose(worker)

    def _take(self, index: int, event: Event) -> None:
        match event:
            case ItemsEnded():
                self._items_ended(index, event)
            case PartMoved():
                self._ledger.part_moved(index, event)
            case Begun():
                self._ledger.begun(index, event)
            case Failed():
                self._failed(index, event)
            case Abandoned(item=number, failure=failure):
                self._ledger.abandoned(index, number, failure)
            case Ready():
                self._introductions.ready(index)
            case NeedCredentials():
                self._refresh_credentials()
            case Noted():
                self._report.log_once(Level(event.level), event.text)
            case RegionFound(site=site):
                self.sides.move(site, index)
            case _:
                self._take_answer(index, event)

    def _take_answer(self, index: int, event: Answer | Said) -> None:
        if isinstance(event, Said):
            self._report.tally.under_way[event.number] = event.done
            if event.lines or event.errors:
                self.questions.said(event.number)
                self._report.forward(event.lines, event.errors)
            return
        if isinstance(event, TaskEnded):
            self._report.tally.under_way.pop(event.number, None)
            self._report.tally.add_task(event.tallied)
        self.questions.answered(index, event.number, event)

    def _refresh_credentials(self) -> None:
        try:
            self.sides.refresh()
        except S3Error as error:
            self._stop_job(Failure.of(error))

    def vary(self, settings: JobSettings) -> int:
        """The number by which items and tasks that are done with these settings name them."""
        return self._introductions.vary(settings)

    def _sides_changed(self, told_by: int) -> None:
        for line in described(self.sides.found):
            self._report.log(Level.DEBUG, line)
        self._introductions.sides_changed(told_by)

    def _stop_job(self, failure: Failure) -> None:
        self._report.stopped(failure)
        self._end_early()

    def _items_ended(self, index: int, event: ItemsEnded) -> None:
        self._report.forward(event.lines, event.errors)
        if event.rows:
            try:
                self.on_rows(event.rows)
            except S3Error as error:
                self._stop_job(Failure.of(error))
        for outcome in event.outcomes:
            item = self._ledger.item_ended(index, outcome)
            if item is None:
                continue
            self._report.ended(outcome)
            self._search.note(item, outcome)
            self._consider(outcome.failure)
        if self._report.tally.is_denied and self._deadline_s is None:
            self._stop_job(Failure.of(Authentication(_DENIED, code="E_DENIED")))

    def _take_ended(self) -> None:
        """Objects that ended in the ledger: nobody has said anything about them yet."""
        for item, outcome in self._ledger.take_ended():
            failure = outcome.failure
            if outcome.status is not Status.FAILED or failure is None:
                continue
            pair = pair_of(item, [side.bucket for side in self.sides.sides])
            self._report.failed(pair, failure, line=item.line)
            self._consider(failure)

    def _consider(self, failure: Failure | None) -> None:
        """End a job of which every other object would fail like this one. Lines of a script are jobs of their own."""
        if failure is not None and failure.scope == Scope.JOB and not self._report.tally.is_script:
            self._report.stopped_by_item(failure)
            self._end_early()

    def _failed(self, index: int, event: Failed) -> None:
        if event.kind in {"page", "stat", "open", "fetch", "pour"}:
            self.questions.answered(index, event.number, event)
        else:
            self._ledger.failed(index, event)

    def _lose(self, worker: WorkerProcess) -> None:
        status = self._crew.bury(worker)
        self._introductions.lost(worker.index)
        self.questions.lost(self._ledger.worker_lost(worker.index))
        if self._is_over:
            return
        self._crew.deaths += 1
        text = f"worker {worker.index} (pid {worker.pid}) ended with status {status}: its work is dealt again"
        self._report.log(Level.INFO, text)  # it costs nothing but time
        if self._crew.deaths >= MAX_DEATHS and self._deadline_s is None:
            message = f"{MAX_DEATHS} worker processes died: the machine may be short of memory (try --max-memory)"
            self._stop_job(msgspec.structs.replace(Failure.of(WorkerLost(message)), exit_code=int(Exit.NOT_POSSIBLE)))

    # --- the end -----------------------------------------------------------------------------------------------------

    def _take_signals(self) -> None:
        for number in self._signals.drain():
            if number == signal.SIGCHLD:
                continue
            self._report.tally.signal = self._report.tally.signal or int(number)
            if self._deadline_s is None:
                self._end_early()
            else:
                self._recall()

    def _end_early(self) -> None:
        """Deal nothing new; what runs may end."""
        if self._deadline_s is not None:
            return
        self._deadline_s = self._clock.monotonic_s() + GRACE_S
        self.on_end_early()
        self._search.stop()
        self._ledger.stop()
        self._crew.send_all(DropItems())

    def _recall(self) -> None:
        """What runs is called back."""
        if self._is_recalled:
            self._is_over = True
            return
        self._is_recalled = True
        self._deadline_s = self._clock.monotonic_s() + LAST_S
        self._crew.send_all(DropItems(running=True))

    def _tick(self) -> None:
        now_s = self._clock.monotonic_s()
        if self._report.has_had_enough:
            self._end_early()
        if self._deadline_s is not None and now_s >= self._deadline_s:
            self._recall()
        self.sides.tick()
        self._governor.look(now_s)
        self._progress.look(now_s, self._amount, is_found=self._search.is_over)

    def _close(self) -> int:
        """End the workers and give everything back; the retries that were counted."""
        self._is_over = True
        self.sides.close()
        self._crew.listen(wanted=False)
        self._crew.stop(patience_s=LAST_S)
        self._search.close()
        _sweep(self._ledger.leftovers(), self.run_id)
        retries = self._arena.board.total(Cell.RETRIES)
        self._arena.close()
        self.selector.close()
        return retries


def _sweep(items: Sequence[Item], run: str) -> None:
    """Remove the temporary files that killed workers left behind of downloads which nobody did again."""
    landings = Landings(umask=0o077, run=run)
    for item in items:
        if item.direction is Direction.DOWNLOAD:
            landings.sweep(item.number, item.path, root=item.root)
    landings.close()
