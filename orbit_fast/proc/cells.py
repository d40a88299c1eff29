"""Shared 8-byte counters: one row a worker, each written by one process, summed by the supervisor.

Python has no atomic read-modify-write across processes, and a lock dies with its holder. So no cell ever has two
writers: a worker adds to its own row, the supervisor only reads. An aligned 8-byte store is whole on every machine that
orbit runs on; a reader may be one addition late, never torn.

A worker that replaces a dead one takes over its row: what was counted stays counted. Gauges (how many right now) are
set back to zero by the supervisor when the dead process has been reaped, which is when the row has no writer.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable

ROW_CELLS = 16
"""Cells of a row: two cache lines, so that neighbours never share one."""
CELL_BYTES = 8
ROW_BYTES = ROW_CELLS * CELL_BYTES


class Cell(enum.IntEnum):
    """What is counted."""

    BYTES_SENT = 0
    """Payload bytes handed to the network."""
    BYTES_RECEIVED = 1
    """Payload bytes taken from the network."""
    REQUESTS = 2
    """Requests sent, every attempt."""
    RETRIES = 3
    """Requests that were sent again."""
    THROTTLED = 4
    """Answers that said: slow down."""
    CONNECTS = 5
    """Connections opened."""
    BEATS = 6
    """Grows while the worker's loop turns."""
    IN_FLIGHT = 7
    """Gauge: requests without an answer yet."""
    CONNECTIONS = 8
    """Gauge: open connections."""
    SLOTS_LEASED = 9
    """Gauge: slots in use."""
    ALLOWED = 10
    """Grant, written by the supervisor: requests that the worker may have in flight; 0: as its settings say."""
    BYTES_GRANTED = 11
    """Grant, written by the supervisor: bytes that the worker may have sent and received in all, under a limit."""
    HELD_BACK = 12
    """Gauge: connections and requests that wait until more is granted."""


GAUGES = (Cell.IN_FLIGHT, Cell.CONNECTIONS, Cell.SLOTS_LEASED, Cell.HELD_BACK)


class CellRow:
    """The row of one worker. Only that worker's process writes it."""

    __slots__ = ("_cells",)

    def __init__(self, cells: memoryview) -> None:
        self._cells = cells

    def add(self, cell: Cell, amount: int = 1) -> None:
        """Count `amount` more (or, of a gauge, fewer)."""
        self._cells[cell] += amount

    def set(self, cell: Cell, value: int) -> None:
        """Make the cell `value`."""
        self._cells[cell] = value

    def get(self, cell: Cell) -> int:
        """The cell's value now."""
        return int(self._cells[cell])

    def close(self) -> None:
        """Let go of the mapping; the row is of no use afterwards."""
        self._cells.release()


class CellBoard:
    """All rows, in memory that every process maps."""

    __slots__ = ("_cells", "workers")

    def __init__(self, memory: memoryview, *, workers: int) -> None:
        """Rows for `workers` workers in the first bytes of `memory` (8-byte aligned, format ``B``)."""
        with memory[: workers * ROW_BYTES] as rows:
            self._cells = rows.cast("q")
        self.workers = workers

    def row(self, worker: int) -> CellRow:
        """The row that the process of worker `worker` writes.

        Raises:
            IndexError: there is no such worker.
        """
        self._check(worker)
        return CellRow(self._cells[worker * ROW_CELLS : (worker + 1) * ROW_CELLS])

    def get(self, worker: int, cell: Cell) -> int:
        """One worker's value.

        Raises:
            IndexError: there is no such worker.
        """
        self._check(worker)
        return int(self._cells[worker * ROW_CELLS + cell])

    def total(self, cell: Cell) -> int:
        """The sum over all workers."""
        return sum(self._cells[row * ROW_CELLS + cell] for row in range(self.workers))

    def totals(self, cells: Iterable[Cell] = Cell) -> dict[Cell, int]:
        """The sums of several cells."""
        return {cell: self.total(cell) for cell in cells}

    def allow(self, worker: int, requests: int) -> None:
        """Grant a worker so many requests in flight; 0 lifts the limit. Only the supervisor does.

        Raises:
            IndexError: there is no such worker.
        """
        self._check(worker)
        self._cells[worker * ROW_CELLS + Cell.ALLOWED] = requests

    def grant(self, worker: int, moved: int) -> None:
        """Let a worker have moved so many bytes in all. Only the supervisor does.

        Raises:
            IndexError: there is no such worker.
        """
        self._check(worker)
        self._cells[worker * ROW_CELLS + Cell.BYTES_GRANTED] = moved

    def moved(self, worker: int) -> int:
        """Bytes that a worker has sent and received in all, as far as it has told.

        Raises:
            IndexError: there is no such worker.
        """
        self._check(worker)
        first = worker * ROW_CELLS
        return int(self._cells[first + Cell.BYTES_SENT] + self._cells[first + Cell.BYTES_RECEIVED])

    def retire(self, worker: int) -> None:
        """Set the gauges of a worker back to zero. Only when its process has been reaped.

        Raises:
            IndexError: there is no such worker.
        """
        self._check(worker)
        for gauge in GAUGES:
            self._cells[worker * ROW_CELLS + gauge] = 0

    def close(self) -> None:
        """Let go of the mapping; the board is of no use afterwards."""
        self._cells.release()

    def _check(self, worker: int) -> None:
        if not 0 <= worker < self.workers:
            raise IndexError(f"worker {worker} of {self.workers}")
