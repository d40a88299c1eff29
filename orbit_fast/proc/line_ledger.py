"""The ledger of a script.

Some lines want to know when all of their objects have ended, and how. And it counts what is under way with each set of
options, so that those can be forgotten that no line uses any more.

One journal serves all lines. Only large objects are in it, so lines of small ones cost nothing more; and what a line
left under way is gone on with only by a line that gives the object the same (`core.journal.way_of`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec.structs import replace

from orbit_fast.core.hands import Limits
from orbit_fast.core.journal import Place
from orbit_fast.core.journal import way_of
from orbit_fast.core.layout import Layout
from orbit_fast.core.messages import Ask
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import Outcome
from orbit_fast.core.messages import RunTask
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.stream import Stream
from orbit_fast.io.clock import Clock
from orbit_fast.proc.journal import Journal
from orbit_fast.proc.recorder import RecordingLedger


class Watcher(Protocol):
    """Who wants to know what becomes of a line's objects."""

    def item_added(self) -> None:
        """One more is to be done."""

    def item_ended(self, item: Item, outcome: Outcome) -> None:
        """One has ended, for good."""


class LineLedger(RecordingLedger):
    """As every ledger."""

    def __init__(self, limits: Limits, journal: Journal, clock: Clock) -> None:
        super().__init__(limits, journal, clock)
        # Lines write to any directory: nobody looks in all of them for the temporary files of a run that was killed.
        self._has_landed = True
        self._settings: dict[int, JobSettings] = {}
        self._used: dict[int, int] = {}
        self._idle: dict[int, None] = {}
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
        self.hold(item.variant)
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

    def ask(self, order: Ask) -> None:
        """As the ledger."""
        super().ask(order)
        if not self.is_stopped:
            self.hold(order.variant)

    def answered(self, worker: int, number: int) -> bool:
        """As the ledger."""
        order = self._asks.get(number)
        if order is not None:
            self.let_go(order.variant)
        return super().answered(worker, number)

    def worker_lost(self, worker: int) -> list[RunTask]:
        """As the ledger: tasks that are done again are asked for again."""
        tasks = super().worker_lost(worker)
        for task in tasks:
            self.let_go(task.variant)
        return tasks

    # --- settings that are used --------------------------------------------------------------------------------------

    def hold(self, variant: int) -> None:
        """Something is done with the settings of this number, or will be: everybody who says so lets go of it once."""
        if variant:
            self._used[variant] = self._used.get(variant, 0) + 1
            self._idle.pop(variant, None)

    def let_go(self, variant: int) -> None:
        """It has ended."""
        if not variant:
            return
        left = self._used[variant] - 1
        if left:
            self._used[variant] = left
        else:
            del self._used[variant]
            self._idle[variant] = None

    def take_idle_variants(self) -> Sequence[int]:
        """Those that everybody has let go of since they were held."""
        idle = tuple(self._idle)
        self._idle.clear()
        for variant in idle:
            self._settings.pop(variant, None)
        return idle

    def varied(self, number: int, settings: JobSettings) -> None:
        """As the ledger."""
        self._settings[number] = settings

    def _place_of(self, item: Item) -> Place:
        place = super()._place_of(item)
        settings = self._settings.get(item.variant)
        return place if settings is None else replace(place, way=way_of(settings))

    def _tell(self, item: Item, outcome: Outcome) -> None:
        self.let_go(item.variant)
        watcher = self._watchers.get(item.line)
        if watcher is not None:
            watcher.item_ended(item, outcome)
