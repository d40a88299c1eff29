"""The ledger of a script: some lines want to know when all of their objects have ended, and how."""

from __future__ import annotations

from typing import Protocol

from orbit_fast.core.hands import Limits
from orbit_fast.core.layout import Layout
from orbit_fast.core.ledger import Ledger
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import Outcome
from orbit_fast.core.stream import Stream


class Watcher(Protocol):
    """Who wants to know what becomes of a line's objects."""

    def item_added(self) -> None:
        """One more is to be done."""

    def item_ended(self, item: Item, outcome: Outcome) -> None:
        """One has ended, for good."""


class LineLedger(Ledger):
    """As every ledger."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self._watchers: dict[int, Watcher] = {}
        self._newest = 0

    def watch(self, line: int, watcher: Watcher) -> None:
        """Tell `watcher` of the objects of this line, from now on."""
        self._watchers[line] = watcher

    def leave(self, line: int) -> None:
        """Nobody wants to know any more."""
        self._watchers.pop(line, None)

    def add(self, item: Item, layout: Layout | Stream | None = None) -> None:
        """As the ledger, which also adds what a lost worker had once more: such an item is not new."""
        super().add(item, layout)
        if self.is_stopped or item.number <= self._newest:
            return
        self._newest = item.number
        watcher = self._watchers.get(item.line)
        if watcher is not None:
            watcher.item_added()

    def item_ended(self, worker: int, outcome: Outcome) -> Item | None:
        """As the ledger."""
        item = super().item_ended(worker, outcome)
        if item is not None:
            self._tell(item, outcome)
        return item

    def take_ended(self) -> list[tuple[Item, Outcome]]:
        """As the ledger."""
        ended = super().take_ended()
        for item, outcome in ended:
            self._tell(item, outcome)
        return ended

    def _tell(self, item: Item, outcome: Outcome) -> None:
        watcher = self._watchers.get(item.line)
        if watcher is not None:
            watcher.item_ended(item, outcome)
