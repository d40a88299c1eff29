"""The purser: a limit on bytes per second, dealt out through cells."""

from __future__ import annotations

import pytest

from orbit_fast.proc.cells import ROW_BYTES
from orbit_fast.proc.cells import Cell
from orbit_fast.proc.cells import CellBoard
from orbit_fast.proc.purser import DEAL_EVERY_S
from orbit_fast.proc.purser import Purser

RATE = 1_000_000
SPARE = int(RATE * DEAL_EVERY_S) // 2


class Crew:
    """Two workers that are only numbers."""

    indices = (0, 1)


@pytest.fixture
def board():
    """Of three workers, of which one does not live."""
    board = CellBoard(memoryview(bytearray(3 * ROW_BYTES)), workers=3)
    yield board
    board.close()


def granted(board):
    """How much each may move more than it has told."""
    return [board.get(worker, Cell.BYTES_GRANTED) - board.moved(worker) for worker in range(3)]


def test_who_waits_gets_what_there_is(board):
    """Of an eighth of a second's worth: all but what the other one may need at once."""
    purser = Purser(Crew(), board, RATE)
    purser.look(10.0)
    board.row(0).set(Cell.HELD_BACK, 3)
    purser.look(10.125)
    assert granted(board) == [125_000 - SPARE, SPARE, 0]


def test_who_does_not_wait_gets_twice_what_it_moved(board):
    """And what it moved is missing to all."""
    purser = Purser(Crew(), board, RATE)
    purser.look(10.0)
    board.row(0).set(Cell.HELD_BACK, 1)
    board.row(1).add(Cell.BYTES_SENT, 5_000)
    board.row(1).add(Cell.BYTES_RECEIVED, 2_000)
    purser.look(10.125)
    assert granted(board) == [118_000 - 14_000 - SPARE, 14_000 + SPARE, 0]


def test_a_row_with_a_past_goes_on_from_there(board):
    """What was moved by a worker that died is no debt of the one that replaces it."""
    board.row(1).add(Cell.BYTES_SENT, 500_000)
    purser = Purser(Crew(), board, RATE)
    purser.look(10.0)
    board.row(1).set(Cell.HELD_BACK, 1)
    purser.look(10.125)
    assert granted(board) == [SPARE, 125_000 - SPARE, 0]
    purser.look(10.126)
    assert board.get(1, Cell.BYTES_GRANTED) == 625_000 - SPARE, "too soon to deal again"
