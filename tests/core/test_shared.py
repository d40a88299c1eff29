"""Large objects that start over, are cut anew, or leave something behind: what the ledger decides about them."""

from __future__ import annotations

import itertools

import pytest
from msgspec.structs import replace

from orbit_fast.core.hands import MAX_LOSSES
from orbit_fast.core.hands import Limits
from orbit_fast.core.layout import plan_parts
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
from orbit_fast.core.messages import MovePart
from orbit_fast.core.messages import Outcome
from orbit_fast.core.messages import PartFact
from orbit_fast.core.messages import PartMoved
from orbit_fast.core.messages import Status
from orbit_fast.core.messages import Transfer

MIB = 1 << 20
LIMITS = Limits(depth=8, concurrency=3, parts_per_worker=4, backlog=100)
REPLACED = Failure("replaced", "PreconditionFailed", 412)
CHANGED = Failure("changed", "E_SOURCE_CHANGED", exit_code=3)
GONE = Failure("gone", "NoSuchUpload", 404)
GIVEN_UP = Failure("given up", "E_CANCELLED")
NO = Failure("no", "E_TEST")


def large(number: int = 1, *, parts: int = 3, direction: Direction = Direction.DOWNLOAD) -> Item:
    """An item of so many parts."""
    return Item(number, direction, 0, f"k{number}", b"/out/f", b"/out", size=parts * 5 * MIB)


def ledger_with(*items: Item, workers: int = 1, limits: Limits = LIMITS) -> Ledger:
    """A ledger with these large objects."""
    ledger = Ledger(limits)
    for worker in range(workers):
        ledger.worker_ready(worker)
    for item in items:
        ledger.add(item, plan_parts(item.size, 5 * MIB))
    return ledger


def orders(ledger: Ledger) -> list[object]:
    """What is dealt now."""
    return [order for _, order in ledger.deal()]


def moving(ledger: Ledger, begun: Begun | None = None) -> list[MovePart]:
    """Begin the one object; its first parts."""
    [order] = orders(ledger)
    assert isinstance(order, Begin)
    ledger.begun(0, begun or Begun(1, "id"))
    dealt = [order for order in orders(ledger) if isinstance(order, MovePart)]
    assert dealt
    return dealt


@pytest.mark.parametrize("failure", [REPLACED, GONE, CHANGED])
def test_an_object_that_was_replaced_under_way_starts_over(failure: Failure) -> None:
    """Its other parts are called back, what began is abandoned, then it begins again; nobody hears of a failure."""
    ledger = ledger_with(large())
    parts = moving(ledger)
    ledger.failed(0, Failed("part", 1, failure, parts[0].number))
    assert orders(ledger) == [Drop(1)]
    for part in parts[1:]:
        ledger.failed(0, Failed("part", 1, GIVEN_UP, part.number))
    [order] = orders(ledger)
    assert isinstance(order, Abandon)
    ledger.abandoned(0, 1)
    assert ledger.take_ended() == []
    assert len(moving(ledger)) == len(parts)


@pytest.mark.parametrize(
    ("direction", "failure", "code"),
    [
        (Direction.DOWNLOAD, REPLACED, "E_OBJECT_CHANGING"),
        (Direction.UPLOAD, GONE, "NoSuchUpload"),
        (Direction.UPLOAD, CHANGED, "E_SOURCE_CHANGED"),
    ],
)
def test_it_starts_over_a_few_times_only(direction: Direction, failure: Failure, code: str) -> None:
    """Then it fails, and nothing is left."""
    ledger = ledger_with(large(parts=2, direction=direction))
    for _ in range(MAX_LOSSES):
        parts = moving(ledger)
        for part in parts:
            ledger.failed(0, Failed("part", 1, failure, part.number))
        assert [type(order) for order in orders(ledger)] == [Drop, Abandon]
        ledger.abandoned(0, 1)
    [(item, outcome)] = ledger.take_ended()
    assert outcome.failure is not None
    assert (item.number, outcome.failure.code) == (1, code)
    assert ledger.is_idle
    assert ledger.leftovers() == []


def landed(ledger: Ledger) -> None:
    """Begin the one object, move its parts, and deal the last step."""
    parts = moving(ledger)
    for part in parts:
        ledger.part_moved(0, PartMoved(1, PartFact(part.number, part.offset, part.size)))
    [finish] = orders(ledger)
    assert isinstance(finish, Finish)


def test_a_file_that_was_found_changed_at_the_end_starts_over_a_few_times_only() -> None:
    """Its last step refuses to complete what is no version of it any more."""
    ledger = ledger_with(large(parts=2, direction=Direction.UPLOAD))
    for _ in range(MAX_LOSSES):
        assert ledger.take_ended() == []
        landed(ledger)
        ledger.failed(0, Failed("finish", 1, CHANGED))
        [order] = orders(ledger)
        assert isinstance(order, Abandon)
        ledger.abandoned(0, 1)
    [(_, outcome)] = ledger.take_ended()
    assert outcome.failure == CHANGED
    assert ledger.is_idle


