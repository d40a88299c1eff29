"""A sync as one line of a script: it finds, waits for its own copies, and deletes; it fails for itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from orbit_fast.core.messages import Answer
from orbit_fast.core.messages import Ask
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import Outcome
from orbit_fast.core.messages import RunTask
from orbit_fast.core.messages import Status
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.work import Line
from orbit_fast.core.work import Sync
from orbit_fast.proc.key_stream import Listings
from orbit_fast.proc.line_ledger import LineLedger
from orbit_fast.proc.progress import Amount
from orbit_fast.proc.questions import Asker
from orbit_fast.proc.report import Report
from orbit_fast.proc.search import InTurn
from orbit_fast.proc.supervisor import Supervisor
from orbit_fast.proc.syncjob import SyncAround
from orbit_fast.proc.syncjob import SyncJob
from orbit_fast.proc.syncjob import begin_sync
from orbit_fast.proc.syncjob import plain_settings
from orbit_fast.proc.voice import LineVoice

if TYPE_CHECKING:
    from orbit_fast.proc.intake import Destination
    from orbit_fast.proc.sync_finder import End


class SyncLine:
    """A `Finder` from the first name to the last deletion.

    Attributes:
        is_over: it is done, or has failed: then nothing is found and nothing deleted any more.
    """

    def __init__(  # noqa: PLR0913 - what a script shares with its lines
        self,
        line: Line,
        job: SyncJob,
        *,
        supervisor: Supervisor,
        ledger: LineLedger,
        report: Report,
        amount: Amount,
        listings: Listings,
    ) -> None:
        """Do `job`, whose sides have the numbers of the script's; its plan was a `Sync`."""
        assert isinstance(line.plan, Sync), "other lines are done otherwise"
        self._number = line.number
        self._ledger = ledger
        self._questions = supervisor.questions
        self._supervisor = supervisor
        self._variants: list[int] = []
        plain = plain_settings(line.settings)
        self._variant = self._vary(plain)
        self._voice = LineVoice(plain, report, line)
        self._unfinished = 0
        self._is_last = False
        self.is_over = False
        around = SyncAround(
            voice=self._voice,
            ledger=ledger,
            ask=self._ask,
            vary=self._vary,
            listings=listings,
            sides=supervisor.sides.sides,
            amount=amount,
            line=line.number,
        )
        self._finder, lasts = begin_sync(job, line.settings, line.plan.command, around)
        self._last = InTurn(lasts)
        ledger.watch(line.number, self)
        self.on_failure: Callable[[Failure], None] = lambda _: None

    @property
    def is_done(self) -> bool:
        """Everything has been copied, and deleted where that was wanted."""
        return self.is_over or (self._is_last and self._last.is_done)

    @property
    def is_waiting(self) -> bool:
        """Pages, copies or deletions are on their way."""
        if not self._finder.is_done:
            return self._finder.is_waiting
        if not self._is_last:
            return self._unfinished > 0
        return self._last.is_waiting

    def pull(self) -> None:
        """Compare some more; when all copies have ended, delete some more.

        Raises:
            S3Error: a side cannot be read: the line cannot be done.
        """
        if not self._finder.is_done:
            self._finder.pull()
        elif not self._is_last:
            self._is_last = True
            self._last.start()
        elif not self._last.is_done:
            self._last.pull()

    def answer(self, answer: Answer) -> Failure | None:
        """Its parts ask for themselves."""
        raise AssertionError(f"nothing was asked: {answer!r}")

    def close(self) -> None:
        """Nothing comes any more."""
        self.is_over = True
        self._ledger.leave(self._number)
        self._last.close()
        while self._variants:
            self._ledger.let_go(self._variants.pop())

    def _vary(self, settings: JobSettings) -> int:
        """The number of settings that are used until the line has ended."""
        self._variants.append(self._supervisor.vary(settings))
        self._ledger.hold(self._variants[-1])
        return self._variants[-1]

    # --- what becomes of its objects ---------------------------------------------------------------------------------

    def item_added(self) -> None:
        """One more is to be copied."""
        self._unfinished += 1

    def item_ended(self, item: Item, outcome: Outcome) -> None:
        """One has ended."""
        self._unfinished -= 1
        if outcome.status is Status.FAILED:
            self._voice.failures += 1
        elif outcome.status is Status.DONE:
            self._last.note(item, outcome.size)

    # --- what it asks ------------------------------------------------------------------------------------------------

    def _ask(self, asker: Asker, order: Ask) -> int:
        order = replace(order, variant=self._variant)
        if isinstance(order, RunTask):
            order = replace(order, line=self._number)
        return self._questions.ask(_Asked(self, asker), order)

    def take(self, asker: Asker, answer: Answer) -> None:
        """What one of its parts has asked for; nobody wants it any more where the line is over."""
        if self.is_over:
            return
        failure = asker.answer(answer)
        if failure is not None:
            self.on_failure(failure)


class _Asked:
    """Brings an answer to the part that asked, and its failure to the line."""

    __slots__ = ("_asker", "_line")

    def __init__(self, line: SyncLine, asker: Asker) -> None:
        self._line = line
        self._asker = asker

    def answer(self, answer: Answer) -> None:
        """An answer; what would end a job ends the line."""
        self._line.take(self._asker, answer)


def renumbered(job: SyncJob, numbers: list[int]) -> SyncJob:
    """The job with a script's numbers of its sides."""

    def at(end: End) -> End:
        return end if end.url is None else dataclasses.replace(end, site=numbers[end.site])

    destination = renumbered_destination(job.destination, numbers)
    return dataclasses.replace(job, source=at(job.source), target=at(job.target), destination=destination)


def renumbered_destination(destination: Destination, numbers: list[int]) -> Destination:
    """The destination with a script's numbers of its sides."""
    if destination.url is None:
        return destination
    relay = destination.relay
    if relay is not None:
        relay = dataclasses.replace(relay, same=frozenset(numbers[site] for site in relay.same))
    return dataclasses.replace(destination, site=numbers[destination.site], relay=relay)
