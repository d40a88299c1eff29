"""The ledger as a table: events in, orders out; and a seeded world of workers that do, fail and die at random."""

from __future__ import annotations

import pytest

from orbit_fast.core.fetching import Fetch
from orbit_fast.core.fetching import Pour
from orbit_fast.core.hands import MAX_LOSSES
from orbit_fast.core.hands import Limits
from orbit_fast.core.layout import plan_parts
from orbit_fast.core.ledger import CHUNK
from orbit_fast.core.ledger import Ledger
from orbit_fast.core.messages import Abandon
from orbit_fast.core.messages import Begin
from orbit_fast.core.messages import Begun
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Drop
from orbit_fast.core.messages import Failed
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Finish
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import ListPage
from orbit_fast.core.messages import MovePart
from orbit_fast.core.messages import Outcome
from orbit_fast.core.messages import PartFact
from orbit_fast.core.messages import PartMoved
from orbit_fast.core.messages import Status
from orbit_fast.core.messages import Transfer

LIMITS = Limits(depth=8, concurrency=3, parts_per_worker=4, backlog=100)
MIB = 1 << 20
NO = Failure("no", "E_TEST")


def item(number: int, size: int = 10, direction: Direction = Direction.UPLOAD) -> Item:
    """A whole item."""
    return Item(number, direction, 0, f"k{number}", size=size)


def ready(*workers: int) -> Ledger:
    """A ledger with these workers."""
    ledger = Ledger(LIMITS)
    for worker in workers:
        ledger.worker_ready(worker)
    return ledger


def share(ledger: Ledger, number: int, parts: int, direction: Direction = Direction.UPLOAD) -> Item:
    """Add a large object of so many parts."""
    large = item(number, parts * 5 * MIB, direction)
    ledger.add(large, plan_parts(large.size, 5 * MIB))
    return large


def done(number: int) -> Outcome:
    """The item ended well."""
    return Outcome(number, Status.DONE, 10)


def begin(ledger: Ledger, number: int, parts: int, direction: Direction = Direction.UPLOAD) -> int:
    """A shared transfer that has begun; the worker that began it."""
    share(ledger, number, parts, direction)
    [(worker, order)] = ledger.deal()
    assert isinstance(order, Begin)
    ledger.begun(worker, Begun(number, "upload-id"))
    return worker


def test_nothing_is_dealt_without_workers() -> None:
    """Items wait until somebody is there."""
    ledger = Ledger(LIMITS)
    ledger.add(item(1))
    assert ledger.deal() == []
    ledger.worker_ready(0)
    assert ledger.deal() == [(0, Transfer((item(1),)))]


def test_few_items_are_spread_one_by_one() -> None:
    """Ten items and two workers: none of them gets more than one ahead; each gets its own in one order."""
    ledger = ready(0, 1)
    for number in range(1, 11):
        ledger.add(item(number))
    orders = ledger.deal()
    assert [len(order.items) for _, order in orders if isinstance(order, Transfer)] == [5, 5]
    assert sorted(worker for worker, _ in orders) == [0, 1]


def test_many_items_go_out_in_chunks_up_to_the_depth() -> None:
    """A worker is never given more than its depth, whatever waits."""
    ledger = Ledger(Limits(depth=200, concurrency=1))
    ledger.worker_ready(0)
    for number in range(1, 1001):
        ledger.add(item(number))
    orders = [order for _, order in ledger.deal()]
    sizes = [len(order.items) for order in orders if isinstance(order, Transfer)]
    assert max(sizes) == CHUNK
    assert sum(sizes) == 200
    assert ledger.deal() == []
    ledger.item_ended(0, done(1))
    assert [(worker, len(order.items)) for worker, order in ledger.deal() if isinstance(order, Transfer)] == [(0, 1)]


def test_a_held_ledger_deals_only_questions() -> None:
    """While it is not known whether anything can succeed, pages are fetched and nothing else is tried."""
    ledger = ready(0)
    ledger.is_held = True
    ledger.add(item(1))
    ledger.ask(ListPage(1, 0, ""))
    assert ledger.deal() == [(0, ListPage(1, 0, ""))]
    ledger.is_held = False
    assert ledger.deal() == [(0, Transfer((item(1),)))]


def test_pieces_of_a_stream_go_to_the_worker_that_has_it() -> None:
    """Whatever else that one has to do; ranges go to the least loaded. When it dies, another goes on, in order."""
    ledger = ready(0, 1)
    ledger.ask(Pour(1, 0, "k", 100, "v1"))
    for number in range(2, 30):
        ledger.ask(Fetch(number, 0, "k", 0, 4096, offset=number, size=1, stream=1))
    ledger.ask(Fetch(30, 0, "k", 0, 4096, offset=0, size=1))
    assert [worker for worker, _ in ledger.deal()] == [0] * 29 + [1]
    ledger.worker_lost(0)
    assert [(worker, order.number) for worker, order in ledger.deal()] == [(1, number) for number in range(1, 30)]