def test_a_changed_file_does_not_start_over_where_it_may_have_been_completed() -> None:
    """The worker with the last step died: what stands under the key may be ours, and must not be in our own way."""
    ledger = ledger_with(large(parts=2, direction=Direction.UPLOAD))
    landed(ledger)
    ledger.worker_lost(0)
    ledger.worker_ready(0)
    [finish] = orders(ledger)
    assert isinstance(finish, Finish)
    ledger.failed(0, Failed("finish", 1, CHANGED))
    assert [type(order) for order in orders(ledger)] == [Abandon]
    ledger.abandoned(0, 1)
    [(_, outcome)] = ledger.take_ended()
    assert outcome.failure == CHANGED


def test_nothing_starts_over_once_the_job_is_stopped() -> None:
    """It is abandoned like the others."""
    ledger = ledger_with(large(parts=2))
    parts = moving(ledger)
    ledger.failed(0, Failed("part", 1, REPLACED, parts[0].number))
    ledger.stop()
    ledger.failed(0, Failed("part", 1, GIVEN_UP, parts[1].number))
    orders(ledger)
    ledger.abandoned(0, 1)
    assert ledger.is_idle
    assert ledger.take_ended() == []


@pytest.mark.parametrize("size", [1, 5 * MIB, 11 * MIB, 200 * MIB])
def test_an_object_of_another_size_is_cut_anew(size: int) -> None:
    """The first step found it larger or smaller than it was listed: the parts cover what is there now."""
    ledger = ledger_with(large(), limits=Limits(depth=8, concurrency=100, parts_per_worker=100))
    parts = moving(ledger, Begun(1, "id", etag="new", mtime_ns=9, size=size))
    covered = sorted((part.offset, part.size) for part in parts)
    assert covered[0][0] == 0
    assert all(left[0] + left[1] == right[0] for left, right in itertools.pairwise(covered))
    assert sum(length for _, length in covered) == size
    for part in parts:
        ledger.part_moved(0, PartMoved(1, PartFact(part.number, part.offset, part.size)))
    [finish] = orders(ledger)
    assert isinstance(finish, Finish)
    assert (finish.item.size, finish.item.etag, finish.item.mtime_ns) == (size, "new", 9)


def test_as_many_large_objects_at_once_as_the_user_allows() -> None:
    """The limit on objects in flight holds for large ones too."""
    limits = Limits(depth=8, concurrency=3, parts_per_worker=32, objects=2)
    ledger = ledger_with(*(large(number) for number in range(1, 6)), limits=limits)
    assert [type(order) for order in orders(ledger)] == [Begin, Begin]
    ledger.item_ended(0, Outcome(1, Status.SKIPPED))
    assert len(orders(ledger)) == 1


def test_what_dead_workers_left_behind_is_known_until_it_ends() -> None:
    """Whole items and large ones; not those that nobody had begun."""
    ledger = ledger_with(large(1), large(2))
    small = Item(3, Direction.DOWNLOAD, 0, "k3")
    ledger.add(small)
    assert ledger.leftovers() == []
    orders(ledger)
    assert {item.number for item in ledger.leftovers()} == {1, 2, 3}
    ledger.worker_lost(0)
    assert {item.number for item in ledger.leftovers()} == {1, 2, 3}
    ledger.worker_ready(1)
    dealt = orders(ledger)
    assert Transfer((small,)) in dealt
    ledger.item_ended(1, Outcome(3, Status.DONE))
    ledger.failed(1, Failed("begin", 2, NO))
    ledger.take_ended()
    assert {item.number for item in ledger.leftovers()} == {1}
    ledger.worker_lost(1)
    ledger.stop()
    assert {item.number for item in ledger.leftovers()} == {1}


def test_an_item_lost_too_often_leaves_something_behind() -> None:
    """It has ended, but what its last worker left wants to be removed."""
    ledger = ledger_with(large(1))
    ledger.add(Item(2, Direction.DOWNLOAD, 0, "k2"))
    for worker in range(MAX_LOSSES):
        orders(ledger)
        ledger.worker_lost(worker)
        ledger.worker_ready(worker + 1)
    assert {item.number for item, _ in ledger.take_ended()} == {1, 2}
    assert ledger.is_idle
    assert {item.number for item in ledger.leftovers()} == {1, 2}


def test_stray_events_change_nothing() -> None:
    """Of transfers and parts that are not in this worker's hands."""
    ledger = ledger_with(large(), workers=2)
    before = repr(ledger)
    ledger.begun(1, Begun(1, "id"))
    ledger.begun(1, Begun(99, "id"))
    ledger.part_moved(0, PartMoved(1, PartFact(1, 0, 1)))
    ledger.part_moved(0, PartMoved(99, PartFact(1, 0, 1)))
    for kind in ("begin", "part", "finish", "page"):
        ledger.failed(1, Failed(kind, 1, NO, 1))
        ledger.failed(1, Failed(kind, 99, NO, 1))
    ledger.abandoned(0, 1)
    ledger.abandoned(0, 99)
    assert ledger.item_ended(0, Outcome(1, Status.DONE)) is None
    assert repr(ledger) == before


