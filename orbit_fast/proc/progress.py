"""How far a job is: looked at a few times a second, shown on the terminal, told as an event once a second."""

from __future__ import annotations

from dataclasses import dataclass

from orbit_fast.core.console import Snapshot
from orbit_fast.core.pace import Pace
from orbit_fast.proc.cells import Cell
from orbit_fast.proc.cells import CellBoard
from orbit_fast.proc.report import Report

SHOW_EVERY_S = 0.2
TELL_EVERY_S = 1.0


@dataclass(slots=True)
class Amount:
    """What there is to do, as far as it has been found.

    Attributes:
        files: objects.
        size: their bytes.
    """

    files: int = 0
    size: int = 0


class Progress:
    """Looks at what the workers count and what the job has found."""

    def __init__(self, report: Report, board: CellBoard) -> None:
        self._report = report
        self._board = board
        self._pace = Pace()
        self._shown_s = 0.0
        self._told_s = 0.0

    def look(self, now_s: float, amount: Amount, *, is_found: bool) -> None:
        """Show and tell, where it is time to; `is_found` says that all sources have been searched."""
        if now_s - self._shown_s < SHOW_EVERY_S:
            return
        self._shown_s = now_s
        snapshot = self._snapshot(now_s, amount, is_found=is_found)
        self._report.show(snapshot)
        if now_s - self._told_s >= TELL_EVERY_S:
            self._told_s = now_s
            self._report.progress(snapshot)

    def _snapshot(self, now_s: float, amount: Amount, *, is_found: bool) -> Snapshot:
        tally, board = self._report.tally, self._board
        moved = board.total(Cell.BYTES_SENT) + board.total(Cell.BYTES_RECEIVED)
        return Snapshot(
            bytes_done=min(max(moved, tally.size), amount.size),
            bytes_total=amount.size if is_found else None,
            files_done=tally.ended + sum(tally.under_way.values()),
            files_total=amount.files if is_found else None,
            files_failed=tally.failed,
            in_flight=board.total(Cell.IN_FLIGHT),
            retries=board.total(Cell.RETRIES),
            elapsed_s=self._report.elapsed_s,
            rate_bps=self._pace.rate(now_s, moved),
        )