def test_pieces_of_a_stream_stay_with_it_whoever_comes_and_goes() -> None:
    """Workers that die and are there again in another order change nothing; nor do streams that have ended."""
    ledger = ready(0, 1)
    ledger.ask(Pour(1, 0, "k", 100, "v1"))
    ledger.ask(Fetch(2, 0, "k", 0, 4096, offset=0, size=1, stream=1))
    ledger.deal()
    for worker in (0, 1):
        ledger.worker_lost(worker)
    ledger.worker_ready(1)
    assert [(worker, order.number) for worker, order in ledger.deal()] == [(1, 1), (1, 2)]
    ledger.worker_ready(0)
    ledger.ask(Fetch(3, 0, "k", 0, 4096, offset=1, size=1, stream=1))
    assert [(worker, order.number) for worker, order in ledger.deal()] == [(1, 3)]
    assert ledger.answered(1, 1)
    ledger.worker_lost(1)
    assert [(worker, order.number) for worker, order in ledger.deal()] == [(0, 2), (0, 3)], "to be told it is gone"


def test_parts_go_to_all_workers_within_the_objects_concurrency() -> None:
    """Five parts, three at once, over two workers; the next one follows when one has landed."""
    ledger = ready(0, 1)
    begin(ledger, 1, 5)
    orders = ledger.deal()
    assert [order.number for _, order in orders if isinstance(order, MovePart)] == [1, 2, 3]
    assert {worker for worker, _ in orders} == {0, 1}
    ledger.part_moved(orders[0][0], PartMoved(1, PartFact(1, 0, 5 * MIB)))
    assert [order.number for _, order in ledger.deal() if isinstance(order, MovePart)] == [4]


def test_finish_carries_every_part_in_order() -> None:
    """Parts land in any order; Finish lists them 1..N, once."""
    ledger = ready(0)
    begin(ledger, 1, 3)
    orders = ledger.deal()
    for _, order in reversed(orders):
        assert isinstance(order, MovePart)
        ledger.part_moved(0, PartMoved(1, PartFact(order.number, order.offset, order.size)))
    [(_, finish)] = ledger.deal()
    assert isinstance(finish, Finish)
    assert [part.number for part in finish.parts] == [1, 2, 3]
    assert sum(part.size for part in finish.parts) == 15 * MIB
    assert ledger.item_ended(0, done(1)) is not None
    assert ledger.is_idle


def test_a_failed_part_recalls_the_others_and_abandons_when_they_are_quiet() -> None:
    """Abort goes out only when no part is in flight; the failure comes out once, after it."""
    ledger = ready(0, 1)
    begin(ledger, 1, 5)
    parts = [(worker, order) for worker, order in ledger.deal() if isinstance(order, MovePart)]
    failing, *others = parts
    ledger.failed(failing[0], Failed("part", 1, NO, failing[1].number))
    orders = ledger.deal()
    assert orders
    assert all(isinstance(order, Drop) for _, order in orders)
    for worker, order in others:
        assert not any(isinstance(order, Abandon) for _, order in ledger.deal())
        ledger.failed(worker, Failed("part", 1, NO, order.number))
    [(worker, abandon)] = ledger.deal()
    assert isinstance(abandon, Abandon)
    assert ledger.take_ended() == []
    ledger.abandoned(worker, 1)
    [(_, outcome)] = ledger.take_ended()
    assert (outcome.status, outcome.failure) == (Status.FAILED, NO)
    assert ledger.is_idle


def test_a_failed_finish_is_abandoned_and_reported() -> None:
    """What cannot be completed is aborted, and then said."""
    ledger = ready(0)
    begin(ledger, 1, 2)
    for _, order in ledger.deal():
        assert isinstance(order, MovePart)
        ledger.part_moved(0, PartMoved(1, PartFact(order.number, order.offset, order.size)))
    ledger.deal()
    ledger.failed(0, Failed("finish", 1, NO))
    [(_, abandon)] = ledger.deal()
    assert isinstance(abandon, Abandon)
    ledger.abandoned(0, 1)
    assert [outcome.failure for _, outcome in ledger.take_ended()] == [NO]


def test_a_failed_begin_needs_no_abandon() -> None:
    """Nothing exists yet: the failure comes out at once."""
    ledger = ready(0)
    share(ledger, 1, 3)
    ledger.deal()
    ledger.failed(0, Failed("begin", 1, NO))
    assert [outcome.failure for _, outcome in ledger.take_ended()] == [NO]
    assert ledger.is_idle


