"""Deals out a limit on bytes per second to the workers, a few dozen times a second (`core.bandwidth`).

What each may have moved in all goes into a cell of its row, which only the supervisor writes. A worker that waits gets
as much as there is; one that does not gets twice what it moved lately, so that it does not begin to wait at once.
"""

from __future__ import annotations

from orbit_fast.core.bandwidth import TokenBucket
from orbit_fast.core.bandwidth import deal
from orbit_fast.proc.cells import Cell
from orbit_fast.proc.cells import CellBoard
from orbit_fast.proc.crew import Crew

DEAL_EVERY_S = 0.02


class Purser:
    """Reads what the workers have moved and writes what they may.

    Args:
        crew: those who live.
        board: the workers' cells.
        rate: the limit in bytes per second.
    """

    def __init__(self, crew: Crew, board: CellBoard, rate: int) -> None:
        self._crew = crew
        self._board = board
        self._bucket = TokenBucket(rate)
        self._moved = [board.moved(worker) for worker in range(board.workers)]
        self._looked_s = 0.0

    def look(self, now_s: float) -> None:
        """Deal, where it is time to."""
        passed_s = now_s - self._looked_s
        if passed_s < DEAL_EVERY_S:
            return
        self._looked_s = now_s
        board, before = self._board, self._moved
        moved = self._moved = [board.moved(worker) for worker in range(board.workers)]
        level = self._bucket.look(now_s, sum(moved))
        indices = self._crew.indices
        if not indices:
            return
        spare = int(self._bucket.rate * DEAL_EVERY_S) // len(indices)
        wants = [
            None if board.get(index, Cell.HELD_BACK) else 2 * (moved[index] - before[index]) + spare
            for index in indices
        ]
        for index, share in zip(indices, deal(level, wants), strict=True):
            board.grant(index, moved[index] + share)
