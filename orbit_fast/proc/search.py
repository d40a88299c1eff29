"""The search for objects: every finder in turn, a slice at a time, while the ledger has room for what they find."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from orbit_fast.core.ledger import Ledger
from orbit_fast.core.messages import Answer
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import Outcome
from orbit_fast.core.messages import Status
from orbit_fast.proc.finders import Finder
from orbit_fast.proc.report import Report


class Last(Finder, Protocol):
    """A finder whose turn comes when everything that the others found has ended."""

    def note(self, item: Item, size: int) -> None:
        """An object is done, with so many bytes."""

    def start(self) -> None:
        """Its turn has come."""

    def close(self) -> None:
        """Give back what it holds."""


class InTurn:
    """Several that come last, one after another."""

    def __init__(self, lasts: Sequence[Last]) -> None:
        self._all = tuple(lasts)
        self._rest = list(lasts)

    @property
    def is_done(self) -> bool:
        """All of them are."""
        return not self._rest

    @property
    def is_waiting(self) -> bool:
        """The one whose turn it is waits."""
        return bool(self._rest) and self._rest[0].is_waiting

    def note(self, item: Item, size: int) -> None:
        """All hear of it."""
        for last in self._all:
            last.note(item, size)

    def start(self) -> None:
        """The turn of the first has come."""
        self._rest[0].start()
        self._advance()

    def pull(self) -> None:
        """Let the one whose turn it is go on.

        Raises:
            S3Error: as it does.
        """
        if not self._rest[0].is_done:
            self._rest[0].pull()
        self._advance()

    def answer(self, answer: Answer) -> Failure | None:
        """Each asks for itself."""
        raise AssertionError(f"nothing was asked: {answer!r}")

    def close(self) -> None:
        """Give back what they hold."""
        for last in self._all:
            last.close()

    def _advance(self) -> None:
        while self._rest and self._rest[0].is_done:
            del self._rest[0]
            if self._rest:
                self._rest[0].start()


class Search:
    """The finders of a job, and at its end those that come last: an audit, deletions."""

    def __init__(self, ledger: Ledger, report: Report) -> None:
        self._ledger = ledger
        self._report = report
        self._finders: list[Finder] = []
        self._last: Last | None = None
        self._is_last = False

    @property
    def is_over(self) -> bool:
        """All sources have been searched."""
        return not self._finders

    def begin(self, finders: Sequence[Finder], last: Last | None) -> None:
        """Where to look, and whose turn comes when everything that was found has ended."""
        self._finders = list(finders)
        self._last = last

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
        if self._last is not None and outcome.status is Status.DONE:
            self._last.note(item, outcome.size)

    def has_last(self) -> bool:
        """Everything found has ended: whether there still is somebody whose turn comes, and begins now."""
        if self._last is None or self._is_last:
            return False
        self._is_last = True
        self._last.start()
        self._finders.append(self._last)
        return True

    def stop(self) -> None:
        """Look no further."""
        self._finders.clear()
        self._is_last = True

    def close(self) -> None:
        """Give back what the last one holds."""
        if self._last is not None:
            self._last.close()
