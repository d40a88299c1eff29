"""What is asked of the service before objects move: pages and keys for the finders, and whether it can be reached.

Questions are numbered here, dealt by the ledger, and answered by whichever worker had them.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from orbit_fast.core.errors import Exit
from orbit_fast.core.errors import Scope
from orbit_fast.core.ledger import Ledger
from orbit_fast.core.messages import Failed
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Found
from orbit_fast.core.messages import ListPage
from orbit_fast.core.messages import Page
from orbit_fast.core.messages import Stat
from orbit_fast.proc.finders import Finder


class Questions:
    """The questions of one job.

    Attributes:
        on_failure: called with a failure that ends the job.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.on_failure: Callable[[Failure], None] = lambda _: None
        self._ledger = ledger
        self._asked: dict[int, Finder] = {}
        self._count = 0
        self._probe = 0

    def ask(self, finder: Finder, order: ListPage | Stat) -> None:
        """Have a page or a stat fetched for a finder."""
        self._count += 1
        self._asked[self._count] = finder
        self._ledger.ask(replace(order, number=self._count))

    def probe(self, site: int) -> None:
        """See that the destination can be reached at all before many objects are sent there."""
        self._count += 1
        self._probe = self._count
        self._ledger.is_held = True
        self._ledger.ask(ListPage(self._count, site, "", max_keys=1))

    def answered(self, worker: int, number: int, event: Page | Found | Failed) -> None:
        """A worker brings an answer; one that nobody waits for any more is dropped."""
        if not self._ledger.answered(worker, number):
            return
        if number == self._probe:
            self._probed(event)
            return
        failure = self._asked.pop(number).answer(event)
        if failure is not None:
            self.on_failure(failure)

    def _probed(self, event: Page | Found | Failed) -> None:
        self._ledger.is_held = False
        if isinstance(event, Failed) and (event.failure.scope == Scope.JOB or event.failure.status == 0):
            # Refused for want of the right to list is no reason not to try; unreachable or unknown is.
            self.on_failure(replace(event.failure, exit_code=int(Exit.NOT_POSSIBLE)))
