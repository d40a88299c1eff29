"""Looks after the crew a few times a second: spares a service that asks for it, and ends a worker that is stuck.

How much may be in flight is one number for the whole job (`core.throttle`), moved by what all workers together were
refused, and dealt out to them through the shared mapping: a cell each, which only the supervisor writes. So is a limit
on bytes per second, where there is one (`proc.purser`).

A worker whose loop has not turned for a long time (a disk that does not answer, a mistake of ours) is killed; its work
is another one's. That nothing takes for ever is what the limits inside a worker are for; this is the one outside.
"""

from __future__ import annotations

from collections.abc import Callable

from orbit_fast.core.throttle import Throttle
from orbit_fast.core.throttle import shares
from orbit_fast.proc.cells import Cell
from orbit_fast.proc.cells import CellBoard
from orbit_fast.proc.crew import Crew
from orbit_fast.proc.purser import DEAL_EVERY_S
from orbit_fast.proc.purser import Purser
from orbit_fast.proc.report import Level
from orbit_fast.proc.report import Report

LOOK_EVERY_S = 0.2
"""How often limits are looked at, and progress."""

STUCK_S = 120.0
"""A loop that does not turn for so long will not: twice the longest time a healthy one was seen to take for a write."""

ASLEEP_S = 5.0
"""A look that comes so late means that the machine or the whole job slept: nobody was stuck."""


class Governor:
    """Watches the workers' cells and writes theirs.

    Attributes:
        every_s: how often it wants to look.
        on_stuck: called with the number of a worker that is stuck.
    """

    def __init__(self, crew: Crew, board: CellBoard, report: Report, *, ceiling: int, max_bandwidth: int = 0) -> None:
        self._crew = crew
        self._board = board
        self._report = report
        self._throttle = Throttle(ceiling)
        self._beats: dict[int, tuple[int, int, float]] = {}
        self._looked_s = 0.0
        self._purser = Purser(crew, board, max_bandwidth) if max_bandwidth else None
        self.every_s = DEAL_EVERY_S if max_bandwidth else LOOK_EVERY_S
        self.on_stuck: Callable[[int], None] = crew.kill

    @property
    def allowed(self) -> int:
        """How many requests may be in flight because the service asks to slow down; 0 where it does not."""
        return self._throttle.limit if self._throttle.is_low else 0

    def look(self, now_s: float) -> None:
        """Do what there is to do at `now_s` (monotonic)."""
        if self._purser is not None:
            self._purser.look(now_s)
        slept = now_s - self._looked_s > ASLEEP_S
        if now_s - self._looked_s < LOOK_EVERY_S:
            return
        self._looked_s = now_s
        self._move_limit(now_s)
        self._find_stuck(now_s, slept=slept)

    def _move_limit(self, now_s: float) -> None:
        before = self._throttle.limit
        total = self._board.total
        limit = self._throttle.look(total(Cell.REQUESTS), total(Cell.THROTTLED), total(Cell.IN_FLIGHT), now_s)
        if limit == before:
            return
        # 0 means: as the settings say.
        indices = self._crew.indices
        dealt = shares(limit, len(indices)) if self._throttle.is_low and indices else [0] * len(indices)
        for index, share in zip(indices, dealt, strict=True):
            self._board.allow(index, share)
        if limit < before:
            self._report.log(Level.INFO, f"the service asks to slow down: {limit} requests in flight from now on")

    def _find_stuck(self, now_s: float, *, slept: bool) -> None:
        seen: dict[int, tuple[int, int, float]] = {}
        for index in self._crew.indices:
            pid, beats = self._crew.pid(index), self._board.get(index, Cell.BEATS)
            old_pid, old_beats, since_s = self._beats.get(index, (0, 0, now_s))
            if slept or (pid, beats) != (old_pid, old_beats):
                since_s = now_s
            seen[index] = (pid, beats, since_s)
            # Before its first beat a worker starts up and waits for orders.
            if beats and now_s - since_s > STUCK_S:
                self._report.log(
                    Level.WARNING, f"worker {index} (pid {pid}) has not moved for {STUCK_S:g} s: it is ended"
                )
                self.on_stuck(index)
        self._beats = seen
