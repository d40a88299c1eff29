"""Counters: each cell has one writer, the supervisor adds up."""

from __future__ import annotations

import pytest

from orbit_fast.proc.cells import GAUGES
from orbit_fast.proc.cells import ROW_BYTES
from orbit_fast.proc.cells import ROW_CELLS
from orbit_fast.proc.cells import Cell
from orbit_fast.proc.cells import CellBoard
from orbit_fast.proc.slots import SlotArena
from orbit_fast.proc.spawn import Method
from orbit_fast.proc.spawn import start_worker
from tests.kit import worker_entries


@pytest.fixture
def board():
    """A board for three workers in ordinary memory."""
    return CellBoard(memoryview(bytearray(3 * ROW_BYTES + 40)), workers=3)


def test_every_cell_has_a_place():
    """Each counter has its own cell inside the row."""
    assert sorted(Cell) == list(range(len(Cell)))
    assert len(Cell) <= ROW_CELLS


def test_rows_are_apart_and_summed(board):
    """Every cell of every row is itself; a total is the sum of the rows."""
    for worker in range(3):
        row = board.row(worker)
        for cell in Cell:
            row.set(cell, 100 * worker + cell)
            row.add(cell)
            row.add(cell, 2)
            assert row.get(cell) == 100 * worker + cell + 3
    assert [board.get(worker, cell) for worker in range(3) for cell in Cell] == [
        100 * worker + cell + 3 for worker in range(3) for cell in Cell
    ]
    assert board.total(Cell.RETRIES) == 300 + 3 * Cell.RETRIES + 9
    assert board.totals((Cell.RETRIES, Cell.BYTES_SENT)) == {Cell.RETRIES: 318, Cell.BYTES_SENT: 309}


def test_a_new_process_goes_on_counting(board):
    """After a worker's death its gauges are zero, its counters stay, and the other rows are not touched."""
    for worker in range(3):
        for cell in Cell:
            board.row(worker).set(cell, 7)
    board.retire(1)
    assert {cell for cell in Cell if board.get(1, cell) == 0} == set(GAUGES)
    assert all(board.get(worker, cell) == 7 for worker in (0, 2) for cell in Cell)
    board.row(1).add(Cell.REQUESTS)
    assert board.get(1, Cell.REQUESTS) == 8


@pytest.mark.parametrize("worker", [-1, 3])
def test_no_such_worker(board, worker):
    """A row beyond the board is refused instead of landing in the slot table."""
    for act in (board.row, board.retire, lambda index: board.get(index, Cell.BEATS)):
        with pytest.raises(IndexError):
            act(worker)


def test_counts_hold_more_than_32_bits(board):
    """Bytes of a large job fit."""
    board.row(0).add(Cell.BYTES_SENT, 48 << 40)
    assert board.total(Cell.BYTES_SENT) == 48 << 40


def test_real_processes_count_without_losing():
    """Two processes that count at the same time lose nothing."""
    arena = SlotArena.create(max_memory=0, workers=2, slot_size=4096)
    workers = [
        start_worker(index, f"{worker_entries.NAME}:count", arena_fd=arena.fd, method=Method.FORK) for index in range(2)
    ]
    assert [worker.wait(60) for worker in workers] == [0, 0]
    assert arena.board.total(Cell.BYTES_SENT) == 10_000 + 20_000
    for worker in workers:
        worker.close()
    arena.close()
