"""Streams of unknown length: how large their parts are, and what the ledger does with them."""

from __future__ import annotations

import pytest

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import TooLarge
from orbit_fast.core.hands import Limits
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
from orbit_fast.core.messages import PartFact
from orbit_fast.core.messages import PartMoved
from orbit_fast.core.settings import GIB
from orbit_fast.core.settings import MIB
from orbit_fast.core.stream import PartSizes
from orbit_fast.core.stream import Stream

ITEM = Item(1, Direction.PIPE, 0, "k", b"-")


# --- sizes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("memory", "number", "size"),
    [
        (512 * MIB, 1, 8 * MIB),
        (512 * MIB, 1000, 8 * MIB),
        (512 * MIB, 1001, 16 * MIB),
        (512 * MIB, 5001, 256 * MIB),
        (512 * MIB, 10_000, 256 * MIB),
        (64 * MIB, 10_000, 32 * MIB),
        (14 * MIB, 1, 7 * MIB),
        (14 * MIB, 10_000, 7 * MIB),
        (10 * MIB, 1, 5 * MIB),
        (100 * GIB, 10_000, 4 * GIB),
    ],
)
def test_parts_double_as_far_as_memory_allows(memory, number, size):
    """Two of them always fit; none is below what S3 takes."""
    assert PartSizes(memory).size_of(number) == size


def test_more_than_a_tebibyte_fits_the_default_memory():
    """10,000 parts suffice for it."""
    assert PartSizes(510 * MIB).total() > 1024 * GIB


@pytest.mark.parametrize(("expected", "size"), [(1, 8 * MIB), (80_000 * MIB, 8 * MIB), (100_000 * MIB, 10 * MIB)])
def test_who_says_how_much_will_come_gets_equal_parts(expected, size):
    """The smallest with which 10,000 parts suffice."""
    sizes = PartSizes(512 * MIB, expected_size=expected)
    assert {sizes.size_of(number) for number in (1, 1001, 10_000)} == {size}


def test_there_is_no_part_after_the_last():
    """The message says what would help."""
    with pytest.raises(TooLarge, match="--expected-size"):
        PartSizes(512 * MIB).size_of(10_001)


def test_more_may_be_expected_than_memory_holds():
    """That is known before anything is read."""
    with pytest.raises(InvalidConfig, match="--max-memory"):
        PartSizes(16 * MIB, expected_size=1000 * GIB)


# --- in the ledger ---------------------------------------------------------------------------------------------------


def ledger_of(stream, *, workers=1):
    """A ledger whose one object is a stream that has begun."""
    ledger = Ledger(Limits(depth=1, concurrency=3, workers=workers))
    for worker in range(workers):
        ledger.worker_ready(worker)
    ledger.add(ITEM, stream)
    [(worker, order)] = ledger.deal()
    assert isinstance(order, Begin)
    ledger.begun(worker, Begun(1, "id"))
    return ledger


def filled(*sizes):
    """A stream with parts of these sizes, each of which stands at 100 times its number."""
    stream = Stream(sizes[0])
    for number, size in enumerate(sizes, start=1):
        stream.append(size, 100 * number)
    return stream


def moved(number, size=8):
    """A part has landed."""
    return PartMoved(1, PartFact(number, 0, size))


def test_parts_are_dealt_as_they_come_and_finished_at_the_end():
    """Each with its place in the stage; that is free again when the part has landed."""
    stream = filled(8, 8)
    ledger = ledger_of(stream)
    dealt = [order for _, order in ledger.deal()]
    assert [(order.number, order.offset, order.size, order.at) for order in dealt] == [(1, 0, 8, 100), (2, 8, 8, 200)]
    ledger.part_moved(0, moved(2))
    assert stream.landed == [200]
    ledger.part_moved(0, moved(1))
    assert ledger.deal() == []  # all that came has landed, but nobody has said that it was all
    stream.append(3, 300)
    [(_, order)] = ledger.deal()
    assert (order.number, order.offset, order.size, order.at) == (3, 16, 3, 300)
    stream.is_whole = True
    ledger.stream_ended(1, stream.size)
    assert ledger.deal() == []
    ledger.part_moved(0, moved(3, 3))
    [(_, order)] = ledger.deal()
    assert isinstance(order, Finish)
    assert (order.item.size, [part.number for part in order.parts]) == (19, [1, 2, 3])


def test_a_stream_may_end_after_its_last_part_has_landed():
    """Then the end itself finishes it."""
    stream = filled(8)
    ledger = ledger_of(stream)
    ledger.deal()
    ledger.part_moved(0, moved(1))
    stream.is_whole = True
    ledger.stream_ended(1, 8)
    [(_, order)] = ledger.deal()
    assert isinstance(order, Finish)


def test_a_part_whose_worker_died_is_dealt_from_the_same_memory():
    """It has not landed, so its place is still its own."""
    stream = filled(8)
    ledger = ledger_of(stream, workers=2)
    [(worker, order)] = ledger.deal()
    ledger.worker_lost(worker)
    assert stream.landed == []
    [(other, again)] = ledger.deal()
    assert other != worker
    assert isinstance(again, MovePart)
    assert (again.number, again.at) == (order.number, 100)


@pytest.mark.parametrize("code", ["NoSuchUpload", "PreconditionFailed"])
def test_a_stream_never_starts_over(code):
    """What was read is gone: the object fails, with the reason, once what began is abandoned."""
    ledger = ledger_of(filled(8))
    ledger.deal()
    ledger.failed(0, Failed("part", 1, Failure("no", code), 1))
    [(_, order)] = ledger.deal()
    assert isinstance(order, Abandon)
    ledger.abandoned(0, 1)
    [(_, outcome)] = ledger.take_ended()
    assert outcome.failure.code == code
    assert ledger.is_idle


def test_a_stream_that_is_stopped_is_abandoned():
    """Parts in flight are called back first."""
    ledger = ledger_of(filled(8))
    ledger.deal()
    ledger.stop()
    assert ledger.deal() == [(0, Drop(1))]
    ledger.failed(0, Failed("part", 1, Failure("given up", "E_CANCELLED"), 1))
    [(_, order)] = ledger.deal()
    assert isinstance(order, Abandon)
