"""The supervisor: finds, deals, watches and reports. One process, one thread, one selector, no payload byte.

It has no event loop and no thread of its own, so it may fork at any time: the first worker at once, more as the work
grows, another one where one died. It never waits for the network or for a reader of its output; the only things that
make it stop are an empty ledger, a failure that ends the job, and a signal.

How a job ends early, by a signal or by a failure that every other object would share: nothing new is dealt, shared
transfers are called back and abandoned, whole items that run may finish. After `GRACE_S` seconds, or at a second
signal, what still runs is called back too; after a last second, workers are killed.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from orbit_fast.core.errors import Authentication
from orbit_fast.core.errors import Exit
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import Scope
from orbit_fast.core.errors import WorkerLost
from orbit_fast.core.events import pair_of
from orbit_fast.core.ledger import Ledger
from orbit_fast.core.messages import Abandoned
from orbit_fast.core.messages import Begun
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import DropItems
from orbit_fast.core.messages import Event
from orbit_fast.core.messages import Failed
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Found
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import NeedCredentials
from orbit_fast.core.messages import Page
from orbit_fast.core.messages import PartMoved
from orbit_fast.core.messages import Ready
from orbit_fast.core.messages import RegionFound
from orbit_fast.core.messages import Report as ItemsEnded
from orbit_fast.core.messages import Setup
from orbit_fast.core.messages import Status
from orbit_fast.core.settings import JobSettings
from orbit_fast.io.clock import Clock
from orbit_fast.io.files import Landings
from orbit_fast.proc.cells import Cell
from orbit_fast.proc.crew import MAX_DEATHS
from orbit_fast.proc.crew import Crew
from orbit_fast.proc.finders import Finder
from orbit_fast.proc.governor import Governor
from orbit_fast.proc.intake import Intake
from orbit_fast.proc.progress import Progress
from orbit_fast.proc.questions import Questions
from orbit_fast.proc.report import Level
from orbit_fast.proc.report import Report
from orbit_fast.proc.search import Search
from orbit_fast.proc.sidekeeper import SideKeeper
from orbit_fast.proc.sides import Side
from orbit_fast.proc.sides import described
from orbit_fast.proc.signals import SignalWatch
from orbit_fast.proc.slots import SlotArena
from orbit_fast.proc.spawn import WorkerProcess

if TYPE_CHECKING:
    from orbit_fast.proc.audit import Audit

GRACE_S = 5.0
"""How long running objects may go on after the job was told to end."""

LAST_S = 1.0
"""How long what was called back may take to clean up."""

TICK_S = 0.2
"""How often progress is looked at, and limits."""


class Supervisor:
    """One job, from its first look at the sources to the summary.

    Attributes:
        questions: what the finders ask.
    """

    def __init__(
        self,
        settings: JobSettings,
        environment: Mapping[str, str],
        report: Report,
        ledger: Ledger,
        *,
        sides: Sequence[Side],
        processes: int,
    ) -> None:
        self._settings = settings
        self._report = report
        self._ledger = ledger
        self._processes = processes
        self._run = os.urandom(8).hex()
        self._harmless = _harmless(environment)
        self._clock = Clock()
        self._selector = selectors.DefaultSelector()
        self._arena = SlotArena.create(max_memory=settings.transfer.max_memory, workers=processes)
        self._crew = Crew(self._selector, self._arena, size=processes)
        self._progress = Progress(report, self._arena.board)
        self._governor = Governor(self._crew, self._arena.board, report, ceiling=settings.transfer.workers)
        self.questions = Questions(ledger)
        self.questions.on_failure = self._stop_job
        self._signals = SignalWatch()
        self._sides = SideKeeper(tuple(sides), settings, environment, self._selector, self._clock)
        self._sides.on_change = self._sides_changed
        self._sides.on_failure = self._stop_job
        self._search = Search(ledger, report)
        self._intake: Intake | None = None
        self._ready: set[int] = set()
        self._introduced: set[int] = set()
        self._deadline_s: float | None = None
        self._is_recalled = False
        self._is_over = False

    # --- what the job gives it ---------------------------------------------------------------------------------------

    def set_sources(self, finders: Sequence[Finder], intake: Intake, audit: Audit | None = None) -> None:
        """Where objects come from, and who looks at the end whether they have arrived."""
        self._search.begin(finders, audit)
        self._intake = intake

    # --- the loop ----------------------------------------------------------------------------------------------------

    def run(self) -> int:
        """Do the job; the exit code."""
        retries = 0
        try:
            self._selector.register(self._signals, selectors.EVENT_READ, self._take_signals)
            self._crew.start_up_to(1)  # it starts up while the sides are found
            self._sides.start()
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
        if self._sides.is_found:
            for index, order in self._ledger.deal():
                self._crew.send(index, order)
            self._take_ended()
            if self._deadline_s is None and len(self._crew) < self._processes:
                self._crew.start_up_to(self._ledger.wanted_workers())
        if self._has_ended():
            self._is_over = True
            return
        self._crew.listen(wanted=not self._report.is_congested)
        self._watch_writers()
        for key, _ in self._selector.select(0 if has_more else TICK_S):
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
        if not self._ledger.is_idle or not self._search.is_over:
            return False
        return not self._search.wants_audit()

    def _find(self) -> bool:
        """Let the finders find; whether they can go on at once."""
        if not self._sides.is_found or self._search.is_over:
            return False
        try:
            return self._search.step()
        except S3Error as error:
            self._stop_job(Failure.of(error))
            return False

    def _watch_writers(self) -> None:
        """Wake up when a reader of ours has taken something; a file always takes a write, and needs no watching."""
        for writer in self._report.writers:
            is_watched = writer.fileno() in self._selector.get_map()
            wants = writer.is_pollable and writer.wants_write
            if wants and not is_watched:
                with contextlib.suppress(PermissionError):  # epoll takes no file; then the tick looks after it
                    self._selector.register(writer.fileno(), selectors.EVENT_WRITE, writer.pump)
            elif is_watched and not wants:
                self._selector.unregister(writer.fileno())

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
            case Page(number=number) | Found(number=number):
                self.questions.answered(index, number, event)
            case Failed():
                self._failed(index, event)
            case Abandoned(item=number):
                self._ledger.abandoned(index, number)
            case Ready():
                self._ready.add(index)
                self._introduce(index)
            case NeedCredentials():
                self._refresh_credentials()
            case RegionFound(site=site):
                self._sides.move(site, index)

    def _refresh_credentials(self) -> None:
        try:
            self._sides.refresh()
        except S3Error as error:
            self._stop_job(Failure.of(error))

    def _introduce(self, index: int) -> None:
        """Tell a worker the job, as soon as both are there."""
        if self._sides.is_found:
            self._crew.send(index, self._setup())
            self._ledger.worker_ready(index)
            self._introduced.add(index)

    def _sides_changed(self, told_by: int) -> None:
        for line in described(self._sides.found):
            self._report.log(Level.DEBUG, line)
        for index in self._ready - {told_by}:
            if index in self._introduced:
                self._crew.send(index, self._setup())
            else:
                self._introduce(index)

    def _stop_job(self, failure: Failure) -> None:
        self._report.stopped(failure)
        self._end_early()

    def _setup(self) -> Setup:
        share = -(-self._settings.transfer.workers // self._processes)
        return Setup(
            settings=self._settings,
            sites=self._sides.found.sites,
            identities=self._sides.found.identities,
            concurrency=share,
            environment=self._harmless,
            run=self._run,
        )

    def _items_ended(self, index: int, event: ItemsEnded) -> None:
        self._report.forward(event.lines, event.errors)
        for outcome in event.outcomes:
            item = self._ledger.item_ended(index, outcome)
            if item is None:
                continue
            self._report.ended(outcome)
            self._search.note(item, outcome)
            if outcome.failure is not None and outcome.failure.scope == Scope.JOB:
                self._report.stopped_by_item(outcome.failure)
                self._end_early()
        if self._report.tally.is_denied and self._deadline_s is None:
            self._stop_denied()

    def _take_ended(self) -> None:
        """Objects that ended in the ledger: nobody has said anything about them yet."""
        for item, outcome in self._ledger.take_ended():
            failure = outcome.failure
            if outcome.status is not Status.FAILED or failure is None:
                continue
            self._report.failed(pair_of(item, [side.bucket for side in self._sides.sides]), failure)
            if failure.scope == Scope.JOB:
                self._report.stopped_by_item(failure)
                self._end_early()

    def _stop_denied(self) -> None:
        message = "access was denied to every object so far: the job is stopped"
        self._stop_job(Failure.of(Authentication(message, code="E_DENIED")))

    def _failed(self, index: int, event: Failed) -> None:
        if event.kind in {"page", "stat"}:
            self.questions.answered(index, event.number, event)
        else:
            self._ledger.failed(index, event)

    def _lose(self, worker: WorkerProcess) -> None:
        status = self._crew.bury(worker)
        self._ready.discard(worker.index)
        self._introduced.discard(worker.index)
        self._ledger.worker_lost(worker.index)
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
        if self._deadline_s is not None and now_s >= self._deadline_s:
            self._recall()
        self._sides.tick()
        self._governor.look(now_s)
        assert self._intake is not None, "sources are set before the job runs"
        self._progress.look(now_s, self._intake, is_found=self._search.is_over)

    def _close(self) -> int:
        """End the workers and give everything back; the retries that were counted."""
        self._is_over = True
        self._sides.close()
        self._crew.listen(wanted=False)
        self._crew.stop(patience_s=LAST_S)
        self._search.close()
        _sweep(self._ledger.leftovers(), self._run)
        retries = self._arena.board.total(Cell.RETRIES)
        self._arena.close()
        self._selector.close()
        return retries


def _sweep(items: Sequence[Item], run: str) -> None:
    """Remove the temporary files that killed workers left behind of downloads which nobody did again."""
    landings = Landings(umask=0o077, run=run)
    for item in items:
        if item.direction is Direction.DOWNLOAD:
            landings.sweep(item.number, item.path, root=item.root)
    landings.close()


def _harmless(environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What endpoint rules depend on: AWS's variables without those that hold secrets, and where the home is."""
    return tuple(
        (name, value)
        for name, value in environment.items()
        if name == "HOME" or (name.startswith("AWS_") and "SECRET" not in name and "TOKEN" not in name)
    )
