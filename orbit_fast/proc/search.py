"""The search for objects: every finder in turn, a slice at a time, while the ledger has room for what they find."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from orbit_fast.core.ledger import Ledger
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import Outcome
from orbit_fast.core.messages import Status
from orbit_fast.proc.finders import Finder
from orbit_fast.proc.report import Report

if TYPE_CHECKING:
    from orbit_fast.proc.audit import Audit


class Search:
    """The finders of a job, and at its end the audit, which is one more."""

    def __init__(self, ledger: Ledger, report: Report) -> None:
        self._ledger = ledger
        self._report = report
        self._finders: list[Finder] = []
        self._audit: Audit | None = None
        self._is_audited = False

    @property
    def is_over(self) -> bool:
        """All sources have been searched."""
        return not self._finders

    def begin(self, finders: Sequence[Finder], audit: Audit | None) -> None:
        """Where to look, and who looks at the end whether everything has arrived."""
        self._finders = list(finders)
        self._audit = audit

    def step(self) -> bool:
        """Let the finders find while there is room; whether they can go on at once.

        Raises:
            S3Error: a source cannot be read.
        """
        can_go_on = False
        for finder in list(self._finders):
            if not self._ledger.has_room or self._report.is_congested:
                break
            if not finder.is_done and not finder.is_waiting:
                finder.pull()
            if finder.is_done:
                self._finders.remove(finder)
            can_go_on = can_go_on or (not finder.is_done and not finder.is_waiting)
        return can_go_on and self._ledger.has_room

    def note(self, item: Item, outcome: Outcome) -> None:
        """An object has ended."""
        if self._audit is not None and outcome.status is Status.DONE:
            self._audit.note(item, outcome.size)

    def wants_audit(self) -> bool:
        """Everything found has ended: whether there still is an audit to be made, which begins now."""
        if self._audit is None or self._is_audited:
            return False
        self._is_audited = True
        self._audit.start()
        self._finders.append(self._audit)
        return True

    def stop(self) -> None:
        """Look no further."""
        self._finders.clear()
        self._is_audited = True

    def close(self) -> None:
        """Give back what the audit holds."""
        if self._audit is not None:
            self._audit.close()