# --- what an earlier job had begun -----------------------------------------------------------------------------------


def part(number: int, size: int = 5 * MIB) -> PartFact:
    """A part that has landed."""
    return PartFact(number, (number - 1) * size, size, f"e{number}")


def resumed(*numbers: int, size: int = 5 * MIB) -> Begun:
    """What a worker answers that has taken up an upload with these parts."""
    return Begun(1, "id", part_size=size, landed=tuple(part(number, size) for number in numbers), resumed_bytes=7)


def test_what_has_landed_already_is_not_moved_again() -> None:
    """Only the rest is dealt; the last step lists all parts; what was landed travels in no order of a part."""
    ledger = ledger_with(large(parts=4))
    parts = moving(ledger, resumed(1, 3))
    assert [order.number for order in parts] == [2, 4]
    assert {order.begun for order in parts} == {replace(resumed(), landed=())}
    for order in parts:
        ledger.part_moved(0, PartMoved(1, PartFact(order.number, order.offset, order.size)))
    [finish] = orders(ledger)
    assert isinstance(finish, Finish)
    assert [(part.number, part.offset) for part in finish.parts] == [(n, (n - 1) * 5 * MIB) for n in (1, 2, 3, 4)]
    assert finish.begun.resumed_bytes == 7


def test_an_object_of_which_everything_has_landed_is_finished_at_once() -> None:
    """No part is moved."""
    ledger = ledger_with(large(parts=2))
    assert [type(order) for order in orders(ledger)] == [Begin]
    ledger.begun(0, resumed(1, 2))
    assert [type(order) for order in orders(ledger)] == [Finish]


def test_parts_keep_the_size_that_they_had() -> None:
    """An earlier job cut the object into other parts: its layout holds."""
    ledger = ledger_with(large(parts=4))
    parts = moving(ledger, resumed(1, size=10 * MIB))
    assert [(order.number, order.offset, order.size) for order in parts] == [(2, 10 * MIB, 10 * MIB)]


def test_where_there_is_nothing_to_take_up_it_begins_anew() -> None:
    """The worker cleaned up instead: the object waits again, and nobody hears of a failure."""
    ledger = ledger_with(large())
    assert [type(order) for order in orders(ledger)] == [Begin]
    assert ledger.abandoned(0, 1)
    assert ledger.take_ended() == []
    assert len(moving(ledger)) == 3


def test_what_nobody_goes_on_with_is_abandoned() -> None:
    """By any worker, and by another one where that dies."""
    ledger = ledger_with()
    ledger.clean_up(Item(-1, Direction.UPLOAD, 0, "k"), Begun(-1, "id"))
    [order] = orders(ledger)
    assert isinstance(order, Abandon)
    ledger.worker_lost(0)
    ledger.worker_ready(1)
    assert orders(ledger) == [order]
    assert ledger.abandoned(1, -1)
    assert ledger.take_ended() == []
    assert ledger.is_idle


def test_a_job_that_is_told_to_stop_keeps_what_is_moving() -> None:
    """Its parts are called back, whatever they fail with; nothing is abandoned, and nobody hears of a failure."""
    ledger = ledger_with(large())
    parts = moving(ledger)
    ledger.part_moved(0, PartMoved(1, PartFact(parts[0].number, parts[0].offset, parts[0].size)))
    ledger.stop(keeps=True)
    assert orders(ledger) == [Drop(1)]
    for order, failure in zip(parts[1:], (GIVEN_UP, CHANGED), strict=True):
        ledger.failed(0, Failed("part", 1, failure, order.number))
    assert orders(ledger) == []
    assert ledger.take_ended() == []
    assert ledger.is_idle


def test_what_had_failed_before_the_stop_is_not_kept() -> None:
    """It was given up: it is abandoned as ever."""
    ledger = ledger_with(large())
    parts = moving(ledger)
    ledger.failed(0, Failed("part", 1, NO, parts[0].number))
    ledger.stop(keeps=True)
    for order in parts[1:]:
        ledger.failed(0, Failed("part", 1, GIVEN_UP, order.number))
    assert [type(order) for order in orders(ledger)] == [Drop, Abandon]


def test_what_begins_after_the_stop_is_kept_too() -> None:
    """Its upload id was on the way: the journal has it now."""
    ledger = ledger_with(large())
    assert [type(order) for order in orders(ledger)] == [Begin]
    ledger.stop(keeps=True)
    assert ledger.begun(0, Begun(1, "id")) is not None
    assert orders(ledger) == []
    assert ledger.is_idle
