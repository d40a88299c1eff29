"""The governor: limits through cells, stuck workers ended, a sleeping machine forgiven."""

from __future__ import annotations

import pytest

from orbit_fast.proc.cells import ROW_BYTES
from orbit_fast.proc.cells import Cell
from orbit_fast.proc.cells import CellBoard
from orbit_fast.proc.governor import STUCK_S
from orbit_fast.proc.governor import Governor


class Crew:
    """Two workers that are only numbers."""

    def __init__(self):
        self.indices = [0, 1]
        self.killed = []

    def pid(self, index):
        """A process id."""
        return 1000 + index

    def kill(self, index):
        """Remembered."""
        self.killed.append(index)


class Report:
    """Remembers what was logged."""

    def __init__(self):
        self.lines = []

    def log(self, level, text):
        """One line."""
        self.lines.append((level.name, text))


@pytest.fixture
def world():
    """A governor over two workers, its crew, board and report."""
    board = CellBoard(memoryview(bytearray(2 * ROW_BYTES)), workers=2)
    crew, report = Crew(), Report()
    yield Governor(crew, board, report, ceiling=100), crew, board, report
    board.close()


def allowed(board):
    """What each worker may have in flight."""
    return [board.get(worker, Cell.ALLOWED) for worker in (0, 1)]


def test_nothing_is_limited_without_refusals(world):
    """0 means: as the settings say."""
    governor, _, board, report = world
    for second in range(5):
        governor.look(10.0 + second)
    assert allowed(board) == [0, 0]
    assert report.lines == []


def test_a_refusal_of_one_worker_lowers_the_limit_of_all(world):
    """Worker 1 was told to slow down, with 80 in flight: 40 are allowed, 20 each; it is said once, and grows back."""
    governor, _, board, report = world
    governor.look(10.0)
    board.row(0).add(Cell.REQUESTS, 30)
    board.row(0).set(Cell.IN_FLIGHT, 30)
    row = board.row(1)
    row.add(Cell.REQUESTS, 60)
    row.set(Cell.IN_FLIGHT, 50)
    row.add(Cell.THROTTLED, 10)
    governor.look(11.0)
    assert allowed(board) == [20, 20]
    assert [level for level, _ in report.lines] == ["INFO"]
    for second in range(70):
        governor.look(12.0 + second)
    assert allowed(board) == [0, 0]
    assert len(report.lines) == 1


def test_a_refusal_among_many_requests_lowers_nothing(world):
    """Both workers' requests count: ten refusals of a thousand are a busy service's usual."""
    governor, _, board, report = world
    governor.look(10.0)
    board.row(0).add(Cell.REQUESTS, 700)
    board.row(1).add(Cell.REQUESTS, 300)
    board.row(1).add(Cell.THROTTLED, 10)
    governor.look(11.0)
    assert allowed(board) == [0, 0]
    assert report.lines == []


def test_a_worker_whose_loop_stands_still_is_ended(world):
    """Worker 0 turns, worker 1 does not: after the limit it is killed, and not before."""
    governor, crew, board, _ = world
    board.row(1).add(Cell.BEATS)
    now_s = 10.0
    while now_s < 10.0 + STUCK_S:
        board.row(0).add(Cell.BEATS)
        governor.look(now_s)
        now_s += 1.0
    assert crew.killed == []
    governor.look(now_s + 1.0)
    assert crew.killed == [1]


def test_a_worker_that_starts_up_is_not_stuck(world):
    """Without a first beat there is nothing to stand still."""
    governor, crew, _, _ = world
    for second in range(int(STUCK_S) + 20):
        governor.look(10.0 + second)
    assert crew.killed == []


def test_a_machine_that_slept_finds_nobody_stuck(world):
    """Ten minutes between two looks are nobody's fault (SIGSTOP, suspend); from then on it counts anew."""
    governor, crew, board, _ = world
    board.row(0).add(Cell.BEATS)
    board.row(1).add(Cell.BEATS)
    governor.look(10.0)
    governor.look(610.0)
    assert crew.killed == []
    for second in range(int(STUCK_S) - 1):
        governor.look(611.0 + second)
    assert crew.killed == []
