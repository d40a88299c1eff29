"""Objects → stdout: ``cat URL...`` and ``cp URL... -``.

Workers bring ranges into the stage, in parallel and in any order; this side writes them to stdout in order, and never
waits for whoever reads. Several small objects, or several ranges of a large one, are on their way while the one before
them is being written; when the reader is slow the stage is full, and nothing more is asked for.

What is passed on cannot be taken back. An object that fits one range is proven before its first byte is written. A
larger one is proven at its end (`core.running`), and every range by its length and version; where that fails the exit
code says so. As with any ``cat``, an object that fails is told of and the next one follows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from collections.abc import Sequence

from orbit_fast.core.console import Console
from orbit_fast.core.errors import S3Error
from orbit_fast.core.events import SkipReason
from orbit_fast.core.hands import Limits
from orbit_fast.core.ledger import Ledger
from orbit_fast.core.location import KeySource
from orbit_fast.core.messages import Answer
from orbit_fast.core.messages import Ask
from orbit_fast.core.messages import Failure
from orbit_fast.core.model import Entry
from orbit_fast.core.plan import decide_archived
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.work import STDOUT
from orbit_fast.io.clock import Clock
from orbit_fast.io.diskerrors import Side as DiskSide
from orbit_fast.io.diskerrors import local_error
from orbit_fast.proc.fetching import Fetching
from orbit_fast.proc.key_stream import Listings
from orbit_fast.proc.outlet import Outlet
from orbit_fast.proc.passing import Block
from orbit_fast.proc.passing import Passing
from orbit_fast.proc.progress import Amount
from orbit_fast.proc.questions import Asker
from orbit_fast.proc.report import Report
from orbit_fast.proc.sides import Side
from orbit_fast.proc.stage import ranges_memory
from orbit_fast.proc.stage import stage_workers
from orbit_fast.proc.supervisor import Supervisor
from orbit_fast.proc.turns import TurnWriter
from orbit_fast.proc.wanted import Source
from orbit_fast.proc.wanted import Wanted
from orbit_fast.proc.wanted import cat_keys
from orbit_fast.proc.writer import hold_standard_fds

AHEAD = 1000
"""Objects that may have been found and not been asked for: a page of a listing."""

TURN_BYTES = 8 << 20
"""Bytes written before the loop looks at everything else."""


def run_cat(sources: Sequence[str], settings: JobSettings, environment: Mapping[str, str], console: Console) -> int:
    """Write the objects to stdout, report on stderr, and find the exit code.

    Raises:
        S3Error: the arguments do not make a job.
    """
    hold_standard_fds()
    keys = cat_keys(sources, settings)
    workers = stage_workers(settings)
    memory, range_size = ranges_memory(settings, workers)
    outlet = Outlet()
    report = Report(settings, console, Clock().monotonic_s, command=settings.operation)
    report.is_data, report.data = True, outlet
    ledger = Ledger(Limits(workers=workers, depth=1, concurrency=settings.transfer.concurrency))
    sides = list(dict.fromkeys(Side(key.url.bucket, settings.source) for key in keys))
    supervisor = Supervisor(settings, environment, report, ledger, sides=sides, processes=workers, stage=memory)
    cat = Cat(supervisor, report, outlet, range_size=range_size)
    wanted = Wanted(settings, report)
    cat.want(wanted)
    cat.look_in(wanted, [(key, sides.index(Side(key.url.bucket, settings.source))) for key in keys])
    supervisor.on_end_early = cat.stop
    supervisor.set_sources([cat], cat.amount)
    try:
        return supervisor.run()
    finally:
        outlet.close()


class Cat:
    """Finds, asks for and writes the objects of one command, or of several in their order. It is a finder.

    Attributes:
        amount: objects that were found, and their bytes.
        waiting: commands that are not over, in their order.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        report: Report,
        outlet: Outlet,
        *,
        range_size: int,
        turns: TurnWriter | None = None,
    ) -> None:
        """Ranges of `range_size` bytes at most; where lines go to stdout too, `turns` says when data may."""
        self._report = report
        self._outlet = outlet
        self._turns = turns
        self._selector = supervisor.selector
        self._stage = supervisor.stage
        self._questions = supervisor.questions
        self._fetching = Fetching(len(supervisor.stage), range_size, supervisor.questions, self.go_on)
        self._todo: deque[Passing] = deque()
        self._objects: deque[Passing] = deque()
        self._is_stopped = False
        self._listings = Listings(Clock().monotonic_s)
        self.waiting: deque[Wanted] = deque()
        self.amount = Amount()
        if turns is not None:
            turns.on_turn = self.go_on

    def want(self, wanted: Wanted) -> None:
        """One more command, behind those before it; where its objects are is said later (`look_in`)."""
        self.waiting.append(wanted)

    def look_in(self, wanted: Wanted, keys: Sequence[tuple[KeySource, int]]) -> None:
        """The arguments of a command, each with the number of its side; none where it came to nothing."""
        for key, site in keys:
            wanted.add(Source(wanted, key, site, self, self._listings))
        wanted.is_open = False
        self._leave_over()

    # --- as a finder -------------------------------------------------------------------------------------------------

    @property
    def is_done(self) -> bool:
        """Everything has been written, or the job was told to end."""
        return self._is_stopped or not self.waiting

    @property
    def is_waiting(self) -> bool:
        """Whether nothing can be done before an answer comes, or a reader takes something."""
        return self._finding is None and (self._outlet.is_pollable or not self._may_write)

    @property
    def _finding(self) -> Wanted | None:
        """The command whose objects can be looked for now: the first of which not all have been found."""
        if len(self._todo) >= AHEAD:
            return None
        first = next((wanted for wanted in self.waiting if not wanted.is_found), None)
        return first if first is not None and first.can_find else None

    @property
    def _may_write(self) -> bool:
        """Bytes are there, and it is their turn."""
        has_bytes = bool(self._objects and self._objects[0].blocks and self._objects[0].blocks[0].has_come)
        return has_bytes and (self._turns is None or self._turns.has_turn)

    def pull(self) -> None:
        """Find more; write, where stdout cannot be watched."""
        wanted = self._finding
        if wanted is not None:
            wanted.find()
            self._leave_over()
        self.go_on()

    def answer(self, answer: Answer) -> None:
        """Others ask in its name."""
        raise AssertionError(f"nothing was asked: {answer!r}")

    def stop(self) -> None:
        """Ask for nothing more and write nothing more."""
        self._is_stopped = True
        self._outlet.watch(self._selector, self.go_on, wanted=False)
        if self._turns is not None:
            self._turns.end_turn()

    def ask(self, asker: Asker, order: Ask) -> int:
        """Have a page or a key fetched; the number that the answer will have."""
        return self._questions.ask(asker, order)

    def take(self, wanted: Wanted, shown: str, site: int, entry: Entry, restore: str) -> None:
        """An object has been found."""
        self.amount.files += 1
        self.amount.size += entry.size
        wanted.waiting += 1
        is_cold = bool(decide_archived(entry.storage_class, restore, wanted.settings.selection))
        now_s = self._report.elapsed_s
        passing = Passing(
            entry=entry, site=site, name=shown, wanted=wanted, started_s=now_s, go_on=self.go_on, is_cold=is_cold
        )
        self._todo.append(passing)
        self._objects.append(passing)

    def go_on(self) -> None:
        """Write what has come, ask for what there is room for."""
        if self._is_stopped:
            return
        is_over = True
        while is_over:
            self._write()
            while self._todo and self._can_leave(self._todo[0]):
                self._todo.popleft()
            is_over = bool(self._objects) and self._objects[0].is_over  # of some there is nothing to write
        self._outlet.watch(self._selector, self.go_on, wanted=self._may_write)

    def _can_leave(self, passing: Passing) -> bool:
        """Whether nothing more of an object is to be asked for."""
        broken = self._outlet.broken
        if broken is not None and passing.wanted.is_line and passing.failure is None:
            passing.failure = _broken(broken)
        return self._fetching.deal(passing)

    def _leave_over(self) -> None:
        """Commands that are over are left, and lines may be written again until the next has something to write."""
        while self.waiting and self.waiting[0].is_over:
            self.waiting.popleft().on_over()
            if self._turns is not None:
                self._turns.end_turn()

    # --- writing -----------------------------------------------------------------------------------------------------

    def _write(self) -> None:
        """Write what has come, in order, as long as stdout takes it; end the objects that have been written."""
        budget = TURN_BYTES
        while self._objects and budget > 0:
            passing = self._objects[0]
            if not passing.blocks:
                if not passing.is_over:
                    return
                self._end(passing)
                continue
            block = passing.blocks[0]
            if not block.has_come:
                return
            passing.failure = passing.failure or block.failure
            if passing.failure is None and block.size:
                if self._turns is not None and not self._takes_turn(self._turns):
                    return
                written = self._write_block(passing, block)
                if written is None and passing.failure is None:
                    return
                budget -= written or 0
            elif passing.failure is None:
                passing.take(block, memoryview(b""))
            passing.blocks.popleft()
            self._fetching.give_back(block)

    def _takes_turn(self, turns: TurnWriter) -> bool:
        """Whether data may be written now; if not, `go_on` is called when it may."""
        self._report.leave_terminal()
        return turns.ask_turn()

    def _write_block(self, passing: Passing, block: Block) -> int | None:
        """Write a block to its end; how many bytes that took, or None where stdout takes no more now."""
        assert block.fetched is not None, "it has come"
        before, size = block.written, block.fetched.size
        with self._stage[block.at : block.at + size] as data:
            while block.written < size:
                with data[block.written :] as rest:
                    count = self._outlet.write(rest)
                if not count:
                    self._look_at_outlet(passing)
                    return None
                block.written += count
                passing.written += count
            passing.take(block, data)
        return size - before

    def _look_at_outlet(self, passing: Passing) -> None:
        """Nothing was written: a lost reader ends the job quietly (`Report.is_reader_gone`), anything else aloud.

        A line of a script fails, whatever it is, and the others go on.
        """
        broken = self._outlet.broken
        if broken is not None and passing.wanted.is_line:
            passing.failure = _broken(broken)
        elif broken is not None and not self._report.is_reader_gone:
            self._questions.on_failure(_broken(broken))

    def _end(self, passing: Passing) -> None:
        self._objects.popleft()
        self._fetching.leave(passing)
        passing.wanted.waiting -= 1
        self._tell(passing)
        self._leave_over()

    def _tell(self, passing: Passing) -> None:
        wanted = passing.wanted
        transfer = wanted.settings.transfer
        pair = (passing.name, STDOUT)
        if passing.is_skipped:
            wanted.voice.skipped(pair, SkipReason.GLACIER, passing.entry.size)
            return
        failure = passing.failure
        if failure is None:
            try:
                verified = passing.prove(verify=transfer.verify, require=transfer.require_verify)
            except S3Error as error:
                failure = Failure.of(error)
            else:
                wanted.voice.done(pair, passing.landed(verified, self._report.elapsed_s))
        if failure is not None:
            wanted.voice.failed(pair, passing.told(failure))


def _broken(error: OSError) -> Failure:
    """Stdout takes nothing more."""
    return Failure.of(local_error(error, b"stdout", DiskSide.DESTINATION))
