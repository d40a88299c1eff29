"""What is asked of the workers: pages and keys for the finders, whether the service can be reached, and tasks.

Questions are numbered here, dealt by the ledger, and answered by whichever worker had them. A task whose worker died is
asked again, unless it had said something: nobody should read the same line twice, or a list that begins anew. Pages of
listings wait here while the service asks to slow down: one that is listed in many stretches at once would not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from collections.abc import Sequence
from typing import Protocol

from msgspec.structs import replace

from orbit_fast.core.errors import Exit
from orbit_fast.core.errors import Scope
from orbit_fast.core.hands import MAX_LOSSES
from orbit_fast.core.hands import lost_failure
from orbit_fast.core.ledger import Ledger
from orbit_fast.core.messages import Answer
from orbit_fast.core.messages import Ask
from orbit_fast.core.messages import Failed
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import ListPage
from orbit_fast.core.messages import RunTask
from orbit_fast.core.messages import TaskEnded
from orbit_fast.core.tasks import Tallied


class Asker(Protocol):
    """Who asks something."""

    def answer(self, answer: Answer) -> Failure | None:
        """What was asked for; a failure that ends the job, if this is one."""


class Questions:
    """The questions of one job.

    Attributes:
        on_failure: called with a failure that ends the job.
        allowed: how many requests the job may have in flight; 0: as many as the settings say.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.on_failure: Callable[[Failure], None] = lambda _: None
        self.allowed: Callable[[], int] = lambda: 0
        self._pages: deque[ListPage] = deque()
        self._fetching: set[int] = set()
        self._ledger = ledger
        self._asked: dict[int, Asker] = {}
        self._spoken: set[int] = set()
        self._lost: dict[int, int] = {}
        self._count = 0
        self._probe = 0

    def ask(self, asker: Asker, order: Ask) -> int:
        """Have a page or a stat fetched, or a task done, for whoever asks; the number that the answer will have."""
        self._count += 1
        self._asked[self._count] = asker
        numbered = replace(order, number=self._count)
        if isinstance(numbered, ListPage):
            self._pages.append(numbered)
            self._fetch()
        else:
            self._ledger.ask(numbered)
        return numbered.number

    def _fetch(self) -> None:
        """Have those pages fetched that may be: one at least, so that there is an answer after which to go on."""
        allowed = self.allowed()
        while self._pages and (not allowed or len(self._fetching) < allowed):
            order = self._pages.popleft()
            self._fetching.add(order.number)
            self._ledger.ask(order)

    def probe(self, site: int) -> None:
        """See that the destination can be reached at all before many objects are sent there."""
        self._count += 1
        self._probe = self._count
        self._ledger.is_held = True
        self._ledger.ask(ListPage(self._count, site, "", max_keys=1))

    def said(self, number: int) -> None:
        """A task has said something."""
        self._spoken.add(number)

    def lost(self, tasks: Sequence[RunTask]) -> None:
        """The worker that had these tasks is dead."""
        for task in tasks:
            number = task.number
            self._lost[number] = self._lost.get(number, 0) + 1
            if number not in self._spoken and self._lost[number] < MAX_LOSSES:
                self._ledger.ask(task)
            else:
                self._bring(number, TaskEnded(number, Tallied(), lost_failure()))

    def answered(self, worker: int, number: int, event: Answer) -> None:
        """A worker brings an answer; one that nobody waits for any more is dropped."""
        if not self._ledger.answered(worker, number):
            return
        if number == self._probe:
            self._probed(event)
            return
        self._bring(number, event)

    def _bring(self, number: int, event: Answer) -> None:
        self._spoken.discard(number)
        self._fetching.discard(number)
        self._lost.pop(number, None)
        self._fetch()
        failure = self._asked.pop(number).answer(event)
        if failure is not None:
            self.on_failure(failure)

    def _probed(self, event: Answer) -> None:
        self._ledger.is_held = False
        if isinstance(event, Failed) and (event.failure.scope == Scope.JOB or event.failure.status == 0):
            # Refused for want of the right to list is no reason not to try; unreachable or unknown is.
            self.on_failure(replace(event.failure, exit_code=int(Exit.NOT_POSSIBLE)))
