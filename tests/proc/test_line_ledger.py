"""The ledger of a script: whoever waits for a line's objects hears of each once, and of no other line's."""

from __future__ import annotations

from msgspec.structs import replace

from orbit_fast.core.hands import MAX_LOSSES
from orbit_fast.core.hands import Limits
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import Outcome
from orbit_fast.core.messages import RunTask
from orbit_fast.core.messages import Stat
from orbit_fast.core.messages import Status
from orbit_fast.core.messages import Transfer
from orbit_fast.core.tasks import HeadBucket
from tests.kit.ledgers import line_ledger


class Watcher:
    """Counts."""

    def __init__(self):
        self.added = 0
        self.ended = []

    def item_added(self):
        """One more."""
        self.added += 1

    def item_ended(self, item, outcome):
        """One less."""
        self.ended.append((item.number, outcome.status))


def item(number, line):
    """An upload."""
    return Item(number, Direction.UPLOAD, 0, f"k{number}", b"f", b"", 1, 0, line=line)


def dealt(ledger):
    """The items that are sent to workers now, each with its worker."""
    return [(worker, each) for worker, order in ledger.deal() if isinstance(order, Transfer) for each in order.items]


def test_a_line_hears_of_its_own_objects():
    """How each ended; nothing after it has left."""
    ledger, watcher = line_ledger(Limits(workers=1, depth=8, concurrency=4)), Watcher()
    ledger.watch(2, watcher)
    ledger.worker_ready(0)
    for number, line in ((1, 1), (2, 2), (3, 2), (4, 2), (5, 0)):
        ledger.add(item(number, line))
    assert watcher.added == 3
    sent = []
    while len(sent) < 5:
        sent += dealt(ledger)
    for number in (1, 2, 3):
        ledger.item_ended(0, Outcome(number, Status.DONE if number < 3 else Status.FAILED))
    assert watcher.ended == [(2, Status.DONE), (3, Status.FAILED)]
    ledger.leave(2)
    ledger.item_ended(0, Outcome(4, Status.DONE))
    assert len(watcher.ended) == 2


def test_what_a_lost_worker_had_is_not_new():
    """It ends once: with the worker that has it at last, or here when it was lost too often."""
    ledger, watcher = line_ledger(Limits(workers=1, depth=8, concurrency=4)), Watcher()
    ledger.watch(1, watcher)
    ledger.worker_ready(0)
    ledger.add(item(1, 1))
    for _ in range(MAX_LOSSES):
        assert [each.number for _, each in dealt(ledger)] == [1]
        ledger.worker_lost(0)
        ledger.worker_ready(0)
    assert (watcher.added, watcher.ended) == (1, [])
    assert len(ledger.take_ended()) == 1
    assert watcher.ended == [(1, Status.FAILED)]
    assert ledger.take_ended() == []


def test_after_the_stop_nothing_is_added():
    """Nor waited for."""
    ledger, watcher = line_ledger(Limits(workers=1, depth=8, concurrency=4)), Watcher()
    ledger.watch(1, watcher)
    ledger.stop()
    ledger.add(item(1, 1))
    assert watcher.added == 0


def test_settings_are_idle_when_everything_that_uses_them_has_ended():
    """Objects, questions and tasks, whoever did them; what is held besides; and each is told of once."""
    ledger = line_ledger(Limits(workers=2, depth=8, concurrency=4))
    ledger.worker_ready(0)
    ledger.add(replace(item(1, 1), variant=3))
    ledger.add(replace(item(2, 1), variant=4))
    ledger.ask(Stat(7, 0, "k", variant=5))
    ledger.ask(RunTask(8, HeadBucket(0), 6, 2))
    ledger.hold(3)
    while ledger.deal():
        pass
    ledger.item_ended(0, Outcome(1, Status.DONE))
    assert ledger.take_idle_variants() == ()
    ledger.let_go(3)
    assert ledger.take_idle_variants() == (3,)
    [task] = ledger.worker_lost(0)
    ledger.ask(task)
    ledger.worker_ready(1)
    while ledger.deal():
        pass
    for number in (7, 8):
        ledger.answered(1, number)
        assert not ledger.answered(1, number)
    ledger.item_ended(1, Outcome(2, Status.FAILED))
    assert sorted(ledger.take_idle_variants()) == [4, 5, 6]
    assert ledger.take_idle_variants() == ()


def test_settings_that_are_used_again_are_not_idle():
    """Between the end of one use and the question; and the job's own are never told."""
    ledger = line_ledger(Limits(workers=1, depth=8, concurrency=4))
    for variant in (0, 3):
        ledger.hold(variant)
        ledger.let_go(variant)
        ledger.hold(variant)
    assert ledger.take_idle_variants() == ()
    for variant in (0, 3):
        ledger.let_go(variant)
    assert ledger.take_idle_variants() == (3,)
