"""How far a job is: what is shown, and how often."""

from __future__ import annotations

from types import SimpleNamespace

from orbit_fast.core.messages import Outcome
from orbit_fast.core.messages import Status
from orbit_fast.core.tally import Tally
from orbit_fast.proc.cells import Cell
from orbit_fast.proc.progress import Progress
from orbit_fast.proc.slots import SlotArena


class Said:
    """A report that remembers."""

    elapsed_s = 3.0

    def __init__(self):
        self.tally = Tally()
        self.shown = []
        self.told = []

    def show(self, snapshot):
        """On the terminal."""
        self.shown.append(snapshot)

    def progress(self, snapshot):
        """As an event."""
        self.told.append(snapshot)


def test_shown_often_told_once_a_second():
    """However often somebody looks."""
    arena = SlotArena.create(max_memory=4096, workers=2, slot_size=4096)
    said = Said()
    progress = Progress(said, arena.board)
    intake = SimpleNamespace(size=1000, files=10)
    for tick in range(200):  # two seconds
        progress.look(100 + tick / 100, intake, is_found=False)
    assert (len(said.shown), len(said.told)) == (10, 2)
    assert said.shown[-1].bytes_total is None
    arena.close()


def test_the_numbers():
    """Moved bytes of all workers, at most what there is; totals once everything is found."""
    arena = SlotArena.create(max_memory=4096, workers=2, slot_size=4096)
    said = Said()
    progress = Progress(said, arena.board)
    intake = SimpleNamespace(size=1000, files=10)
    said.tally.add(Outcome(1, Status.FAILED))
    progress.look(100.0, intake, is_found=True)
    arena.board.row(0).add(Cell.BYTES_SENT, 300)
    arena.board.row(1).add(Cell.BYTES_RECEIVED, 100)
    arena.board.row(1).add(Cell.RETRIES, 2)
    progress.look(102.0, intake, is_found=True)
    snapshot = said.shown[-1]
    assert (snapshot.bytes_done, snapshot.bytes_total, snapshot.rate_bps) == (400, 1000, 200.0)
    assert (snapshot.files_done, snapshot.files_total, snapshot.files_failed) == (1, 10, 1)
    assert (snapshot.retries, snapshot.elapsed_s) == (2, 3.0)
    arena.board.row(0).add(Cell.BYTES_SENT, 5000)  # heads, and parts sent again
    progress.look(104.0, intake, is_found=True)
    assert said.shown[-1].bytes_done == 1000
    arena.close()