def test_a_lost_workers_items_and_parts_are_dealt_again() -> None:
    """Worker 0 dies with an item and a part in hand: worker 1 gets both."""
    ledger = ready(0)
    ledger.add(item(9))
    begin_worker = begin_with_item(ledger)
    ledger.worker_lost(begin_worker)
    ledger.worker_ready(1)
    orders = ledger.deal()
    assert {order.number for _, order in orders if isinstance(order, MovePart)} == {1, 2}
    assert [order.items for _, order in orders if isinstance(order, Transfer)] == [(item(9),)]
    assert {worker for worker, _ in orders} == {1}


def begin_with_item(ledger: Ledger) -> int:
    """Worker 0 holds an item and both parts of a transfer."""
    share(ledger, 1, 2)
    ledger.deal()
    ledger.begun(0, Begun(1, "upload-id"))
    ledger.deal()
    return 0


def test_a_report_from_a_buried_worker_changes_nothing() -> None:
    """What was dealt again is not ended by the first worker's late word."""
    ledger = ready(0, 1)
    ledger.add(item(1))
    [(worker, _)] = ledger.deal()
    ledger.worker_lost(worker)
    assert ledger.deal()
    ledger.worker_ready(worker)
    assert ledger.item_ended(worker, done(1)) is None
    assert not ledger.is_idle


def test_an_item_that_outlives_too_many_workers_fails() -> None:
    """The same item in the hands of MAX_LOSSES dead workers fails with E_WORKER_LOST."""
    ledger = Ledger(LIMITS)
    ledger.add(item(1))
    for worker in range(MAX_LOSSES):
        ledger.worker_ready(worker)
        assert ledger.deal()
        ledger.worker_lost(worker)
    [(_, outcome)] = ledger.take_ended()
    assert outcome.failure is not None
    assert outcome.failure.code == "E_WORKER_LOST"
    assert ledger.is_idle


def test_losing_many_parts_at_once_is_one_loss() -> None:
    """A worker that dies with four parts of one object counts once against it."""
    ledger = Ledger(Limits(depth=8, concurrency=4))
    ledger.worker_ready(0)
    begin(ledger, 1, 4)
    assert len(ledger.deal()) == 4
    ledger.worker_lost(0)
    ledger.worker_ready(1)
    assert len(ledger.deal()) == 4


@pytest.mark.parametrize(
    ("direction", "expected"), [(Direction.UPLOAD, Finish), (Direction.COPY, Finish), (Direction.DOWNLOAD, Abandon)]
)
def test_a_finish_in_a_dead_workers_hands(direction: Direction, expected: type) -> None:
    """An upload is completed again (the service tells whether it was); a download's file goes and is fetched again."""
    ledger = ready(0)
    begin(ledger, 1, 2, direction)
    for _, order in ledger.deal():
        assert isinstance(order, MovePart)
        ledger.part_moved(0, PartMoved(1, PartFact(order.number, order.offset, order.size)))
    ledger.deal()
    ledger.worker_lost(0)
    ledger.worker_ready(1)
    assert [type(order) for _, order in ledger.deal()] == [expected]
    if expected is Abandon:
        ledger.abandoned(1, 1)
        assert [type(order) for _, order in ledger.deal()] == [Begin]


def test_stop_drops_what_waits_and_abandons_what_began() -> None:
    """After stop: no new work, the begun upload is aborted, then the ledger is idle."""
    ledger = ready(0)
    begin(ledger, 1, 5)
    moving = [order.number for _, order in ledger.deal() if isinstance(order, MovePart)]
    share(ledger, 2, 5)
    ledger.add(item(3))
    ledger.ask(ListPage(1, 0, ""))
    ledger.stop()
    assert [type(order) for _, order in ledger.deal()] == [Drop]
    for number in moving:
        ledger.failed(0, Failed("part", 1, NO, number))
    assert [type(order) for _, order in ledger.deal()] == [Abandon]
    ledger.abandoned(0, 1)
    ledger.take_ended()
    assert ledger.is_idle
    ledger.add(item(4))
    assert ledger.is_idle


def test_an_upload_that_begins_after_stop_is_abandoned() -> None:
    """Its id was on the way when the job was told to end: it must not stay behind."""
    ledger = ready(0)
    share(ledger, 1, 3)
    ledger.deal()
    ledger.stop()
    ledger.begun(0, Begun(1, "upload-id"))
    assert [type(order) for _, order in ledger.deal()] == [Abandon]


def test_wanted_workers_follow_the_work() -> None:
    """One for little, more for many items, one for each part of a large object in flight."""
    ledger = ready(0)
    assert ledger.wanted_workers() == 1
    ledger.add(item(1))
    assert ledger.wanted_workers() == 1
    for number in range(2, 130):
        ledger.add(item(number))
    assert ledger.wanted_workers() == 4
    share(ledger, 1000, 20)
    assert ledger.wanted_workers() == 4
    assert ledger.has_room is False
